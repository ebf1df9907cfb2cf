/** An application without the SDK: it publishes without numbers, perhaps without keys, and never tries again. What a broken connection took
 *  has an unknown outcome. */
import type { Random } from '../../src/base/random.js';
import type { Platform, Socket } from '../../src/client/platform.js';
import { PlaceSeeds } from '../checkers/record.js';
import {
  type RawAck,
  decodeServerFrame,
  frameOf,
  levelNames,
  pongEnvelope,
  publishEnvelope,
} from '../clients/raw-frames.js';
import { pick } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { atRandomTimes } from './lives.js';
import type { Level, Publish } from './record.js';

export interface PlainPublisherPlan {
  readonly name: string;
  readonly channels: readonly string[];
  readonly perSecond: number;
  readonly burstMax: number;
  readonly hasKeys: boolean;
}

const reconnectMs = 200;
const subprotocol = 'ringlog.v1.protobuf';

export class PlainPublisher {
  readonly plan: PlainPublisherPlan;
  readonly #world: ClientWorld;
  readonly #platform: Platform;
  readonly #urls: readonly string[];
  readonly #random: Random;
  readonly #seeds = new PlaceSeeds();
  /** By request id, of the connection there is. */
  readonly #open = new Map<number, Publish>();
  #socket: Socket | undefined;
  #isUp = false;
  #connections = 0;
  #lastId = 0;
  #stopped = false;

  constructor(world: ClientWorld, plan: PlainPublisherPlan, { platform, urls, random }: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#platform = platform;
    this.#urls = urls;
    this.#random = random;
    this.#connect();
    atRandomTimes(
      world.line,
      random,
      plan.perSecond,
      () => this.#burst(),
      () => this.#stopped,
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.stop();
    this.#socket?.close(1000, '');
    this.#lost();
  }

  #burst(): void {
    const burst = 1 + Math.floor(this.#random.next() * this.plan.burstMax);
    if (this.#isUp) for (let i = 0; i < burst; i++) this.publish(pick(this.#random, this.plan.channels));
  }

  #connect(): void {
    const url = pick(this.#random, this.#urls);
    const number = ++this.#connections;
    const isThis = (): boolean => number === this.#connections;
    this.#socket = this.#platform.openSocket(url, subprotocol, {
      opened: () => {
        if (isThis()) this.#isUp = true;
      },
      received: (frame) => {
        if (isThis()) this.#received(frame);
      },
      closed: () => {
        if (!isThis()) return;
        this.#isUp = false;
        this.#lost();
        this.#world.line.after(reconnectMs, () => this.#stopped || this.#connect());
      },
    });
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  publish(channel: string): Publish {
    // Nobody keeps the order of what went over two connections.
    const publisher = `${this.plan.name}/${this.#connections}`;
    const sentMs = this.#world.line.monotonicMs();
    const publish = this.#world.record.publish({
      channel,
      publisher,
      level: undefined,
      degrade: true,
      isNumbered: false,
      sentMs,
    });
    this.repeat(publish);
    return publish;
  }

  /** Whoever said it first: under the same key. */
  repeat(publish: Publish): void {
    const { channel, publisher, line } = publish;
    const id = ++this.#lastId;
    this.#open.set(id, publish);
    const payload = Buffer.from(`{"line":${line}}`);
    const key = this.plan.hasKeys ? { idempotencyKey: `${publisher}/${line}` } : {};
    this.#socket!.send(frameOf([publishEnvelope(id, { channel, event: 'said', payload, ...key })]));
  }

  #received(frame: Uint8Array): void {
    decodeServerFrame(frame, 'default', this.#seeds, {
      entry: () => {},
      ack: (ack) => this.#acked(ack),
      error: ({ requestId, code, indeterminate }) =>
        this.#settle(requestId, indeterminate ? 'indeterminate' : 'rejected', code),
      gap: () => {},
      subscribed: () => {},
      ping: () => this.#socket?.send(frameOf([pongEnvelope()])),
    });
  }

  #acked({ requestId, count, writer, seq, level, copies, duplicate }: RawAck): void {
    for (let i = 0; i < count; i++) {
      const publish = this.#open.get(requestId + i);
      if (!publish) continue;
      publish.dot = { writer, seq: seq + i };
      publish.reached = levelNames[level] as Level;
      publish.copies = copies;
      publish.duplicate = duplicate;
      this.#settle(requestId + i, 'acked', '');
    }
  }

  #lost(): void {
    for (const id of this.#open.keys()) this.#settle(id, 'indeterminate', 'CLOSED');
  }

  #settle(id: number, outcome: Publish['outcome'], code: string): void {
    const publish = this.#open.get(id);
    if (!publish) return;
    this.#open.delete(id);
    publish.outcome = outcome;
    publish.code = code;
    publish.settledMs = this.#world.line.monotonicMs();
    this.#world.trace.add(`${outcome} ${code}`, publish.line);
  }
}
