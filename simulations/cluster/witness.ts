/** Reads every frame as it passes, without any code of the product, and holds it against the disks at that moment. */
import { type RawAck, decodeServerFrame, levelNames } from '../clients/raw-frames.js';
import { lineOf } from '../checkers/ledger.js';
import { ProtobufReader } from '../checkers/protobuf-reader.js';
import { type LogRecord, PlaceSeeds } from '../checkers/record.js';
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
}

const hub = 'default';

export class Witness implements FrameWitness {
  readonly #world: WitnessWorld;
  readonly #seeds = new PlaceSeeds();
  /** Lines under way, by connection and request. */
  readonly #asked = new Map<string, number>();

  constructor(world: WitnessWorld) {
    this.#world = world;
  }

  sentByClient(client: string, connection: number, frame: Uint8Array): void {
    this.#world.trace.bytes(client, frame);
    const envelopes = new ProtobufReader(frame);
    while (envelopes.next()) {
      if (envelopes.field !== 1) continue;
      const envelope = envelopes.nested();
      let requestId = 0;
      while (envelope.next()) {
        if (envelope.field === 1) requestId = envelope.value;
        else if (envelope.field === 8)
          this.#asked.set(`${connection} ${requestId}`, lineIn(envelope.nested()));
      }
    }
  }

  sentByNode(node: string, connection: number, frame: Uint8Array): void {
    this.#world.trace.bytes(node, frame);
    decodeServerFrame(frame, hub, this.#seeds, {
      entry: (channel, writer, record, late) => this.#entry(node, channel, writer, record, late),
      ack: (ack) => this.#ack(node, connection, ack),
      error: () => {},
      gap: () => {},
      subscribed: () => {},
      ping: () => {},
    });
  }

  #entry(node: string, channel: string, writer: string, record: LogRecord, late: boolean): void {
    const { disks, record: seen } = this.#world;
    const dot = `${channel} ${writer}-${record.seq}`;
    if (!record.isWhole)
      seen.findings.push({ checker: 'I4', what: `${node} delivers ${dot} with a wrong sum` });
    const holders = disks.filter((disk) => disk.sumOf(`${hub}/${channel}`, writer, record.seq) !== undefined);
    if (holders.length > 0) return;
    const what = `${node} delivers ${late ? 'late ' : ''}${dot}, which is synced nowhere`;
    seen.findings.push({ checker: 'I3', what });
  }

  #ack(node: string, connection: number, ack: RawAck): void {
    const { disks, record } = this.#world;
    const level = levelNames[ack.level] as Level;
    for (let i = 0; i < ack.count; i++) {
      const line = this.#asked.get(`${connection} ${ack.requestId + i}`) ?? 0;
      const publish = record.of(line);
      if (!publish) {
        record.findings.push({
          checker: 'I23',
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
      record.acks.push({ atMs: this.#world.nowMs(), node, line, dot, level, copies, duplicate, holders });
    }
  }
}

/** The line of a Publish message. */
function lineIn(publish: ProtobufReader): number {
  while (publish.next()) {
    if (publish.field !== 2) continue;
    const content = publish.nested();
    while (content.next()) if (content.field === 3) return lineOf(content.view());
  }
  return 0;
}
