/** A publisher that goes on until every line is acknowledged at quorum, whatever falls: it writes and reads the frames
 *  itself, numbers what it sends, and sends again in order what has no answer, at the next node where one does not answer. */
import { PlaceSeeds } from '../checkers/record.js';
import { RawConnection } from '../clients/raw-connection.js';
import {
  type RawAck,
  type RawError,
  authEnvelope,
  decodeServerFrame,
  frameOf,
  levelNames,
  pongEnvelope,
  publishEnvelope,
} from '../clients/raw-frames.js';
import type { ClusterRecord, Level, Publish } from '../cluster/record.js';

export interface SteadyOptions {
  readonly name: string;
  readonly urls: readonly string[];
  readonly hub: string;
  readonly channel: string;
  readonly seed: number;
  readonly record: ClusterRecord;
  /** Lines on their way at once. */
  readonly windowMax: number;
  /** Told of each ack that is the first of its line. */
  readonly onAck?: (publish: Publish, afterMs: number) => void;
  readonly onProblem: (problem: string) => void;
}

interface Waiting {
  readonly publish: Publish;
  readonly payload: Buffer;
}

const authRequest = 0xffff_ffff;
/** Refused, or out of order behind what was: all is sent again after this. */
const againMs = 30;
/** So long without any answer is the end of a connection: its node may be paused, or cut off. */
const silentMs = 1_500;
const lookMs = 100;
/** What a node says that cannot take something now. */
const passing = new Set([
  'UNAVAILABLE',
  'OUT_OF_ORDER',
  'OVERLOADED',
  'SHUTTING_DOWN',
  'INDETERMINATE',
  'INTERNAL',
  'DISK_FULL',
  'SLOW_READER',
  'IDLE',
  'RATE_LIMITED',
]);

export class SteadyPublisher {
  acked = 0;
  /** Answers by code of errors. */
  readonly refusals = new Map<string, number>();
  readonly #options: SteadyOptions;
  readonly #connection: RawConnection;
  readonly #seeds = new PlaceSeeds();
  /** By number, in order. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #watch: NodeJS.Timeout;
  #numbers = 0;
  #heardMs = performance.now();
  #again: NodeJS.Timeout | undefined;

  constructor(options: SteadyOptions) {
    this.#options = options;
    this.#connection = new RawConnection(options.urls, options.hub, options.seed, {
      opened: () => this.#opened(),
      frame: (bytes) => this.#decode(bytes),
      lost: () => {},
      stalled: () => {},
    });
    this.#watch = setInterval(() => this.#look(), lookMs);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get hasRoom(): boolean {
    return this.#waiting.size < this.#options.windowMax;
  }

  /** `said` goes into the payload behind the line's number. */
  publish(said: object): void {
    const { record, channel, name } = this.#options;
    const sentMs = performance.now();
    if (this.#waiting.size === 0) this.#heardMs = sentMs;
    const publish = record.publish({ channel, publisher: name, level: 'quorum', degrade: false, sentMs });
    const number = ++this.#numbers;
    const payload = Buffer.from(JSON.stringify({ line: publish.line, ...said }));
    this.#waiting.set(number, { publish, payload });
    if (this.#again === undefined) this.#connection.send(frameOf([this.#envelopeOf(number)]));
  }

  close(): void {
    clearInterval(this.#watch);
    clearTimeout(this.#again);
    this.#connection.close();
  }

  #envelopeOf(number: number): Buffer {
    const { channel, name } = this.#options;
    const [first] = this.#waiting.keys();
    return publishEnvelope(number, {
      channel,
      event: 'said',
      payload: this.#waiting.get(number)!.payload,
      idempotencyKey: `${name}-${number}`,
      publisherSeq: number,
      ackedThrough: first! - 1,
      isStrict: true,
    });
  }

  #opened(): void {
    const { name } = this.#options;
    this.#heardMs = performance.now();
    this.#connection.send(frameOf([authEnvelope(authRequest, { id: name, epoch: 1 })]));
    this.#sendAll();
  }

  #sendAll(): void {
    clearTimeout(this.#again);
    this.#again = undefined;
    const numbers = [...this.#waiting.keys()];
    if (numbers.length > 0) this.#connection.send(frameOf(numbers.map((number) => this.#envelopeOf(number))));
  }

  #look(): void {
    if (this.#waiting.size === 0 || performance.now() - this.#heardMs < silentMs) return;
    this.#heardMs = performance.now();
    this.#connection.drop();
  }

  #decode(bytes: Buffer): void {
    const unexpected = (what: string) =>
      this.#options.onProblem(`${this.#options.name}: ${what} for nothing it asked`);
    decodeServerFrame(bytes, this.#options.hub, this.#seeds, {
      ack: (ack) => this.#acked(ack),
      error: (error) => this.#failed(error),
      ping: () => void this.#connection.send(frameOf([pongEnvelope()])),
      entry: () => unexpected('a delivery'),
      gap: () => unexpected('a gap'),
      subscribed: () => unexpected('a subscription'),
    });
  }

  #acked({ requestId, writer, seq, level, copies, count, duplicate }: RawAck): void {
    const { record, onAck, onProblem, name } = this.#options;
    const atMs = performance.now();
    this.#heardMs = atMs;
    for (let i = 0; i < count; i++) {
      const waiting = this.#waiting.get(requestId + i);
      // Sent twice, because an answer was late: the first one counts.
      if (!waiting) continue;
      this.#waiting.delete(requestId + i);
      const { publish } = waiting;
      const reached = levelNames[level] as Level;
      const dot = { writer, seq: seq + i };
      if (reached !== 'quorum') onProblem(`${name}: line ${publish.line} was acknowledged at ${reached}`);
      record.acks.push({
        atMs,
        node: '',
        line: publish.line,
        dot,
        level: reached,
        copies,
        duplicate,
        holders: [],
      });
      Object.assign(publish, { outcome: 'acked', dot, reached, copies, duplicate, settledMs: atMs });
      this.acked++;
      onAck?.(publish, atMs - publish.sentMs);
    }
  }

  #failed({ requestId, code, message }: RawError): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    if (!passing.has(code)) this.#options.onProblem(`${this.#options.name}: ${code}: ${message}`);
    if (this.#waiting.has(requestId)) this.#again ??= setTimeout(() => this.#sendAll(), againMs);
  }
}
