/** Services that create notifications through the SDK, and people who mark them as read; and what every node, and everybody who
 *  follows, says is unread in the end. */
import { type Client, RinglogError, connect } from '../../src/client/index.js';
import { utf8Text } from '../../src/base/bytes.js';
import { dotText } from '../../src/base/ids.js';
import { NotificationChannel, notify } from '../../src/client/notifications.js';
import type { Published } from '../../src/client/published.js';
import type { Random } from '../../src/base/random.js';
import type { Principal } from '../../src/engine/api.js';
import { chanceFor, logBetween, pick } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { answerOf, lastLook } from './coming-together.js';
import { Lives } from './lives.js';
import type { SimulatedNode } from './node.js';
import type { SeenNotice, SeenNotifications } from './record.js';
import { serviceToken, type World } from './world.js';

export const noticesChannel = 'notification:1';

export interface NotificationPlan {
  readonly name: string;
  /** Creates them; others read. */
  readonly isService: boolean;
  readonly movesPerMinute: number;
  readonly timeoutMs: number;
  /** How often it gives up its client and opens the channel anew. */
  readonly restartsPerMinute: number;
}

/** Of all clients in one run, in the mean. */
const movesMax = 300;
/** Of those it knows somebody marks at most so many at once. */
const readAtOnceMax = 5;
const lastExpiresMs = 1_000;
/** Until an entry says that something has expired. */
const expiryLagMs = 5_000;

/** In few runs. */
export function drawNotifications(seed: number, lengthMs: number): NotificationPlan[] {
  const random = chanceFor(seed, 'notifications');
  if (random.next() < 0.8) return [];
  const count = pick(random, [2, 3, 4]);
  const most = (movesMax * 60_000) / lengthMs / count;
  const shared = {
    movesPerMinute: logBetween(random, most / 30, most),
    timeoutMs: pick(random, [2_000, 20_000, 120_000]),
    restartsPerMinute: pick(random, [0, 0, 1, 6]),
  };
  return Array.from({ length: count }, (_, i) => ({ name: `i${i + 1}`, isService: i === 0, ...shared }));
}

export class NotificationClient {
  readonly plan: NotificationPlan;
  readonly #world: ClientWorld;
  readonly #options: ClientOptions;
  readonly #random: Random;
  readonly #lives: Lives;
  #channel: NotificationChannel | undefined;
  /** That it was shown, not marked by itself since. */
  readonly #known = new Set<string>();
  #open = 0;

  constructor(world: ClientWorld, plan: NotificationPlan, options: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#options = options;
    this.#random = options.random;
    this.#lives = new Lives({
      line: world.line,
      random: options.random,
      actsPerSecond: plan.movesPerMinute / 60,
      restartsPerMinute: plan.restartsPerMinute,
      connect: () => this.#connect(),
      begin: (client, isOver) => this.#begin(client, isOver),
      act: () => this.move(),
    });
    this.#lives.start();
  }

  /** Does nothing more by itself. */
  stop(): void {
    this.#lives.stop();
  }

  close(): void {
    this.#lives.close();
  }

  /** It follows the channel, and has the answer to all it did. */
  get isSettled(): boolean {
    return this.#channel !== undefined && this.#open === 0;
  }

  get count(): string {
    return this.#channel ? countOf(this.#channel) : 'nothing';
  }

  #connect(): Client {
    const { urls: url, platform, reconnectMaxMs } = this.#options;
    const { isService, timeoutMs } = this.plan;
    const rights = isService ? { token: serviceToken } : {};
    return connect({ url, platform, reconnectMaxMs, publishTimeoutMs: timeoutMs, ...rights });
  }

  #begin(client: Client, isOver: () => boolean): void {
    this.#channel = undefined;
    const failed = (error: unknown): void => {
      if (!isOver()) this.#world.broken(error);
    };
    const on = { notification: ({ id }: { id: string }) => void this.#known.add(id), error: failed };
    NotificationChannel.open(client, noticesChannel, { on }).then((channel) => {
      if (this.#lives.client === client) this.#channel = channel;
    }, failed);
  }

  /** One more, or what it knows of is read. */
  move(): void {
    if (this.plan.isService) this.notify(this.#expiresAt());
    else if (this.#random.next() < 0.8) this.#readSome();
    else this.readAll();
  }

  /** The last one of a service soon expires, and the last of others is as any. */
  moveLast(): void {
    if (this.plan.isService) this.notify(this.#options.platform.unixMs() + lastExpiresMs);
    else this.move();
  }

  #expiresAt(): number | undefined {
    const expiresAt = this.#options.platform.unixMs() + Math.ceil(logBetween(this.#random, 2_000, 200_000));
    return this.#random.next() < 0.3 ? expiresAt : undefined;
  }

  notify(expiresAt: number | undefined): void {
    const { record, trace } = this.#world;
    const notice: SeenNotice = { id: record.notices.length + 1, outcome: 'open' };
    record.notices.push(notice);
    trace.add(`${this.plan.name} creates ${notice.id}`);
    const said = { title: `${notice.id}`, ...(expiresAt === undefined ? {} : { expiresAt }) };
    this.#answered(notify(this.#lives.client, noticesChannel, said), (outcome, entry) => {
      notice.outcome = outcome;
      notice.entry = entry;
    });
  }

  #readSome(): void {
    const ids = [...this.#known].slice(0, readAtOnceMax);
    if (ids.length === 0 || !this.#channel) return;
    for (const id of ids) this.#known.delete(id);
    this.#world.trace.add(`${this.plan.name} reads ${ids.join(' ')}`);
    this.#answered(this.#channel.read(ids), (outcome) => {
      if (outcome !== 'acked') return;
      for (const id of ids) this.#world.record.read.add(id);
    });
  }

  readAll(): void {
    if (!this.#channel) return;
    const until = this.#options.platform.unixMs();
    this.#world.trace.add(`${this.plan.name} reads all until ${until}`);
    this.#answered(this.#channel.readUntil(until), () => undefined);
  }

  #answered(
    published: Promise<Published>,
    then: (outcome: SeenNotice['outcome'], entry?: string) => void,
  ): void {
    this.#open++;
    published
      .then(
        ({ level, id }) => then(level === 'quorum' ? 'acked' : 'indeterminate', id),
        (error: unknown) => {
          if (error instanceof RinglogError) return then(error.outcome);
          this.#world.broken(error);
        },
      )
      .finally(() => this.#open--);
  }
}

