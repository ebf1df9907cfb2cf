/** Users that want the same names of groups at the same time, at whichever node each of them is; and whose each is in the end. */
import type { Random } from '../../src/base/random.js';
import { type Client, RinglogError, connect } from '../../src/client/index.js';
import { groupsOf } from '../../src/client/people.js';
import type { Principal } from '../../src/engine/api.js';
import { chanceFor, logBetween, pick, shuffled } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import type { SeenGroups } from './record.js';
import type { World } from './world.js';

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

const userToken = /^user ([a-z0-9]+)$/;

/** What nodes of such runs know users by. */
export function userOf(token: string): Principal | undefined {
  const actor = userToken.exec(token)?.[1];
  return actor === undefined ? undefined : { actor, authenticated: true, admin: false };
}

export class GroupClient {
  readonly #world: ClientWorld;
  readonly #plan: GroupPlan;
  readonly #random: Random;
  readonly #client: Client;
  #race = 0;
  #stopped = false;

  constructor(world: ClientWorld, plan: GroupPlan, options: ClientOptions) {
    this.#world = world;
    this.#plan = plan;
    this.#random = options.random;
    const { platform, reconnectMaxMs, urls } = options;
    const token = `user ${plan.name}`;
    this.#client = connect({ url: shuffled(options.random, urls), platform, reconnectMaxMs, token });
    this.#planRace();
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.stop();
    void this.#client.close({ timeoutMs: 0 });
  }

  /** All at the same time, nearly. */
  #planRace(): void {
    const { everyMs } = this.#plan;
    const atMs = ++this.#race * everyMs + this.#random.next() * 20;
    this.#world.line.after(atMs - this.#world.line.monotonicMs(), () => {
      if (this.#stopped) return;
      void this.#make(`race-${this.#race}`);
      this.#planRace();
    });
  }

  /** Once: who is not told what became of it does not know. */
  async #make(group: string): Promise<void> {
    const { name } = this.#plan;
    const race = { group, user: name, outcome: 'unknown' as string };
    this.#world.record.groupRaces.push(race);
    try {
      await groupsOf(this.#client).create(group);
      race.outcome = 'made';
    } catch (error) {
      if (!(error instanceof RinglogError)) return this.#world.broken(error);
      race.outcome = error.code === 'NAME_TAKEN' ? 'taken' : error.outcome;
    }
    this.#world.trace.add(`${name} ${group}: ${race.outcome}`);
  }
}

const administrator: Principal = { actor: 'admin', authenticated: true, admin: true };

/** Whose each group is, as every member of the ring says that is up. */
export async function groupsNow(world: World): Promise<SeenGroups> {
  const names = [...new Set(world.record.groupRaces.map(({ group }) => group))];
  const seen: Map<string, ReadonlyMap<string, string>> = new Map();
  for (const { name: node, engine, state } of world.members()) {
    if (state !== 'up' || !engine) continue;
    const owners = new Map<string, string>();
    for (const group of names) owners.set(group, await ownerAt(world, engine, group));
    seen.set(node, owners);
  }
  return seen;
}

type Engine = NonNullable<World['nodes'][number]['engine']>;

/** Empty where there is no such group. */
async function ownerAt(world: World, engine: Engine, group: string): Promise<string> {
  const endMs = world.nowMs() + knownMs;
  for (;;) {
    const asked = engine.people(administrator, 'default', 'groups/members', { group }, '');
    const answer = await world.until(asked);
    if (answer.ok) return (answer.value['members'] as readonly { user: string }[])[0]!.user;
    if (answer.error.code === 'NOT_FOUND') return '';
    if (world.nowMs() >= endMs) return answer.error.code;
    await world.pass(100);
  }
}

/** A node that has just started reads them first. */
const knownMs = 10_000;
