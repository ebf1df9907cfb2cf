/** The lives of a simulated application, each with a client of its own: it does something at random times, and now and then gives up
 *  its client and begins anew. */
import type { Random } from '../../src/base/random.js';
import type { Client } from '../../src/client/index.js';
import type { SimulatedClock } from '../world/clock.js';
import { interval } from './chance.js';

/** Acts so often in the mean, until it is over; 0: never. */
export function atRandomTimes(
  line: SimulatedClock,
  random: Random,
  perSecond: number,
  act: () => void,
  isOver: () => boolean,
): void {
  if (perSecond === 0) return;
  line.after(interval(random, perSecond), () => {
    if (isOver()) return;
    act();
    atRandomTimes(line, random, perSecond, act, isOver);
  });
}

export interface LivesOptions {
  readonly line: SimulatedClock;
  readonly random: Random;
  readonly actsPerSecond: number;
  readonly restartsPerMinute: number;
  connect(): Client;
  /** Something is to be opened with the new client; `isOver` once that is not the application's any more. */
  begin?(client: Client, isOver: () => boolean): void;
  act(): void;
}

export class Lives {
  readonly #options: LivesOptions;
  #client: Client | undefined;
  #number = 0;
  #isStopped = false;

  constructor(options: LivesOptions) {
    this.#options = options;
  }

  /** Once: whoever has these is complete by then. */
  start(): void {
    const { line, random, actsPerSecond, restartsPerMinute } = this.#options;
    const isOver = (): boolean => this.#isStopped;
    this.#begin();
    atRandomTimes(line, random, actsPerSecond, () => this.#options.act(), isOver);
    atRandomTimes(line, random, restartsPerMinute / 60, () => this.#again(), isOver);
  }

  /** The one that is lived now, from 1. */
  get number(): number {
    return this.#number;
  }

  get client(): Client {
    return this.#client!;
  }

  /** It does nothing more by itself. */
  stop(): void {
    this.#isStopped = true;
  }

  close(): void {
    this.stop();
    void this.client.close({ timeoutMs: 0 });
  }

  #again(): void {
    void this.client.close({ timeoutMs: 0 });
    this.#begin();
  }

  #begin(): void {
    const number = ++this.#number;
    this.#client = this.#options.connect();
    this.#options.begin?.(this.#client, () => number !== this.#number || this.#isStopped);
  }
}
