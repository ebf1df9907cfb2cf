/** One publisher, many listeners: a message is under way until every listener has it. Either a number of messages is kept
 *  under way, or they are sent at a rate whatever comes back, and each delivery's delay counts from when it was due. */
import type { Conversation, Speaker } from './conversation.js';
import { Latencies } from './latencies.js';
import { Link } from './link.js';
import { type Duration, type LoadResult, drainLimitMs, measure } from './measuring.js';
import { within } from './within.js';

export interface FanOutLoad extends Duration {
  /** Of one operation a frame. */
  readonly speaker: Speaker;
  readonly listeners: readonly Conversation[];
  readonly pace: { readonly inFlight: number } | { readonly messagesPerSecond: number };
}

/** Operations are deliveries. Latencies: with a rate of deliveries, else of rounds: until every listener has it. */
export interface FanOutResult extends LoadResult {
  readonly messagesInAll: number;
}

export async function runFanOutLoad(load: FanOutLoad): Promise<FanOutResult> {
  return new FanOutRun(load).result();
}

/** Messages under way at most; a power of two, places of messages are taken modulo it. */
const underWayMax = 65_536;
/** At a rate: what is due beyond waits, and its delay grows. More might make the server drop signals, as it may where a
 *  listener's queue is full. */
const pacedUnderWayMax = 1_000;

class FanOutRun {
  readonly #load: FanOutLoad;
  readonly #latencies = new Latencies();
  readonly #failed: Promise<never>;
  #fail!: (error: Error) => void;
  #whenDrained: () => void = () => {};
  #state: 'opening' | 'warming' | 'measuring' | 'draining' = 'opening';
  #speaker!: Link<Speaker>;
  readonly #out = (bytes: Uint8Array) => this.#speaker.write(bytes);
  #sent = 0;
  #acknowledged = 0;
  #deliveries = 0;
  /** Every listener has the messages below. */
  #complete = 0;
  /** How many messages each listener has, and how many listeners have exactly so many. */
  readonly #had: Uint32Array;
  readonly #listenersAt = new Int32Array(underWayMax);
  readonly #dueAt = new Float64Array(underWayMax);
  readonly #inFlight: number;
  readonly #rate: number;

  constructor(load: FanOutLoad) {
    this.#load = load;
    this.#inFlight = 'inFlight' in load.pace ? load.pace.inFlight : 0;
    this.#rate = 'messagesPerSecond' in load.pace ? load.pace.messagesPerSecond : 0;
    this.#had = new Uint32Array(load.listeners.length);
    this.#listenersAt[0] = load.listeners.length;
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    // Who waits for it hears of it; until somebody does it is no unhandled rejection.
    this.#failed.catch(() => {});
  }

  async result(): Promise<FanOutResult> {
    const { listeners, speaker } = this.#load;
    const links: Link<Conversation>[] = await Link.openAll(listeners, (index) => ({
      taken: (count) => this.#taken(index, count),
      turn: () => this.#turn(),
      failed: this.#fail,
    }));
    try {
      this.#speaker = await Link.open(speaker, {
        taken: (count) => (this.#acknowledged += count),
        turn: () => {},
        failed: this.#fail,
      });
      links.push(this.#speaker);
      this.#begin();
      const counted = await measure(this.#load, {
        failed: this.#failed,
        count: () => this.#deliveries,
        begin: () => (this.#state = 'measuring'),
      });
      const latencies = this.#latencies.summary();
      await this.#drain();
      this.#verify();
      return {
        ...counted,
        operationsInAll: this.#deliveries,
        messagesInAll: this.#sent,
        ...(latencies && { latencies }),
      };
    } finally {
      for (const link of links) link.close();
    }
  }

  #begin(): void {
    this.#state = 'warming';
    if (this.#inFlight > 0) return this.#send(this.#inFlight, performance.now());
    const intervalMs = 1_000 / this.#rate;
    const begun = performance.now();
    let due = 0;
    // A timer is too coarse for thousands a second: between messages this looks at the sockets again and again.
    const tick = () => {
      if (this.#state === 'draining') return;
      const overdue = Math.floor((performance.now() - begun) / intervalMs) - due;
      const count = Math.min(overdue, pacedUnderWayMax - (this.#sent - this.#complete));
      if (count > 0) {
        for (let i = 0; i < count; i++)
          this.#dueAt[(this.#sent + i) % underWayMax] = begun + ++due * intervalMs;
        this.#write(count);
      }
      setImmediate(tick);
    };
    tick();
  }

  #send(count: number, now: number): void {
    for (let i = 0; i < count; i++) this.#dueAt[(this.#sent + i) % underWayMax] = now;
    this.#write(count);
  }

  #write(count: number): void {
    this.#load.speaker.frames.send(this.#sent, this.#sent + count, this.#out);
    this.#sent += count;
  }

  #taken(listener: number, count: number): void {
    if (count === 0) return;
    const before = this.#had[listener]!;
    const now = before + count;
    if (now > this.#sent) return this.#fail(new Error('more was delivered than was published'));
    this.#had[listener] = now;
    this.#deliveries += count;
    if (this.#rate > 0 && this.#state === 'measuring') this.#delays(before, now);
    this.#listenersAt[now % underWayMax]!++;
    if (--this.#listenersAt[before % underWayMax]! === 0 && before === this.#complete) this.#advance();
  }

  #delays(from: number, to: number): void {
    const now = performance.now();
    for (let i = from; i < to; i++) this.#latencies.add(now - this.#dueAt[i % underWayMax]!);
  }

  /** The last listener left `#complete` behind. */
  #advance(): void {
    const before = this.#complete;
    while (this.#listenersAt[this.#complete % underWayMax] === 0) this.#complete++;
    if (this.#rate === 0 && this.#state === 'measuring') this.#delays(before, this.#complete);
    if (this.#state === 'draining' && this.#complete === this.#sent) this.#whenDrained();
  }

  #turn(): void {
    if (this.#state === 'opening' || this.#state === 'draining' || this.#rate > 0) return;
    const count = this.#complete + this.#inFlight - this.#sent;
    if (count > 0) this.#send(count, performance.now());
  }

  async #drain(): Promise<void> {
    this.#state = 'draining';
    const missing = this.#sent - this.#complete;
    if (missing === 0) return;
    const drained = new Promise<void>((resolve) => (this.#whenDrained = resolve));
    await within(Promise.race([drained, this.#failed]), drainLimitMs, `delivering ${missing} messages`);
  }

  #verify(): void {
    const wrong = this.#had.findIndex((had) => had !== this.#sent);
    if (wrong >= 0) throw new Error(`listener ${wrong} got ${this.#had[wrong]} messages of ${this.#sent}`);
    // Listeners may have the last messages before the publisher hears of them.
    if (this.#acknowledged > this.#sent)
      throw new Error(`${this.#acknowledged} acks of ${this.#sent} messages`);
  }
}
