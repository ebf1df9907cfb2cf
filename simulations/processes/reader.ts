/** A reader of several channels that notes what really came over the wire, and goes on at its own cursors, at the next node
 *  where one does not answer. */
import { crc32 } from 'node:zlib';
import type { ChannelName, Dot, HubName } from '../../src/base/ids.js';
import { advanceHeads, decodeCursor, encodeCursor } from '../../src/log/cursor.js';
import { lineOf } from '../checkers/ledger.js';
import { type LogRecord, PlaceSeeds } from '../checkers/record.js';
import { RawConnection } from '../clients/raw-connection.js';
import { decodeServerFrame, frameOf, pongEnvelope, subscribeEnvelope } from '../clients/raw-frames.js';
import type { ClusterRecord, Reader } from '../cluster/record.js';

export interface SeenReaderOptions {
  readonly name: string;
  readonly urls: readonly string[];
  readonly hub: string;
  readonly channels: readonly string[];
  readonly seed: number;
  readonly record: ClusterRecord;
  readonly onProblem: (problem: string) => void;
}

interface Place {
  readonly reader: Reader;
  heads: readonly Dot[] | undefined;
}

/** A node that cannot read for us now is tried again after this. */
const againMs = 100;

export class SeenReader {
  /** Entries that came, whatever they were. */
  delivered = 0;
  /** Lines that came, each counted once. */
  readonly lines = new Set<number>();
  readonly #options: SeenReaderOptions;
  readonly #places = new Map<string, Place>();
  readonly #connection: RawConnection;
  readonly #seeds = new PlaceSeeds();

  constructor(options: SeenReaderOptions) {
    this.#options = options;
    for (const channel of options.channels) {
      const reader: Reader = { name: options.name, channel, start: 'beginning', phase: 'run', events: [] };
      options.record.readers.push(reader);
      this.#places.set(channel, { reader, heads: undefined });
    }
    this.#connection = new RawConnection(options.urls, options.hub, options.seed, {
      opened: () => this.#subscribe([...this.#places.keys()]),
      frame: (bytes) => this.#decode(bytes),
      lost: () => {},
      stalled: () => {},
    });
  }

  get name(): string {
    return this.#options.name;
  }

  close(): void {
    this.#connection.close();
  }

  #subscribe(channels: readonly string[]): void {
    const wanted = channels.map((channel) => {
      const heads = this.#places.get(channel)?.heads;
      return { channel, start: heads ? encodeCursor(this.#refOf(channel), heads) : ('beginning' as const) };
    });
    this.#connection.send(frameOf([subscribeEnvelope(1, wanted)]));
  }

  #refOf(channel: string): { hub: HubName; channel: ChannelName } {
    return { hub: this.#options.hub as HubName, channel: channel as ChannelName };
  }

  #decode(bytes: Buffer): void {
    const { hub, onProblem } = this.#options;
    decodeServerFrame(bytes, hub, this.#seeds, {
      entry: (channel, writer, record, late) => this.#entry(channel, writer, record, late),
      gap: (channel, reason, cursor) => {
        const place = this.#places.get(channel)!;
        place.reader.events.push({ type: 'gap', atMs: performance.now(), reason, ranges: [] });
        this.#setCursor(place, cursor);
      },
      subscribed: (channel, cursor, problem) => this.#confirmed(channel, cursor, problem),
      // Of the whole request, or the reason of the close that follows.
      error: ({ requestId }) => requestId === 1 && this.#againLater([...this.#places.keys()]),
      ack: () => onProblem(`${this.name}: an ack for nothing it sent`),
      ping: () => void this.#connection.send(frameOf([pongEnvelope()])),
    });
  }

  #entry(channel: string, writer: string, record: LogRecord, late: boolean): void {
    const place = this.#places.get(channel)!;
    const dot = { writer, seq: record.seq } as Dot;
    if (!record.isWhole)
      this.#options.onProblem(`${this.name}: the checksum of ${writer}-${record.seq} does not fit its bytes`);
    const line = record.kind === 0 ? lineOf(record.payload) : 0;
    this.delivered++;
    if (line > 0) this.lines.add(line);
    place.heads = advanceHeads(place.heads ?? [], dot, record.parents as Dot[]);
    const kind = record.kind === 0 ? 'publish' : 'other';
    const { timestamp } = record;
    place.reader.events.push({
      type: 'entry',
      atMs: performance.now(),
      dot,
      late,
      kind,
      line,
      timestamp,
      crc: crc32(record.payload),
    });
  }

  #confirmed(channel: string, cursor: Uint8Array, problem: string): void {
    const place = this.#places.get(channel)!;
    if (problem === 'UNAVAILABLE') return this.#againLater([channel]);
    if (problem !== '' && problem !== 'ALREADY_SUBSCRIBED')
      return this.#options.onProblem(`${this.name}: subscribing to ${channel}: ${problem}`);
    const isFirst = place.heads === undefined;
    place.reader.events.push({ type: 'subscribed', atMs: performance.now(), resumed: !isFirst });
    if (isFirst) this.#setCursor(place, cursor);
  }

  #againLater(channels: readonly string[]): void {
    setTimeout(() => this.#subscribe(channels), againMs).unref();
  }

  #setCursor(place: Place, cursor: Uint8Array): void {
    const heads = decodeCursor(this.#refOf(place.reader.channel), cursor);
    if (heads.ok) place.heads = heads.value;
    else this.#options.onProblem(`${this.name}: the cursor of ${place.reader.channel} is ${heads.error}`);
  }
}