const countOf = ({ unread, total }: { unread: number; total: number }): string => `${unread} of ${total}`;
const anonymous: Principal = { actor: '', authenticated: false, admin: false };

/** As every member of the ring that is up has them, and how many are unread as everybody who follows was told. */
export async function notificationsNow(
  world: World,
  clients: readonly NotificationClient[],
): Promise<SeenNotifications> {
  const nodes = new Map<string, string>();
  let listed = new Map<string, string>();
  let overdue: readonly string[] = [];
  let count = '';
  const up = world.members().filter(({ state }) => state === 'up');
  const passedMs = Math.min(...up.map(({ machine }) => machine.wallMs())) - expiryLagMs;
  for (const node of up) {
    const found = await listAt(world, node, passedMs);
    nodes.set(node.name, found.what);
    if (found.listed) ({ listed, overdue, count } = found);
  }
  return {
    nodes,
    clients: new Map(clients.map((client) => [client.plan.name, client.count])),
    count,
    listed,
    // Where nobody follows the channel nobody says that time has passed.
    overdue: clients.length > 0 ? overdue : [],
  };
}

/** All of them, page by page; `overdue` are those that had expired at that time and are not said to. */
async function listAt(world: World, node: SimulatedNode, passedMs: number) {
  const listed = new Map<string, string>();
  const overdue: string[] = [];
  let count = '';
  let cursor: Uint8Array | undefined;
  for (let more = true; more;) {
    const from = cursor === undefined ? {} : { cursor };
    const request = { type: 'notifications', channel: noticesChannel, unread: false, forward: true } as const;
    const page = await answerOf(world, node, (engine) =>
      engine.notifications(anonymous, 'default', { ...request, ...from }),
    );
    if (!page.ok) return { what: page.error.code };
    for (const { dot, state, value } of page.value.notifications) {
      const { title, expiresAt = Infinity } = JSON.parse(utf8Text(value)) as NoticeJson;
      listed.set(dotText(dot), `${title} ${state}`);
      if (expiresAt < passedMs && state !== 'expired') overdue.push(dotText(dot));
    }
    count = countOf(page.value.info);
    ({ cursor, more } = page.value);
  }
  return { what: `${count}: ${[...listed].join('; ')}`, listed, overdue, count };
}

interface NoticeJson {
  readonly title: string;
  readonly expiresAt?: number;
}

/** One more of each, and time for that to expire, then looks until all have the same, or for so long; what was seen then. */
export async function notificationsWithin(
  world: World,
  clients: readonly NotificationClient[],
  withinMs: number,
): Promise<SeenNotifications> {
  const isSettled = () => clients.every((client) => client.isSettled);
  await world.becomes(isSettled, withinMs);
  for (const client of clients) client.moveLast();
  await world.becomes(isSettled, withinMs);
  if (clients.length > 0) await world.pass(lastExpiresMs + 2 * expiryLagMs);
  return await lastLook(world, withinMs, () => notificationsNow(world, clients), isOne);
}

function isOne({ nodes, clients, count, overdue }: SeenNotifications): boolean {
  if (overdue.length > 0) return false;
  return new Set(nodes.values()).size === 1 && [...clients.values()].every((told) => told === count);
}
