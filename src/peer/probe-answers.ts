/** Answers to probes in place of a node that is too busy to answer in time (R37). Knows of it what its own packets say. Pure: time
 *  is a parameter. */
import { readFixed64, writeFixed64 } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { decodePacket, encodePacket } from '../cluster/membership-wire.js';
import { type Sender, packetTimeBytes } from '../cluster/packet.js';

export interface ProbeAnswer {
  /** As the node would send it. */
  readonly packet: Uint8Array;
  readonly address: string;
}

/** How the node is doing. */
export interface Progress {
  /** The newest packet that it has taken up; they are numbered as they come. */
  readonly taken: number;
  /** When it last ran. */
  readonly ranAt: number;
}

interface Waiting {
  readonly number: number;
  readonly since: number;
  readonly seq: number;
  readonly to: NodeId;
  readonly address: string;
}

export class ProbeAnswers {
  readonly #node: NodeId;
  #own: Pick<Sender, 'boot' | 'incarnation'> | undefined;
  #time = 0;
  #waiting: Waiting[] = [];

  constructor(node: NodeId) {
    this.#node = node;
  }

  /** The node sends this, whatever it is. */
  sent(packet: Uint8Array): void {
    const sent = decodePacket(packet.subarray(packetTimeBytes));
    if (!sent.ok || sent.value.from !== this.#node) return;
    const { boot, incarnation } = sent.value;
    this.#own = { boot, incarnation };
    this.#time = readFixed64(packet, 0);
  }

  /** This came for the node; true where it is a probe that may have to be answered. */
  received(packet: Uint8Array, address: string, number: number, now: number): boolean {
    const came = decodePacket(packet.subarray(packetTimeBytes));
    if (!came.ok || came.value.to !== this.#node || came.value.message.type !== 'ping') return false;
    if (this.#waiting.length >= limits.packetsWaitingMax) return false;
    const { from, message } = came.value;
    this.#waiting.push({ number, since: now, seq: message.seq, to: from, address });
    return true;
  }

  /** What is to be answered now. A node that has not run for long is not answered for. `wallMs`: the time, as packets say it. */
  due(now: number, { taken, ranAt }: Progress, wallMs: number): ProbeAnswer[] {
    const left = this.#waiting.filter(({ number }) => number > taken);
    const late = left.filter(({ since }) => now >= since + limits.probeLateMs);
    this.#waiting = left.filter((each) => !late.includes(each));
    if (!this.#own || now >= ranAt + limits.loopProofMs) return [];
    return late.map(({ seq, to, address }) => ({ packet: this.#ack(seq, to, wallMs), address }));
  }

  #ack(seq: number, to: NodeId, wallMs: number): Uint8Array {
    const message = { type: 'ack', seq } as const;
    const ack = encodePacket({ from: this.#node, ...this.#own!, to, message, news: [] });
    const packet = new Uint8Array(packetTimeBytes + ack.length);
    writeFixed64(packet, 0, Math.max(this.#time, Math.floor(wallMs)));
    packet.set(ack, packetTimeBytes);
    return packet;
  }
}
