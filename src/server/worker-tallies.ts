/** Tries to log in, and what is good once, counted by the node for all the processes that serve its clients: these ask it. */
import { type Attempt, OwnTallies, type Tallies, type Used } from '../engine/people/tallies.js';
import { systemClock } from './system-ports.js';

type Calls = { readonly [K in keyof Tallies]: readonly [call: K, ...asked: Parameters<Tallies[K]>] };
type Call = Calls[keyof Tallies];

/** Of a worker; without an id nothing is answered. */
export interface TallyAsked {
  readonly type: 'tally';
  readonly id?: number;
  readonly call: Call;
}

export interface TallyAnswer {
  readonly type: 'tally';
  readonly id: number;
  readonly answer: Attempt | Used;
}

/** The node is on the same machine and does nothing else for long; where it does not answer a worker counts by itself. */
const answerMs = 2_000;

export class WorkerTallies implements Tallies {
  readonly #own = new OwnTallies(systemClock);
  readonly #asked = new Map<number, (answer: Attempt | Used) => void>();
  #lastId = 0;

  constructor(readonly send: (message: TallyAsked) => void) {}

  received({ id, answer }: TallyAnswer): void {
    this.#asked.get(id)?.(answer);
  }

  attempt(...asked: Parameters<Tallies['attempt']>): Promise<Attempt> {
    return this.#ask(['attempt', ...asked], () => this.#own.attempt(...asked));
  }

  use(...asked: Parameters<Tallies['use']>): Promise<Used> {
    return this.#ask(['use', ...asked], () => this.#own.use(...asked));
  }

  giveBack(...asked: Parameters<Tallies['giveBack']>): void {
    this.#own.giveBack(...asked);
    this.send({ type: 'tally', call: ['giveBack', ...asked] });
  }

  succeeded(...asked: Parameters<Tallies['succeeded']>): void {
    this.#own.succeeded(...asked);
    this.send({ type: 'tally', call: ['succeeded', ...asked] });
  }

  #ask<T extends Attempt | Used>(call: Call, byItself: () => T): Promise<T> {
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      const late = setTimeout(() => settle(byItself()), answerMs).unref();
      const settle = (answer: T): void => {
        clearTimeout(late);
        this.#asked.delete(id);
        resolve(answer);
      };
      this.#asked.set(id, (answer) => settle(answer as T));
      this.send({ type: 'tally', id, call });
    });
  }
}

/** What the node makes of it. */
export function tallied(tallies: OwnTallies, { id, call }: TallyAsked): TallyAnswer | undefined {
  const answer = answerTo(tallies, call);
  return id === undefined ? undefined : { type: 'tally', id, answer };
}

function answerTo(tallies: OwnTallies, call: Call): Attempt | Used {
  switch (call[0]) {
    case 'attempt':
      return tallies.attempt(call[1], call[2]);
    case 'use':
      return tallies.use(call[1], call[2], call[3]);
    case 'giveBack':
      tallies.giveBack(call[1]);
      return undefined;
    case 'succeeded':
      tallies.succeeded(call[1], call[2]);
      return undefined;
  }
}
