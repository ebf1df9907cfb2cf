/** Reads every frame as it passes, without any code of the product, and holds it against the disks at that moment. */
import { type RawAck, decodeServerFrame, levelNames } from '../clients/raw-frames.js';
import { lineOf } from '../checkers/ledger.js';
import { ProtobufReader } from '../checkers/protobuf-reader.js';
import { type LogRecord, PlaceSeeds } from '../checkers/record.js';
import type { Archive } from './archive.js';
import type { FrameWitness } from './client-network.js';
import type { RawDisk } from './raw-disks.js';
import type { ClusterRecord, Level } from './record.js';
import type { Trace } from './trace.js';

export interface WitnessWorld {
  readonly record: ClusterRecord;
  readonly trace: Trace;
  nowMs(): number;
  /** Every disk there ever was, the lost ones included. */
  readonly disks: readonly RawDisk[];
  readonly strict: ReadonlySet<string>;
  readonly archive: Archive;
  appendQuorumOf(channel: string, sinceMs: number): number;
  lookAtRings(): void;
}

const hub = 'default';
/** Longer than that nothing waits for a slow reader. */
const queuedMsMax = 12_000;

export class Witness implements FrameWitness {
  readonly #world: WitnessWorld;
  readonly #seeds = new PlaceSeeds();
  /** By connection and channel, since its last subscription. */
  readonly #delivered = new Map<number, Set<string>>();
  /** Lines under way, by connection and request. */
  readonly #asked = new Map<string, number>();

  constructor(world: WitnessWorld) {
    this.#world = world;
  }

  sentByClient(client: string, connection: number, frame: Uint8Array): void {
    this.#world.trace.bytes(client, frame);
    this.#world.lookAtRings();
    const envelopes = new ProtobufReader(frame);
    while (envelopes.next()) {
      if (envelopes.field !== 1) continue;
      const envelope = envelopes.nested();
      let requestId = 0;
      while (envelope.next()) {
        if (envelope.field === 1) requestId = envelope.value;
        else if (envelope.field === 6) this.#delivered.delete(connection);
        else if (envelope.field === 8)
          this.#asked.set(`${connection} ${requestId}`, lineIn(envelope.nested()));
      }
    }
  }

  sentByNode(node: string, connection: number, frame: Uint8Array): void {
    this.#world.trace.bytes(node, frame);
    decodeServerFrame(frame, hub, this.#seeds, {
      entry: (channel, writer, record, late) => {
        this.#once(node, connection, `${channel} ${writer}-${record.seq}`);
        this.#entry(node, channel, writer, record, late);
      },
      ack: (ack) => this.#ack(node, connection, ack),
      error: () => {},
      gap: () => this.#delivered.delete(connection),
      subscribed: () => {},
      ping: () => {},
    });
  }

  /** A subscription gets nothing twice, unless a gap says that a loss made it begin anew. */
  #once(node: string, connection: number, dot: string): void {
    let delivered = this.#delivered.get(connection);
    if (!delivered) this.#delivered.set(connection, (delivered = new Set()));
    if (delivered.has(dot)) {
      const what = `${node} delivers ${dot} twice over one connection`;
      this.#world.record.findings.push({ checker: 'I14 once on the wire', what });
    }
    delivered.add(dot);
  }

  #entry(node: string, channel: string, writer: string, record: LogRecord, late: boolean): void {
    const { disks, record: seen } = this.#world;
    const dot = `${channel} ${writer}-${record.seq}`;
    this.#redacted(node, channel, dot, record);
    if (!record.isWhole)
      seen.findings.push({ checker: 'I4 whole entries', what: `${node} delivers ${dot} with a wrong sum` });
    const holders = disks.filter((disk) => disk.sumOf(`${hub}/${channel}`, writer, record.seq) !== undefined);
    const needs = this.#world.strict.has(channel)
      ? this.#quorumSince(channel, writer, record.seq, holders)
      : 1;
    const held = new Set(holders.map((disk) => disk.node)).size;
    if (held >= needs) return;
    const what = `${node} delivers ${late ? 'late ' : ''}${dot}, which is synced at ${held} of ${needs} nodes`;
    seen.findings.push({ checker: 'I3 delivered is durable', what });
  }

  /** The fewest disks that were enough since the entry was on any. */
  #quorumSince(channel: string, writer: string, seq: number, holders: readonly RawDisk[]): number {
    this.#world.lookAtRings();
    const times = holders.map((disk) => disk.syncedAt(`${hub}/${channel}`, writer, seq) ?? Infinity);
    return this.#world.appendQuorumOf(channel, Math.min(this.#world.nowMs(), ...times));
  }

  /** What a node knows to be redacted leaves it with its content only where that waited for a slow reader already. */
  #redacted(node: string, channel: string, dot: string, record: LogRecord): void {
    if (record.isRedacted || record.payload.length === 0) return;
    const { archive, disks, record: seen } = this.#world;
    const by = archive.redacted.get(dot);
    if (!by) return;
    const known = disks
      // What a lost disk knew nobody knows.
      .filter((disk) => disk.node === node && !seen.lostDisks.has(disk.number))
      .map((disk) => disk.syncedAt(`${hub}/${channel}`, by.writer, by.seq) ?? Infinity);
    if (Math.min(Infinity, ...known) >= this.#world.nowMs() - queuedMsMax) return;
    const what = `${node} delivers ${dot}, which it knows to be redacted`;
    seen.findings.push({ checker: 'E3 redacted is not delivered', what });
  }

  #ack(node: string, connection: number, ack: RawAck): void {
    const { disks, record } = this.#world;
    const level = levelNames[ack.level] as Level;
    this.#world.lookAtRings();
    for (let i = 0; i < ack.count; i++) {
      const line = this.#asked.get(`${connection} ${ack.requestId + i}`);
      if (line === 0) continue;
      const publish = record.of(line ?? 0);
      if (!publish) {
        record.findings.push({
          checker: 'I23 acks have requests',
          what: `${node} acks request ${ack.requestId + i}, which nobody made`,
        });
        continue;
      }
      const dot = ack.writer === '' ? undefined : { writer: ack.writer, seq: ack.seq + i };
      const holders = dot
        ? disks
            .filter((disk) => disk.sumOf(`${hub}/${publish.channel}`, dot.writer, dot.seq) !== undefined)
            .map(({ number }) => number)
        : [];
      const { copies, duplicate } = ack;
      record.acks.push({
        atMs: this.#world.nowMs(),
        node,
        line: publish.line,
        dot,
        level,
        copies,
        duplicate,
        holders,
      });
    }
  }
}

/** The line of a Publish message; 0 where it is none of a publisher's but, say, a change of a document. */
function lineIn(publish: ProtobufReader): number {
  while (publish.next()) {
    if (publish.field !== 2) continue;
    const content = publish.nested();
    while (content.next()) if (content.field === 3) return lineOf(content.view());
  }
  return 0;
}
