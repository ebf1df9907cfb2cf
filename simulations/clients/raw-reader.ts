/** A subscriber that counts what really comes over the wire: it decodes the frames itself, removes nothing, and after a
 *  lost connection goes on at the cursor it made from what it had got. */
import type { ChannelName, Dot, HubName } from '../../src/base/ids.js';
import { advanceHeads, decodeCursor, encodeCursor } from '../../src/log/cursor.js';
import { MalformedError } from '../checkers/protobuf-reader.js';
import { type LogRecord, PlaceSeeds } from '../checkers/record.js';
import type { ReaderCheck } from '../checkers/reader-check.js';
import { RawConnection } from './raw-connection.js';
import { decodeServerFrame, frameOf, pongEnvelope, subscribeEnvelope } from './raw-frames.js';

export interface RawReaderOptions {
  readonly url: string;
  readonly hub: string;
  readonly channels: readonly string[];
  readonly start: 'beginning' | 'live';
  readonly seed: number;
  /** Something that cannot be gone on from: a refusal, or a frame that cannot be decoded. */
  readonly onProblem: (problem: string) => void;
}

export class RawReader {
  readonly check: ReaderCheck;
  readonly #options: RawReaderOptions;
  readonly #connection: RawConnection;
  readonly #seeds = new PlaceSeeds();
  /** What a cursor is made of; known for a channel once its subscription was confirmed. */
  readonly #heads = new Map<string, readonly Dot[]>();
  readonly #unconfirmed: Set<string>;
  #whenSubscribed: () => void = () => {};
  /** Resolves when every channel was subscribed to for the first time. */
  readonly subscribed = new Promise<void>((resolve) => (this.#whenSubscribed = resolve));

  constructor(options: RawReaderOptions, check: ReaderCheck) {
    this.check = check;
    this.#options = options;
    this.#unconfirmed = new Set(options.channels);
    this.#connection = new RawConnection(options.url, options.hub, options.seed, {
      opened: () => this.#subscribe(),
      frame: (bytes) => this.#decode(bytes),
      lost: () => {},
      stalled: () => options.onProblem(`${check.name}: connected, and then there was silence`),
    });
  }

  /** Connections made after the first. */
  get resumes(): number {
    return Math.max(0, this.#connection.connects - 1);
  }

  get state(): string {
    return this.#connection.state;
  }

  close(): void {
    this.#connection.close();
  }

  #subscribe(): void {
    const channels = this.#options.channels.map((channel) => {
      const heads = this.#heads.get(channel);
      return { channel, start: heads ? this.#cursorOf(channel, heads) : this.#options.start };
    });
    this.#connection.send(frameOf([subscribeEnvelope(1, channels)]));
  }

  #cursorOf(channel: string, heads: readonly Dot[]): Uint8Array {
    return encodeCursor(this.#refOf(channel), heads);
  }

  #refOf(channel: string): { hub: HubName; channel: ChannelName } {
    return { hub: this.#options.hub as HubName, channel: channel as ChannelName };
  }

  #decode(bytes: Buffer): void {
    try {
      decodeServerFrame(bytes, this.#options.hub, this.#seeds, {
        entry: (channel, writer, record, late) => this.#entry(channel, writer, record, late),
        gap: (channel, reason, cursor) => {
          this.check.gap(channel, reason);
          this.#setCursor(channel, cursor);
        },
        subscribed: (channel, cursor, problem) => this.#confirmed(channel, cursor, problem),
        error: ({ code, message }) => this.#options.onProblem(`${this.check.name}: ${code}: ${message}`),
        ack: () => this.#options.onProblem(`${this.check.name}: an ack for nothing it sent`),
        ping: () => void this.#connection.send(frameOf([pongEnvelope()])),
      });
    } catch (error) {
      if (!(error instanceof MalformedError || error instanceof TypeError)) throw error;
      this.#options.onProblem(`${this.check.name}: a frame cannot be decoded: ${error.message}`);
    }
  }

  #entry(channel: string, writer: string, record: LogRecord, late: boolean): void {
    const dot = { writer, seq: record.seq } as Dot;
    this.#heads.set(channel, advanceHeads(this.#heads.get(channel) ?? [], dot, record.parents as Dot[]));
    this.check.record(channel, writer, record, late);
  }

  #confirmed(channel: string, cursor: Uint8Array, problem: string): void {
    if (problem !== '')
      return this.#options.onProblem(`${this.check.name}: subscribing to ${channel}: ${problem}`);
    // Later ones repeat the cursor that was sent, or a shorter form of it: what it was made of stays.
    if (!this.#heads.has(channel)) this.#setCursor(channel, cursor);
    this.#unconfirmed.delete(channel);
    if (this.#unconfirmed.size === 0) this.#whenSubscribed();
  }

  #setCursor(channel: string, cursor: Uint8Array): void {
    const heads = decodeCursor(this.#refOf(channel), cursor);
    if (heads.ok) this.#heads.set(channel, heads.value);
    else this.#options.onProblem(`${this.check.name}: the cursor of ${channel} is ${heads.error}`);
  }
}
