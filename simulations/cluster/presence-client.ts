/** Applications that come to a channel and go, say something else of themselves, and keep a list of who is there; and what
 *  every node and every list says in the end, beside what is true. */
import type { Random } from '../../src/base/random.js';
import { type Client, type Subscription, connect } from '../../src/client/index.js';
import { type ChannelPresence, presenceOf } from '../../src/client/presence.js';
import type { Principal } from '../../src/engine/api.js';
import { chanceFor, logBetween, pick, shuffled } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { answerOf, lastLook } from './coming-together.js';
import { atRandomTimes } from './lives.js';
import type { SeenPresence } from './record.js';
import type { World } from './world.js';

/** Its rules keep presence. */
export const seenChannel = 'seen:1';

export interface PresencePlan {
  readonly name: string;
  readonly movesPerMinute: number;
}

/** In few runs. */
export function drawPresences(seed: number): PresencePlan[] {
  const random = chanceFor(seed, 'presences');
  if (random.next() < 0.7) return [];
  const movesPerMinute = logBetween(random, 1, 60);
  return Array.from({ length: pick(random, [2, 4, 6]) }, (_, i) => ({ name: `s${i + 1}`, movesPerMinute }));
}

export class PresenceClient {
  readonly plan: PresencePlan;
  readonly #world: ClientWorld;
  readonly #options: ClientOptions;
  readonly #random: Random;
  #client: Client;
  #list: ChannelPresence;
  #subscription: Subscription | undefined;
  #said = 0;
  #stopped = false;

  constructor(world: ClientWorld, plan: PresencePlan, options: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#options = options;
    this.#random = options.random;
    this.#client = this.#connect();
    this.#list = presenceOf(this.#client).follow(seenChannel);
    this.#come();
    const perSecond = plan.movesPerMinute / 60;
    atRandomTimes(
      world.line,
      this.#random,
      perSecond,
      () => this.#move(),
      () => this.#stopped,
    );
  }

  /** It stays where it is. */
  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.stop();
    void this.#client.close({ timeoutMs: 0 });
  }

  get isClosed(): boolean {
    return this.#client.state === 'closed';
  }

  get isConnected(): boolean {
    return this.#client.state === 'open';
  }

  /** As others are to see it; `undefined` where it is not in the channel, or not yet. */
  get present(): string | undefined {
    if (this.#client.state !== 'open' || this.#subscription?.state !== 'live') return undefined;
    return lineOf(this.#client.session!.sessionId, this.#said);
  }

  /** It means to be, and is not yet. */
  get isComing(): boolean {
    return this.#subscription !== undefined && this.present === undefined;
  }

  get list(): readonly string[] {
    return [...this.#list.members.values()].map(({ session, metadata }) => lineOf(session, metadata));
  }

  #connect(): Client {
    const { platform, reconnectMaxMs, urls } = this.#options;
    return connect({ url: shuffled(this.#random, urls), platform, reconnectMaxMs });
  }

  #move(): void {
    const subscription = this.#subscription;
    if (!subscription) return this.#come();
    switch (pick(this.#random, ['go', 'say', 'say', 'change'])) {
      case 'go':
        this.#subscription = undefined;
        this.#world.trace.add(`${this.plan.name} goes`);
        return subscription.close();
      case 'say':
        this.#said++;
        this.#world.trace.add(`${this.plan.name} says ${this.#said}`);
        // What cannot be said now is said when it comes back.
        presenceOf(this.#client)
          .update(seenChannel, this.#said)
          .catch(() => undefined);
        return;
      default:
        void this.#client.close({ timeoutMs: 0 });
        this.#world.trace.add(`${this.plan.name} is another`);
        this.#client = this.#connect();
        this.#list = presenceOf(this.#client).follow(seenChannel);
        this.#come();
    }
  }

  #come(): void {
    this.#said++;
    this.#world.trace.add(`${this.plan.name} comes`);
    this.#subscription = this.#client.subscribe(seenChannel, { presence: this.#said });
  }
}

const lineOf = (session: string, said: unknown): string => `${session} ${JSON.stringify(said)}`;
const nobody: Principal = { actor: '', authenticated: false, admin: false };

/** As it is now, and as it is said to be: by every member of the ring that is up, and by every list. */
export async function presenceNow(world: World, clients: readonly PresenceClient[]): Promise<SeenPresence> {
  const expected = clients.flatMap(({ present }) => present ?? []).sort();
  const seen = new Map<string, readonly string[]>();
  for (const node of world.members()) {
    if (node.state !== 'up') continue;
    const page = await answerOf(world, node, (engine) => engine.presence(nobody, 'default', seenChannel, {}));
    const lines = page.ok
      ? page.value.members.map(({ session, metadata }) => lineOf(session, JSON.parse(metadata ?? 'null')))
      : [page.error.code];
    seen.set(node.name, lines.sort());
  }
  // Without a connection a list is what it was.
  for (const { plan, list, isConnected } of clients) if (isConnected) seen.set(plan.name, [...list].sort());
  return { expected, seen };
}

export function isExact({ expected, seen }: SeenPresence): boolean {
  return [...seen.values()].every((lines) => lines.join() === expected.join());
}

/** Looks until it is exact, or for so long; what was seen then. `away`: those that have no node to connect to. */
export async function presenceWithin(
  world: World,
  clients: readonly PresenceClient[],
  withinMs: number,
  away: readonly PresenceClient[] = [],
): Promise<SeenPresence> {
  const isAll = () => clients.every((client) => !client.isComing || away.includes(client));
  return await lastLook(
    world,
    withinMs,
    () => presenceNow(world, clients),
    (seen) => isAll() && isExact(seen),
  );
}
