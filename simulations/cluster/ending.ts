/** How a run ends: everything is healed, and all must come together; then all nodes stop, the disks are looked at, and all
 *  start again and must read out what lies there. */
import { check } from './checkers/index.js';
import { type ChannelOrder, orderOf } from './checkers/channel-order.js';
import type { Evidence } from './checkers/evidence.js';
import { type StoreLog, readStoreLog, untrimmed } from './checkers/store-log.js';
import { type DocumentClient, documentWithin, saidOf, sharedChannel, voidsOf } from './document-client.js';
import { foldedFromLog } from './document-fold.js';
import type { GroupClient } from './group-client.js';
import { groupsWithin } from './group-owners.js';
import { keysLeftWithin } from './keys-left.js';
import { namesWithin } from './name-owners.js';
import { type NotificationClient, noticesChannel, notificationsWithin } from './notification-client.js';
import { noticesFromLog } from './notification-fold.js';
import { type PresenceClient, presenceWithin } from './presence-client.js';
import { Publisher } from './publisher.js';
import { ReaderClient } from './reader.js';
import type { RegistrationClient } from './registration-client.js';
import type { RestoreClient } from './restore-client.js';
import type { Finding, Publish, Reader } from './record.js';
import { type SettingsClients, settingsInTheEnd, settingsWithin } from './settings-look.js';
import type { World } from './world.js';
import { isElsewhere, placeOf } from './places.js';

export interface EndingPlan {
  readonly channels: readonly string[];
  readonly reconnectMaxMs: number;
  /** Names of checkers that are left out. */
  readonly checkersOff?: ReadonlySet<string> | undefined;
}

/** Those of one run. */
export interface Clients {
  readonly publishers: readonly { stop(): void; close(): void }[];
  readonly readers: readonly ReaderClient[];
  readonly presences?: readonly PresenceClient[];
  readonly documents?: readonly DocumentClient[];
  readonly notifications?: readonly NotificationClient[];
  readonly groups?: readonly GroupClient[];
  readonly registrations?: readonly RegistrationClient[];
  readonly restores?: readonly RestoreClient[];
  readonly settings?: SettingsClients;
}

type Folding = Required<Pick<Clients, 'presences' | 'documents' | 'notifications' | 'groups'>>;

/** Liveness, each by the name under which it can be left out. */
export const livenessCheckers = [
  'I25 nodes come up',
  'I25 publishes are answered',
  'I25 publishes are acked',
  'I25 readers catch up',
  'I25 time goes on',
  'I25 the ring comes to rest',
] as const;
export type LivenessChecker = (typeof livenessCheckers)[number];

/** After the last fault, of which restarts and retries of clients are a part. */
const convergenceMs = 60_000;
const canaryMs = 10_000;
const ringMs = 120_000;
/** A node tries again every 30 s. */
const orphansMs = 90_000;
const restMs = 3_000;

export class Ending {
  readonly #world: World;
  readonly #plan: EndingPlan;
  /** Channels that are looked at in the end: those of the plan, and of what else was done. */
  #channels: readonly string[];
  #evidence: Evidence | undefined;

  constructor(world: World, plan: EndingPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#channels = plan.channels;
  }

  /** To be called once nothing goes wrong any more. No client is left open behind it. */
  async all(clients: Clients): Promise<void> {
    const { publishers, readers, presences = [], documents = [], notifications = [] } = clients;
    const {
      groups = [],
      registrations = [],
      restores = [],
      settings = { operators: [], gates: [] },
    } = clients;
    const writing = [...publishers, ...documents, ...notifications, ...groups, ...registrations];
    const world = this.#world;
    world.keepAll();
    const isRestoring = restores.length > 0 || readers.some(({ plan }) => plan.isRestored === true);
    this.#channels = [
      ...this.#channels,
      ...(documents.length > 0 ? [sharedChannel] : []),
      ...(notifications.length > 0 ? [noticesChannel] : []),
      ...(isRestoring ? ['$sessions'] : []),
    ];
    for (const client of [...writing, ...presences, ...restores, ...settings.operators, ...settings.gates])
      client.stop();
    const isUp = await this.#comeUp();
    await this.#answered();
    await this.#ringRests();
    // Who begins live gets what comes after that, and must have begun.
    await world.becomes(() => readers.flatMap(({ places }) => places).every(isSubscribed), convergenceMs);
    const canaries = isUp ? await this.#sendCanaries() : [];
    const fresh = this.#readAll('final');
    await this.#catchUp([...readers, ...fresh], canaries);
    if (isUp) await this.#restoreAll(restores);
    await world.becomes(() => this.#areOrphansHome(), orphansMs);
    if (isUp) await this.#lookAtFolds({ presences, documents, notifications, groups });
    if (isUp) await this.#lookAtHubs(settings, registrations);
    // Whether they are by then is for a checker to say.
    await world.becomes(this.#restsEqual(), convergenceMs);
    for (const client of [...writing, ...readers, ...presences, ...restores, ...fresh]) client.close();
    await this.#stop();
    this.#evidence = this.#look(await this.#digests());
    if (world.record.findings.length === 0 && isUp) await this.#restart(canaries);
  }

  async #lookAtFolds({ presences, documents, notifications, groups }: Folding): Promise<void> {
    const world = this.#world;
    const { record } = world;
    if (documents.length > 0) {
      const seen = await documentWithin(world, documents, convergenceMs);
      const folded = await foldedFromLog(world, saidOf);
      record.documents.push({ ...seen, voids: await voidsOf(world), folded });
    }
    if (notifications.length > 0) {
      const seen = await notificationsWithin(world, notifications, convergenceMs);
      record.notifications.push({ ...seen, folded: await noticesFromLog(world) });
    }
    if (groups.length > 0) record.groups.push(await groupsWithin(world, groups, convergenceMs));
    const waiting = [...documents, ...notifications, ...groups].find((client) => !client.isSettled);
    if (waiting) this.stuck('I25 publishes are answered', `${waiting.plan.name} never got an answer`);
    if (presences.length > 0) record.presences.push(await presenceWithin(world, presences, convergenceMs));
  }

