/** Virtual time: nothing waits, everything happens in a repeatable order. */
import type { Clock, Timers } from '../../src/engine/ports.js';

interface Event {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** What disks wait with. */
export interface Sleeper {
  sleep(delayMs: number): Promise<void>;
}

/** Its wall clock starts at 2025-01-01T00:00:00Z and may be stepped; its monotonic one starts at 0 and may not. */
export class SimulatedClock implements Clock, Timers {
  #now = 0;
  #order = 0;
  #wallOffsetMs = Date.UTC(2025, 0, 1);
  readonly #events: Event[] = [];
  #soon: (() => void)[] = [];

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#now);
  }

  monotonicMs(): number {
    return this.#now;
  }

  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const event: Event = {
      at: this.#now + Math.max(0, delayMs),
      order: this.#order++,
      callback,
      cancelled: false,
    };
    this.#push(event);
    return () => {
      event.cancelled = true;
    };
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  /** A promise settled after `delayMs` of virtual time. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  get idle(): boolean {
    return this.#soon.length === 0 && this.#events.length === 0;
  }

  /** Runs what is due next; false when nothing is left. */
  step(): boolean {
    if (this.#soon.length > 0) {
      const due = this.#soon;
      this.#soon = [];
      for (const callback of due) callback();
      return true;
    }
    const event = this.#pop();
    if (!event) return false;
    this.#now = Math.max(this.#now, event.at);
    if (!event.cancelled) event.callback();
    return true;
  }

  /** Runs events until `task` settles. Throws StalledError when it waits for something that will never happen, or past
   *  `limitMs` of virtual time. */
  async until<T>(task: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let settled = false;
    const watched = task.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    const end = this.#now + limitMs;
    let quiet = 0;
    while (!settled) {
      await drained();
      if (settled) break;
      quiet = this.step() ? 0 : quiet + 1;
      if (quiet > 3 || this.#now > end) throw new StalledError(this.#now);
    }
    return await watched;
  }

  /** A binary heap by time, then by the order of the calls. */
  #push(event: Event): void {
    const heap = this.#events;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#events;
    const top = heap[0];
    const last = heap.pop();
    if (!top || !last || heap.length === 0) return top;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

/** The run cannot go on: a liveness failure. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
  constructor(atMs: number) {
    super(`nothing more happens at ${atMs} ms of virtual time, and the task is not done`);
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Lets every promise that can settle do so. Node runs what waits for the next tick only once no microtask is left, and
 *  asking for it from a microtask, as here, cannot come before those. It is ten times cheaper than a turn of the event
 *  loop, which is only taken now and then, so that whoever watches the run is heard. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) afterMicrotasks();
  });
}

const waiting: (() => void)[] = [];
let drains = 0;
const drainsATurn = 16_384;

function afterMicrotasks(): void {
  if (++drains % drainsATurn === 0) setImmediate(release);
  else process.nextTick(release);
}

/** One at a time: what it sets going is drained before the next. */
function release(): void {
  waiting.shift()?.();
  if (waiting.length > 0) queueMicrotask(afterMicrotasks);
}
