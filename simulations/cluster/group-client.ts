/** Users that want the same names of groups at the same time, at whichever node each of them is. */
import type { Random } from '../../src/base/random.js';
import { type Client, RinglogError, connect } from '../../src/client/index.js';
import { groupsOf } from '../../src/client/people.js';
import { chanceFor, logBetween, pick, shuffled } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { tokenOf } from './users.js';

export interface GroupPlan {
  /** Of the user. */
  readonly name: string;
  /** Between two races. */
  readonly everyMs: number;
}

/** In few runs. */
export function drawGroups(seed: number): GroupPlan[] {
  const random = chanceFor(seed, 'groups');
  if (random.next() < 0.8) return [];
  const everyMs = logBetween(random, 500, 10_000);
  return Array.from({ length: pick(random, [2, 3, 5]) }, (_, i) => ({ name: `g${i + 1}`, everyMs }));
}

export class GroupClient {
  readonly plan: GroupPlan;
  readonly #world: ClientWorld;
  readonly #random: Random;
  readonly #client: Client;
  #race = 0;
  #open = 0;
  #stopped = false;

  constructor(world: ClientWorld, plan: GroupPlan, options: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#random = options.random;
    const { platform, reconnectMaxMs, urls } = options;
    const token = tokenOf(plan.name);
    this.#client = connect({ url: shuffled(options.random, urls), platform, reconnectMaxMs, token });
    this.#planRace();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** It has the answer to all it asked. */
  get isSettled(): boolean {
    return this.#open === 0;
  }

  close(): void {
    this.stop();
    void this.#client.close({ timeoutMs: 0 });
  }

  /** All at the same time, nearly. */
  #planRace(): void {
    const { everyMs } = this.plan;
    const atMs = ++this.#race * everyMs + this.#random.next() * 20;
    this.#world.line.after(atMs - this.#world.line.monotonicMs(), () => {
      if (this.#stopped) return;
      void this.#make(`race-${this.#race}`);
      this.#planRace();
    });
  }

  /** Once: who is not told what became of it does not know. */
  async #make(group: string): Promise<void> {
    const { name } = this.plan;
    const race = { group, user: name, outcome: 'unknown' as string };
    this.#world.record.groupRaces.push(race);
    this.#open++;
    try {
      await groupsOf(this.#client).create(group);
      race.outcome = 'made';
    } catch (error) {
      if (!(error instanceof RinglogError)) return this.#world.broken(error);
      race.outcome = error.code === 'NAME_TAKEN' ? 'taken' : error.outcome;
    }
    this.#open--;
    this.#world.trace.add(`${name} ${group}: ${race.outcome}`);
  }
}