  async #lookAtHubs(settings: SettingsClients, people: readonly RegistrationClient[]): Promise<void> {
    const { names } = this.#world.record;
    // A name may be somebody's only then.
    await this.#world.becomes(() => people.every(({ isSettled }) => isSettled), convergenceMs);
    const waiting = people.find(({ isSettled }) => !isSettled);
    if (waiting) this.stuck('I25 publishes are answered', `${waiting.plan.name} never got an answer`);
    if (names.races.length > 0) {
      names.looks.push(await namesWithin(this.#world, convergenceMs));
      names.keysLeft = await keysLeftWithin(this.#world, convergenceMs);
    }
    if (settings.gates.length > 0) await settingsInTheEnd(this.#world, settings, convergenceMs);
  }

  /** Each session that is kept comes back once more. */
  async #restoreAll(clients: readonly RestoreClient[]): Promise<void> {
    const world = this.#world;
    await world.becomes(() => clients.every(({ isAtRest }) => isAtRest), convergenceMs);
    const kept = clients.filter(({ isAtRest }) => isAtRest);
    for (const client of kept) client.offerLast();
    await world.becomes(() => kept.every(({ last }) => last !== undefined), convergenceMs);
    for (const client of clients) {
      const outcome = kept.includes(client) ? (client.last ?? 'refused') : 'not kept';
      world.record.lastRestores.push({ client: client.plan.name, outcome });
    }
  }

  stuck(checker: LivenessChecker, what: string): void {
    const { trace, nodes } = this.#world;
    trace.tell(`stuck: ${what}`);
    for (const { name, engine } of nodes) {
      const { state, cluster } = engine?.status() ?? {};
      trace.tell(`${name} is ${state ?? 'down'}: ${JSON.stringify(cluster)}`);
    }
    this.#world.record.findings.push({ checker, what });
  }

  /** What does not hold. `broken`: what ended the run, in which case nothing else is looked at. */
  findings(broken: unknown): Finding[] {
    const { record } = this.#world;
    const off = this.#plan.checkersOff ?? new Set<string>();
    if (!this.#evidence || broken !== undefined)
      return record.findings.filter(({ checker }) => !off.has(checker));
    return check(this.#evidence, off);
  }

  /** What is known of the disks, once all nodes were stopped. */
  get evidence(): Evidence | undefined {
    return this.#evidence;
  }

  async #comeUp(): Promise<boolean> {
    const { nodes } = this.#world;
    const isUp = await this.#world.becomes(() => nodes.every(({ state }) => state === 'up'), convergenceMs);
    if (!isUp) this.stuck('I25 nodes come up', 'a node did not come up');
    return isUp;
  }

  /** What is asked for takes effect before the last publish of all, or not at all: that stays. */
  async #answered(): Promise<void> {
    const { record } = this.#world;
    const isAll = (): boolean => !record.hasOpen && record.asked.size === 0;
    if (await this.#world.becomes(isAll, convergenceMs + 120_000)) return;
    const [publish] = record.open();
    const [asked] = record.asked;
    const what = publish ? `line ${publish.line}` : asked?.what;
    this.stuck('I25 publishes are answered', `${what} never got an answer`);
  }

  async #ringRests(): Promise<void> {
    const world = this.#world;
    if (!world.isRingChanging) return;
    const isAtRest = await world.becomes(() => world.isRingAtRest(), ringMs);
    if (!isAtRest) this.stuck('I25 the ring comes to rest', 'a change of the ring does not end');
  }

  /** The last publish of each channel: when all have it, they have had all before it. */
  async #sendCanaries(): Promise<readonly Publish[]> {
    const { channels, reconnectMaxMs } = this.#plan;
    const world = this.#world;
    const plan = {
      name: 'canary',
      isNamed: false,
      channels,
      perSecond: 0.000_01,
      burstMax: 1,
      payloadBytesMax: 1,
      levels: ['quorum'] as const,
      degrade: false,
      timeoutMs: 60_000,
      restartsPerMinute: 0,
    };
    const publisher = new Publisher(world, plan, world.client('canary', world.hosts, reconnectMaxMs));
    publisher.stop();
    const canaries = await this.#ackedCanaries(publisher, channels);
    publisher.close();
    if (canaries.length < channels.length)
      this.stuck('I25 publishes are acked', 'a publish after all faults is not acked');
    return canaries;
  }

  /** Tries again what is refused: a node needs a moment to see that its disk has room again. */
  async #ackedCanaries(publisher: Publisher, channels: readonly string[]): Promise<Publish[]> {
    const world = this.#world;
    // A node that finds nobody at its start tries again after a second of membership's time.
    const endMs = world.nowMs() + canaryMs + 2_000 * world.plan.membershipScale;
    const acked: Publish[] = [];
    let left = channels;
    while (left.length > 0 && world.nowMs() < endMs) {
      const tried = left.map((channel) => publisher.publish(channel));
      await world.becomes(() => tried.every(({ outcome }) => outcome !== 'open'), endMs - world.nowMs());
      acked.push(...tried.filter(({ outcome }) => outcome === 'acked'));
      left = tried.filter(({ outcome }) => outcome !== 'acked').map(({ channel }) => channel);
      if (left.length > 0) await world.pass(200);
    }
    return acked;
  }

