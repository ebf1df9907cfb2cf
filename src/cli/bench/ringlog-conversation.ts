/** Ringlog's protocol in protobuf as a load speaks it: publishes are encoded before the load starts, answers are walked
 *  without making objects of them (proto/client.proto). */
import { randomBytes } from 'node:crypto';
import { kindOf } from '../../channels/kinds.js';
import { entryKinds } from '../../log/entry.js';
import { encodeClientFrame } from '../../protocol/client-encoder.js';
import type { Start } from '../../protocol/messages.js';
import type { Conversation, Speaker } from './conversation.js';
import type { LoadSocketOptions } from './load-socket.js';
import { PreparedFrames, maskedFrame } from './prepared-frames.js';
import { ProtobufWalk } from './protobuf-walk.js';

export interface RinglogTarget {
  /** As in `http://host:port`. */
  readonly url: string;
  readonly hub: string;
  readonly token?: string;
}

export interface RinglogSpeakerOptions {
  /** Publishes go to these in turn. */
  readonly channels: readonly string[];
  readonly publishesPerFrame: number;
  readonly payloadBytes: number;
  /** `memory` makes them signals. */
  readonly level?: 'memory';
  /** They are changes of documents: the patch of each place in the circle, in place of random text. */
  readonly patchOf?: (publish: number) => Uint8Array;
  /** Publishes under way at most. */
  readonly inFlight: number;
}

const publishesPreparedMin = 2_048;

const tag = {
  envelope: 0x0a,
  requestId: 0x08,
  ping: 0x1a,
  subscribe: 0x32,
  ack: 0x42,
  sessionInfo: 0x52,
  delivery: 0x5a,
  signals: 0x62,
  gap: 0x6a,
  error: 0x72,
};

export function socketTarget({ url, hub, token }: RinglogTarget): LoadSocketOptions {
  return {
    url: `${url.replace(/^http/, 'ws')}/v1/hubs/${hub}/ws`,
    protocol: 'ringlog.v1.protobuf',
    ...(token !== undefined && { token }),
  };
}

export const pong = encodeClientFrame('protobuf', [{ requestId: 0, message: { type: 'pong' } }]);

export class RinglogSpeaker implements Speaker {
  readonly target: LoadSocketOptions;
  readonly frames: PreparedFrames;
  readonly operationsPerFrame: number;
  readonly #walk = new ProtobufWalk();
  /** How often each publish of the circle was acknowledged. */
  readonly #acks: Uint32Array;
  isReady = false;

  constructor(target: RinglogTarget, options: RinglogSpeakerOptions) {
    this.target = socketTarget(target);
    this.operationsPerFrame = options.publishesPerFrame;
    const { publishesPerFrame } = options;
    const frameCount = framesInCircle(options);
    this.#acks = new Uint32Array(frameCount * publishesPerFrame);
    this.frames = new PreparedFrames(
      Array.from({ length: frameCount }, (_, i) => maskedFrame(publishFrame(i * publishesPerFrame, options))),
    );
  }

  take(bytes: Buffer, start: number, end: number, answer: (message: Uint8Array) => void): number {
    const walk = this.#walk.over(bytes, start, end);
    let answered = 0;
    while (walk.next()) {
      if (walk.tag !== tag.envelope) continue;
      const frameEnd = walk.enter();
      let requestId = 0;
      while (walk.next()) {
        if (walk.tag === tag.requestId) requestId = walk.value;
        else if (walk.tag === tag.ack) answered += this.#ack(walk, requestId);
        else if (walk.tag === tag.sessionInfo) this.isReady = true;
        else if (walk.tag === tag.ping) answer(pong);
        else if (walk.tag === tag.error) throw new Error(errorText(walk));
      }
      walk.leave(frameEnd);
    }
    return answered;
  }

  problem(sentFrames: number): string | undefined {
    const { count } = this.frames;
    const wholeCircles = Math.floor(sentFrames / count);
    const more = (sentFrames % count) * this.operationsPerFrame;
    const wrong = this.#acks.findIndex((acks, i) => acks !== wholeCircles + (i < more ? 1 : 0));
    if (wrong < 0) return undefined;
    const sent = wholeCircles + (wrong < more ? 1 : 0);
    return `publish ${wrong + 1} of the circle was sent ${sent} times and acknowledged ${this.#acks[wrong]} times`;
  }

  #ack(walk: ProtobufWalk, requestId: number): number {
    const outer = walk.enter();
    let count = 1;
    while (walk.next()) if (walk.tag === 0x30 && walk.value > 1) count = walk.value;
    walk.leave(outer);
    if (requestId < 1 || requestId + count - 1 > this.#acks.length)
      throw new Error(`an ack of request ${requestId} and ${count - 1} more: there is no such request`);
    for (let i = requestId - 1; i < requestId - 1 + count; i++) this.#acks[i]!++;
    return count;
  }
}

/** A multiple of the channels, so that each gets as many. */
function framesInCircle({ channels, publishesPerFrame, inFlight }: RinglogSpeakerOptions): number {
  const circle = Math.max(publishesPreparedMin, 2 * inFlight, publishesPerFrame);
  return Math.ceil((Math.ceil(circle / channels.length) * channels.length) / publishesPerFrame);
}

