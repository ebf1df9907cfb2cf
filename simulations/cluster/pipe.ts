/** One direction of a connection: everything in the order it was sent, each after its delay; it stands still while the
 *  path is blocked, and breaks when that lasts too long. */
import type { Weather } from './weather.js';

interface Item<T> {
  readonly value: T;
  readonly bytes: number;
  readonly readyMs: number;
}

export interface PipeEnds<T> {
  readonly from: string;
  readonly to: string;
  receive(value: T): void;
  /** The system gave up sending again. */
  timedOut(): void;
}

/** Systems give up on what is not confirmed after some time; between machines of one network soon. */
const patienceMs = { least: 2_000, most: 20_000 };

export class Pipe<T> {
  readonly #weather: Weather;
  readonly #ends: PipeEnds<T>;
  readonly #items: Item<T>[] = [];
  #bytes = 0;
  #cancel: (() => void) | undefined;
  #cancelPatience: (() => void) | undefined;
  #closed = false;

  constructor(weather: Weather, ends: PipeEnds<T>) {
    this.#weather = weather;
    this.#ends = ends;
  }

  /** Under way. */
  get bytes(): number {
    return this.#bytes;
  }

  send(value: T, bytes: number): void {
    if (this.#closed) return;
    const readyMs = this.#weather.line.monotonicMs() + this.#weather.delayMs();
    this.#items.push({ value, bytes, readyMs });
    this.#bytes += bytes;
    if (this.#items.length === 1) this.#arm();
  }

  /** What is under way is lost. */
  close(): void {
    this.#closed = true;
    this.#items.length = 0;
    this.#bytes = 0;
    this.#cancel?.();
    this.#cancelPatience?.();
  }

  #arm(): void {
    const next = this.#items[0];
    if (!next || this.#closed) return;
    const { line } = this.#weather;
    this.#cancel = line.after(next.readyMs - line.monotonicMs(), () => this.#due());
  }

  #due(): void {
    // What opened the path may have closed this first.
    if (this.#closed) return;
    const { from, to } = this.#ends;
    if (this.#weather.isBlocked(from, to)) return this.#stand();
    this.#cancelPatience?.();
    this.#cancelPatience = undefined;
    const item = this.#items.shift()!;
    this.#bytes -= item.bytes;
    this.#arm();
    this.#ends.receive(item.value);
  }

  #stand(): void {
    const { line, random } = this.#weather;
    const { from, to } = this.#ends;
    this.#cancel = this.#weather.whenOpen(from, to, () => this.#due());
    const leftMs = patienceMs.least + random.next() * (patienceMs.most - patienceMs.least);
    this.#cancelPatience ??= line.after(leftMs, () => !this.#closed && this.#ends.timedOut());
  }
}
