/** One machine on the common time line: its wall clock, its pauses, and the processes that come and go on it. */
import type { Clock, Timers } from '../../src/engine/ports.js';
import type { SimulatedClock, Sleeper } from './clock.js';

/** Whatever happens on a machine goes through `run`: while it is paused it is held, and then comes all at once. */
export class Machine implements Sleeper {
  readonly line: SimulatedClock;
  #wallBaseMs: number;
  #baseAt = 0;
  #rate = 1;
  #held: (() => void)[] | undefined;
  /** Since when its main threads are stuck, while others run. */
  #stuckAt: number | undefined;

  constructor(line: SimulatedClock, skewMs = 0) {
    this.line = line;
    this.#wallBaseMs = line.wallMs() + skewMs;
    this.#baseAt = line.monotonicMs();
  }

  get paused(): boolean {
    return this.#held !== undefined;
  }

  wallMs(): number {
    return Math.floor(this.#wallBaseMs + (this.line.monotonicMs() - this.#baseAt) * this.#rate);
  }

  stepWall(byMs: number): void {
    this.#wallBaseMs += byMs;
  }

  /** 1 is right; the monotonic clock stays so. */
  setRate(rate: number): void {
    const now = this.line.monotonicMs();
    this.#wallBaseMs += (now - this.#baseAt) * this.#rate;
    this.#baseAt = now;
    this.#rate = rate;
  }

  /** As the rest of the world has it. */
  setWallRight(): void {
    this.#rate = 1;
    this.#baseAt = this.line.monotonicMs();
    this.#wallBaseMs = this.line.wallMs();
  }

  pause(): void {
    this.#held ??= [];
  }

  /** What runs on it stands still in its main thread; threads beside that go on. */
  stick(): void {
    this.pause();
    this.#stuckAt = this.line.monotonicMs();
  }

  /** How long ago main threads ran, as a thread beside them says; nothing does while all stands still. */
  pulseMs(): number | undefined {
    if (!this.#held) return 0;
    return this.#stuckAt === undefined ? undefined : this.line.monotonicMs() - this.#stuckAt;
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#stuckAt = undefined;
    for (const callback of held) this.line.after(0, () => this.run(callback));
  }

  run(callback: () => void): void {
    if (this.#held) this.#held.push(callback);
    else callback();
  }

  after(delayMs: number, callback: () => void): () => void {
    let cancelled = false;
    const cancel = this.line.after(delayMs, () => this.run(() => cancelled || callback()));
    return () => {
      cancelled = true;
      cancel();
    };
  }

  soon(callback: () => void): void {
    this.line.soon(() => this.run(callback));
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }
}

/** What Node makes of a delay: whole milliseconds, at least one. */
export function timerMs(delayMs: number): number {
  return Math.max(1, Math.trunc(delayMs));
}

/** One process: once it is over, nothing it has set going happens any more. */
export class Life implements Clock, Timers {
  readonly #machine: Machine;
  readonly #bornMs: number;
  readonly #over: Promise<undefined>;
  #end!: (value: undefined) => void;
  #alive = true;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#bornMs = machine.line.monotonicMs();
    this.#over = new Promise((resolve) => (this.#end = resolve));
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Its machine stands still. */
  get isHeld(): boolean {
    return this.#machine.paused;
  }

  end(): void {
    this.#alive = false;
    this.#end(undefined);
  }

  /** What comes of something it is asked for; `undefined` where it ends first, since nothing comes of it then. */
  async answered<T>(asked: Promise<T>): Promise<T | undefined> {
    return await Promise.race([asked, this.#over]);
  }

  wallMs(): number {
    return this.#machine.wallMs();
  }

  /** Its zero is the start of the process, as Node has it. */
  monotonicMs(): number {
    return this.#machine.line.monotonicMs() - this.#bornMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#machine.after(timerMs(delayMs), () => this.#alive && callback());
  }

  soon(callback: () => void): void {
    this.#machine.soon(() => this.#alive && callback());
  }

  /** As a thread beside its main one says. */
  pulseMs(): number | undefined {
    return this.#alive ? this.#machine.pulseMs() : undefined;
  }

  /** Something that comes from outside. */
  run(callback: () => void): void {
    this.#machine.run(() => this.#alive && callback());
  }
}