  /** A new client at each node, from the beginning. */
  #readAll(phase: Reader['phase']): ReaderClient[] {
    const { channels, reconnectMaxMs } = this.#plan;
    const world = this.#world;
    const members = world.members();
    const readable = world.nodes.filter((node) => !node.isSpare || members.includes(node));
    return readable.map((node) => {
      const name = `${phase} ${node.name}`;
      const plan = { name, channels, start: 'beginning', phase, handOversPerMinute: 0 } as const;
      return new ReaderClient(world, plan, world.client(name, [node.host], reconnectMaxMs));
    });
  }

  async #catchUp(readers: readonly ReaderClient[], canaries: readonly Publish[]): Promise<void> {
    await this.#world.becomes(() => missing(readers, canaries) === undefined, convergenceMs);
    const what = missing(readers, canaries);
    if (what !== undefined) this.stuck('I25 readers catch up', what);
  }

  /** Equal for a while: what nobody acknowledged is offered to the owner, and merged, when it is quiet. */
  #restsEqual(): () => boolean {
    const world = this.#world;
    let sinceMs = Infinity;
    return () => {
      sinceMs = this.#areHomesEqual() ? Math.min(sinceMs, world.nowMs()) : Infinity;
      return world.nowMs() - sinceMs >= restMs;
    };
  }

  /** What nodes hold of channels that they are no home of any more, some home has. */
  #areOrphansHome(): boolean {
    const { nodes } = this.#world;
    return this.#held.every((channel) => {
      const homes = this.#world.homesOf(channel);
      const held = new Map<string, number>();
      const place = placeOf(channel);
      const newestAt = (isHome: boolean) =>
        nodes
          .filter(({ name }) => homes.includes(name) === isHome)
          .flatMap(({ rawDisk }) => [...rawDisk.newest(place)]);
      for (const [writer, seq] of newestAt(true)) held.set(writer, Math.max(seq, held.get(writer) ?? 0));
      return newestAt(false).every(([writer, seq]) => (held.get(writer) ?? 0) >= seq);
    });
  }

  #areHomesEqual(): boolean {
    const { nodes } = this.#world;
    return this.#channels.every((channel) => {
      const place = placeOf(channel);
      const [first, ...others] = this.#world
        .homesOf(channel)
        .map((name) => nodes.find((node) => node.name === name)!.rawDisk);
      return others.every(
        (other) =>
          isSame(other.newest(place), first!.newest(place)) &&
          isSame(other.floors(place), first!.floors(place)),
      );
    });
  }

  /** Also what the system keeps of other hubs. */
  get #held(): readonly string[] {
    return [...this.#channels, ...this.#world.archive.channels.filter(isElsewhere)];
  }

  async #stop(): Promise<void> {
    const world = this.#world;
    // Readers have everything once enough homes do; one that missed it is offered it again, in 250 ms at the latest.
    await world.pass(1_000);
    world.archive.isStopping = true;
    // Who fails on the way is down like the others, and stays so while the disks are looked at.
    const { nodes } = world;
    const started = nodes.map(({ onFailed }) => onFailed);
    for (const node of nodes) node.onFailed = () => {};
    await world.until(Promise.all(nodes.map((node) => node.stop())));
    nodes.forEach((node, i) => (node.onFailed = started[i]!));
    world.archive.isStopping = false;
  }

  async #restart(canaries: readonly Publish[]): Promise<void> {
    const world = this.#world;
    for (const node of world.nodes) if (node.state === 'down') node.start();
    if (!(await this.#comeUp())) return;
    const readers = this.#readAll('restart');
    await this.#catchUp(readers, canaries);
    // What was late stands behind the last publish.
    await world.becomes(() => this.#haveReadOn(readers), convergenceMs);
    const { documents, notifications } = world.record;
    if (documents.length > 0) documents.push(await documentWithin(world, [], convergenceMs));
    if (notifications.length > 0) notifications.push(await notificationsWithin(world, [], convergenceMs));
    const { names, settings } = world.record;
    if (names.looks.length > 0) names.looks.push(await namesWithin(world, convergenceMs));
    if (settings.looks.length > 0)
      settings.looks.push(await settingsWithin(world, convergenceMs, 'after a restart'));
    for (const reader of readers) reader.close();
    await this.#stop();
  }

  #haveReadOn(readers: readonly ReaderClient[]): boolean {
    return readers
      .flatMap(({ places }) => places)
      .every(({ reader }) => {
        const { orders, homesOf } = this.#evidence!;
        const floors = homesOf(reader.channel)[0]?.channels.get(reader.channel)?.floors;
        const had = new Set(reader.events.map((event) => (event.type === 'entry' ? event.line : 0)));
        const { entries = [] } = orders.get(reader.channel) ?? {};
        // Of what stands there twice one is shown: not the last one alone says that it has read on.
        return entries.every(
          ({ line, writer, seq, isVoid }) =>
            isVoid || had.has(line) || line === 0 || seq <= (floors?.get(writer) ?? 0),
        );
      });
  }

  async #digests(): Promise<Evidence['digests']> {
    const told = new Map<string, ReadonlyMap<string, string>>();
    for (const node of this.#world.nodes) {
      if (node.state === 'down') told.set(node.name, await this.#world.until(node.digests(this.#held)));
    }
    return told;
  }

  #look(digests: Evidence['digests']): Evidence {
    const world = this.#world;
    const { archive } = world;
    const conflict = (what: string): void => world.conflict(`two contents of ${what}`);
    const isAlone = world.plan.replicas === undefined;
    const stores = world.nodes.map((node) =>
      readStoreLog(node.name, node.segmentFiles(), conflict, {
        isAlone,
        salvages: node.rawDisk.isRotten,
        lineAt: (channel, writer, seq) => archive.entry(channel, writer, seq)?.line,
      }),
    );
    // Nodes start once more after this look, and one of them may be let go of the ring then.
    const homesThen = world.homesNow();
    const homesOf = (channel: string): StoreLog[] =>
      homesThen(channel).map((name) => stores.find(({ node }) => node === name)!);
    const orders = new Map<string, ChannelOrder>();
    for (const name of this.#held) {
      const channel = homesOf(name)[0]?.channels.get(name);
      const everAt = (writer: string, seq: number) => archive.entry(name, writer, seq);
      if (channel) orders.set(name, orderOf(untrimmed(channel, everAt)));
    }
    return {
      record: world.record,
      stores,
      digests,
      disks: world.disks,
      homesOf,
      rings: world.rings,
      isRingChanging: world.isRingChanging,
      isTrimming: world.plan.retention !== undefined,
      orders,
      // Nodes start once more after this look; what they trim then has no place in these orders.
      raised: [...archive.raised],
      again: archive.again,
      lastOwn: archive.lastOwn,
      everAt: (channel, writer, seq) => archive.entry(channel, writer, seq),
      strict: world.strict,
      wallStartMs: world.line.wallMs() - world.line.monotonicMs(),
      bufferedMost: Math.max(world.clients.mostBuffered, world.peers.mostBuffered),
    };
  }
}

function isSame(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([writer, seq]) => b.get(writer) === seq);
}

function isSubscribed({ reader }: ReaderClient['places'][number]): boolean {
  return reader.events.some(({ type }) => type === 'subscribed');
}

function missing(readers: readonly ReaderClient[], canaries: readonly Publish[]): string | undefined {
  for (const { reader } of readers.flatMap(({ places }) => places)) {
    const canary = canaries.find(({ channel }) => channel === reader.channel);
    if (!canary) continue;
    const had = reader.events.some((event) => event.type === 'entry' && event.line === canary.line);
    if (!had) return `${reader.name} never got the last entry of ${reader.channel}`;
  }
  return undefined;
}
