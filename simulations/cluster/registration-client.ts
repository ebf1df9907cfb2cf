/** People that want the same names at the same time, at whichever node each of them is. */
import type { Random } from '../../src/base/random.js';
import { type Client, RinglogError, connect } from '../../src/client/index.js';
import { peopleOf } from '../../src/client/people.js';
import { chanceFor, pick, shuffled } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { credentialsOf } from './credentials.js';
import type { NameRace } from './names-record.js';
import { peopledHub } from './places.js';
import type { World } from './world.js';

export interface RegistrationPlan {
  /** Of the person. */
  readonly name: string;
  /** Between two races. */
  readonly everyMs: number;
}

/** In few runs, and few names: in the end everybody tries to log in by each, at every node. */
export function drawRegistrations(seed: number, lengthMs: number): RegistrationPlan[] {
  const random = chanceFor(seed, 'registrations');
  if (random.next() < 0.8) return [];
  const everyMs = lengthMs / pick(random, [2, 4, 7]);
  return Array.from({ length: pick(random, [2, 3, 4]) }, (_, i) => ({ name: `v${i + 1}`, everyMs }));
}

export class RegistrationClient {
  readonly plan: RegistrationPlan;
  readonly #world: ClientWorld;
  readonly #random: Random;
  readonly #client: Client;
  #race = 0;
  #open = 0;
  #stopped = false;

  constructor(world: ClientWorld, plan: RegistrationPlan, options: ClientOptions) {
    this.#world = world;
    this.plan = plan;
    this.#random = options.random;
    const { platform, reconnectMaxMs, urls } = options;
    const url = shuffled(options.random, urls);
    this.#client = connect({ url, hub: peopledHub, platform, reconnectMaxMs });
    this.#planRace();
  }

  /** Everything that it wanted has been answered. */
  get isSettled(): boolean {
    return this.#open === 0;
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.stop();
    void this.#client.close({ timeoutMs: 0 });
  }

  /** All at the same time, nearly: the first one soon. */
  #planRace(): void {
    const atMs = firstMs + this.#race++ * this.plan.everyMs + this.#random.next() * 20;
    this.#world.line.after(atMs - this.#world.line.monotonicMs(), () => {
      if (this.#stopped) return;
      void this.#register(`name-${this.#race}`);
      this.#planRace();
    });
  }

  /** Once: who is not told what became of it does not know. */
  async #register(name: string): Promise<void> {
    const by = this.plan.name;
    const race: NameRace = { name, by, outcome: 'unknown' };
    this.#world.record.names.races.push(race);
    this.#open++;
    try {
      await peopleOf(this.#client).register(credentialsOf(by).registration(name));
      race.outcome = 'made';
    } catch (error) {
      if (!(error instanceof RinglogError)) return this.#world.broken(error);
      race.outcome = error.code === 'NAME_TAKEN' ? 'taken' : error.outcome;
    } finally {
      this.#open--;
    }
    this.#world.trace.tell(`${by} ${name}: ${race.outcome}`);
  }
}

const firstMs = 3_000;
const againMs = 300;

/** Gives the hub its directory, as soon as a node takes that. */
export function foundDirectory(world: World): void {
  const random = chanceFor(world.seed, peopledHub);
  const value = { type: 'directory', registration: true };
  const put = { type: 'put', section: 'providers', name: 'people', value } as const;
  let isThere = false;
  const found = (): void => {
    if (isThere) return;
    world.line.after(againMs, found);
    const up = world.members().filter(({ state }) => state === 'up');
    if (up.length === 0) return;
    const { engine, life } = pick(random, up);
    life!.run(() => {
      void engine!.changeSettings(peopledHub, put, 'root').then(
        ({ ok }) => (isThere ||= ok),
        (error: unknown) => world.broken(error),
      );
    });
  };
  found();
}