function publishFrame(firstPublish: number, options: RinglogSpeakerOptions): Uint8Array {
  const { channels, publishesPerFrame, payloadBytes, level, patchOf } = options;
  const envelopes = Array.from({ length: publishesPerFrame }, (_, i) => ({
    requestId: firstPublish + i + 1,
    message: {
      type: 'publish' as const,
      channel: channels[(firstPublish + i) % channels.length]!,
      content: { payload: patchOf?.(firstPublish + i) ?? randomText(payloadBytes) },
      ...(level && { level }),
      ...(patchOf && { kind: 'patch' as const }),
    },
  }));
  return encodeClientFrame('protobuf', envelopes);
}

function randomText(length: number): Uint8Array {
  return Buffer.from(randomBytes(length).toString('base64').slice(0, length));
}

export class RinglogListener implements Conversation {
  readonly target: LoadSocketOptions;
  readonly greeting: Uint8Array;
  isReady = false;
  readonly #walk = new ProtobufWalk();
  /** The number that the next entry must have; 0 before the first. */
  #expectedSeq = 0;
  /** Snapshots are delivered beside the patches, and are none of what was published. */
  readonly #isDocument: boolean;
  readonly #isOne: boolean;

  /** Numbers of the entries of one channel must follow each other; those of several are only counted. */
  constructor(
    target: RinglogTarget,
    channels: readonly [string, ...string[]],
    start: Start = { type: 'live' },
  ) {
    this.target = socketTarget(target);
    this.#isOne = channels.length === 1;
    this.#isDocument = kindOf(channels[0]) === 'document';
    const message = { type: 'subscribe' as const, channels: channels.map((channel) => ({ channel, start })) };
    this.greeting = encodeClientFrame('protobuf', [{ requestId: 1, message }]);
  }

  take(bytes: Buffer, start: number, end: number, answer: (message: Uint8Array) => void): number {
    const walk = this.#walk.over(bytes, start, end);
    let delivered = 0;
    while (walk.next()) {
      if (walk.tag !== tag.envelope) continue;
      const frameEnd = walk.enter();
      while (walk.next()) {
        if (walk.tag === tag.delivery) delivered += this.#delivery(walk);
        else if (walk.tag === tag.signals) delivered += countSignals(walk);
        else if (walk.tag === tag.subscribe) this.#subscribed(walk);
        else if (walk.tag === tag.ping) answer(pong);
        else if (walk.tag === tag.error) throw new Error(errorText(walk));
        else if (walk.tag === tag.gap) throw new Error('a gap in a channel that nobody trimmed');
      }
      walk.leave(frameEnd);
    }
    return delivered;
  }

  #delivery(walk: ProtobufWalk): number {
    const outer = walk.enter();
    let count = 0;
    let snapshots = 0;
    let last = 0;
    while (walk.next()) {
      if (walk.tag !== 0x12) continue;
      if (this.#isDocument && isSnapshot(walk.bytes, walk.start)) snapshots++;
      if (count++ === 0 && this.#isOne) this.#checkFirst(seqOf(walk.bytes, walk.start));
      last = walk.start;
    }
    walk.leave(outer);
    if (count === 0 || !this.#isOne) return count - snapshots;
    this.#expectedSeq += count;
    const lastSeq = seqOf(walk.bytes, last);
    if (lastSeq !== this.#expectedSeq - 1)
      throw new Error(`a delivery of ${count} entries ends at ${lastSeq}, not ${this.#expectedSeq - 1}`);
    return count - snapshots;
  }

  #checkFirst(seq: number): void {
    if (this.#expectedSeq === 0) this.#expectedSeq = seq;
    else if (seq !== this.#expectedSeq)
      throw new Error(`entry ${seq} was delivered where ${this.#expectedSeq} was due`);
  }

  #subscribed(walk: ProtobufWalk): void {
    const outer = walk.enter();
    while (walk.next()) {
      const result = walk.enter();
      while (walk.next()) if (walk.tag === 0x1a) throw new Error(`subscribing: ${errorText(walk)}`);
      walk.leave(result);
    }
    walk.leave(outer);
    this.isReady = true;
  }
}

function seqOf(bytes: Buffer, entry: number): number {
  const at = numberOf(bytes, entry);
  return bytes.readUInt32LE(at + 1) + bytes.readUInt32LE(at + 5) * 2 ** 32;
}

/** Of an encoded entry: two optional checksums stand before its number. */
function numberOf(bytes: Buffer, entry: number): number {
  let at = entry;
  while (bytes[at] === 0x0d || bytes[at] === 0x15) at += 5;
  if (bytes[at] !== 0x19) throw new Error('an entry without a number');
  return at;
}

/** The kind stands behind number and time. */
function isSnapshot(bytes: Buffer, entry: number): boolean {
  const kind = numberOf(bytes, entry) + 18;
  return bytes[kind] === 0x28 && bytes[kind + 1] === entryKinds.indexOf('snapshot');
}

function countSignals(walk: ProtobufWalk): number {
  const outer = walk.enter();
  let count = 0;
  while (walk.next()) if (walk.tag === 0x12) count++;
  walk.leave(outer);
  return count;
}

function errorText(walk: ProtobufWalk): string {
  const outer = walk.enter();
  const parts: string[] = [];
  while (walk.next()) if (walk.tag === 0x0a || walk.tag === 0x1a) parts.push(walk.text());
  walk.leave(outer);
  return parts.join(': ');
}
