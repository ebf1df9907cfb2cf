/** What stories about a cluster are told with: the same world, clients and ending as a seed's, and no chance in what happens. */
import type { RingIntent } from '../../../src/cluster/ring-intent.js';
import type { Replicas } from '../../../src/cluster/ring.js';
import { chanceFor } from '../chance.js';
import { DocumentClient } from '../document-client.js';
import { NotificationClient, type NotificationPlan } from '../notification-client.js';
import { Ending } from '../ending.js';
import { Nemesis } from '../nemesis.js';
import { type SimulatedNode, peerAddressOf } from '../node.js';
import { Operator } from '../operator.js';
import { PlainPublisher } from '../plain-publisher.js';
import { PresenceClient } from '../presence-client.js';
import { Publisher, type PublisherPlan } from '../publisher.js';
import { ReaderClient, type ReaderPlan } from '../reader.js';
import type { Finding, Level, Publish } from '../record.js';
import { World, type WorldPlan } from '../world.js';

export interface StoryOptions {
  readonly nodes?: number;
  /** Nodes that are alone at first. */
  readonly spares?: number;
  readonly replicas?: Replicas;
  readonly virtualNodes?: number;
  readonly seed?: number;
  /** Everybody asks for quorum and takes nothing less. */
  readonly isStrict?: boolean;
  readonly retention?: WorldPlan['retention'];
  readonly trimGraceMs?: number;
  readonly keepsSettings?: boolean;
}

export type Told = (story: Story) => Promise<void>;

/** Something that a story says did not come about. */
class StoryError extends Error {
  override readonly name = 'StoryError';
}

export class Story {
  readonly world: World;
  readonly channel = 'room:1';
  /** All that are looked at in the end. */
  readonly channels = [this.channel];
  readonly #isStrict: boolean;
  readonly #nemesis: Nemesis;
  readonly #publishers: (Publisher | PlainPublisher)[] = [];
  readonly #readers: ReaderClient[] = [];
  readonly #presences: PresenceClient[] = [];
  readonly #documents: DocumentClient[] = [];
  readonly #notifications: NotificationClient[] = [];
  readonly #cuts: (() => void)[] = [];

  constructor(options: StoryOptions = {}) {
    const { nodes = 3, replicas = 3, seed = 1, isStrict = true, keepsSettings = false } = options;
    const { retention, trimGraceMs, spares, virtualNodes = 1 } = options;
    this.world = new World({
      seed,
      nodes,
      ...(spares === undefined ? {} : { spares }),
      replicas,
      virtualNodes,
      segmentBytes: 131_072,
      timeScale: 1,
      membershipScale: 1,
      skewMs: 0,
      retention,
      trimGraceMs,
      keepsSettings,
    });
    this.#isStrict = isStrict;
    if (isStrict) this.world.strict.add(this.channel);
    this.#nemesis = new Nemesis(this.world, chanceFor(seed, 'nemesis'));
    // Whoever is down stays so until the story says otherwise.
    for (const node of this.world.nodes) node.onFailed = () => {};
  }

  // Nodes.

  get nodes(): readonly SimulatedNode[] {
    return this.world.nodes;
  }

  /** Those that the ring began with. */
  get firstMembers(): SimulatedNode[] {
    return this.nodes.filter(({ isSpare }) => !isSpare);
  }

  get homes(): SimulatedNode[] {
    return this.homesOf(this.channel);
  }

  homesOf(channel: string): SimulatedNode[] {
    return this.world.homesOf(channel).map((name) => this.nodes.find((node) => node.name === name)!);
  }

  get owner(): SimulatedNode {
    const name = this.world.record.ownerOf(this.channel);
    return this.nodes.find((node) => node.name === name) ?? fail('nobody owns the channel');
  }

  /** The homes that do not own. */
  get others(): SimulatedNode[] {
    const { owner } = this;
    return this.homes.filter((home) => home !== owner);
  }

  /** All of them, and the channel has an owner. */
  async begin(): Promise<void> {
    await this.start(...this.nodes);
    await this.published(this.publisher('first'), 1);
  }

  async start(...nodes: readonly SimulatedNode[]): Promise<void> {
    for (const node of nodes) node.start();
    await this.until(() => nodes.every(({ state }) => state === 'up'), 'nodes come up');
  }

  /** Asks a node that is alone to come into the ring of another; the change is under way then, or soon. */
  join(node: SimulatedNode, at: SimulatedNode): void {
    const { world } = this;
    node.machine.run(() => {
      void node.engine!.cluster!.join(peerAddressOf(at.name)).catch((error: unknown) => world.broken(error));
    });
  }

  async restart(node: SimulatedNode, downMs = 50): Promise<void> {
    node.crash(false);
    await this.world.pass(downMs);
    await this.start(node);
  }

  loseDisk(node: SimulatedNode): void {
    if (node.state !== 'down') node.crash(true);
    this.world.record.lostDisks.set(node.loseDisk(), this.world.nowMs());
  }

  /** Only within a group nodes hear each other; a node in no group is alone. */
  split(...groups: readonly (readonly SimulatedNode[])[]): void {
    this.mend();
    for (const a of this.nodes)
      for (const b of this.nodes)
        if (a !== b && !groups.some((group) => group.includes(a) && group.includes(b)))
          this.cut(a.name, b.name);
  }

  /** Nothing goes from one to the other, be they nodes or clients. */
  cut(from: string, to: string): void {
    this.#cuts.push(this.world.weather.block(from, to));
  }

  mend(): void {
    for (const open of this.#cuts.splice(0)) open();
  }

  /** Asks a node for another ring. */
  change(node: SimulatedNode, intent: RingIntent): void {
    this.must(this.#operator().ask(node, intent), 'a node is asked for another ring');
  }

  /** Those nodes are the ring, and it does not change. */
  async ringOf(...nodes: readonly SimulatedNode[]): Promise<void> {
    const isThat = (): boolean => {
      const members = this.world.members();
      return members.length === nodes.length && nodes.every((node) => members.includes(node));
    };
    await this.until(() => isThat() && this.world.isRingAtRest(), 'the ring is another one');
  }

  #operator(): Operator {
    return new Operator(this.world, chanceFor(1, 'operator'));
  }

  // Clients.

  /** Connects to the first of `hosts` it can reach; publishes when told to. */
  publisher(
    name: string,
    nodes: readonly SimulatedNode[] = this.firstMembers,
    plan: Partial<PublisherPlan> = {},
  ): Publisher {
    const full: PublisherPlan = {
      name,
      isNamed: false,
      channels: [this.channel],
      perSecond: 0.000_01,
      burstMax: 1,
      payloadBytesMax: 20,
      levels: ['quorum'],
      degrade: !this.#isStrict,
      timeoutMs: 20_000,
      restartsPerMinute: 0,
      ...plan,
    };
    const publisher = new Publisher(this.world, full, this.#client(name, nodes));
    publisher.stop();
    this.#publishers.push(publisher);
    return publisher;
  }

  /** Without the SDK: goes on by itself until the end. */
  plain(name: string, nodes: readonly SimulatedNode[], perSecond: number): PlainPublisher {
    const plan = { name, channels: [this.channel], perSecond, burstMax: 1, hasKeys: true };
    const publisher = new PlainPublisher(this.world, plan, this.#client(name, nodes));
    this.#publishers.push(publisher);
    return publisher;
  }

  reader(name: string, nodes = this.nodes, start: ReaderPlan['start'] = 'beginning'): ReaderClient {
    const plan = { name, channels: [this.channel], start, phase: 'run', handOversPerMinute: 0 } as const;
    const reader = new ReaderClient(this.world, plan, this.#client(name, nodes));
    this.#readers.push(reader);
    return reader;
  }

  /** Is in a channel whose rules keep presence, and keeps a list of it. */
  presence(name: string, nodes: readonly SimulatedNode[]): PresenceClient {
    const client = new PresenceClient(this.world, { name, movesPerMinute: 0 }, this.#client(name, nodes));
    this.#presences.push(client);
    return client;
  }

  /** Has the document open, and changes it when told to. */
  document(name: string, nodes: readonly SimulatedNode[]): DocumentClient {
    const plan = { name, changesPerMinute: 0, degrade: true, timeoutMs: 20_000, restartsPerMinute: 0 };
    const client = new DocumentClient(this.world, plan, this.#client(name, nodes));
    this.#documents.push(client);
    return client;
  }

  /** Follows the channel of notifications, and creates or reads some when told to. */
  notifications(
    of: Pick<NotificationPlan, 'name' | 'isService'>,
    nodes: readonly SimulatedNode[],
  ): NotificationClient {
    const plan = { ...of, movesPerMinute: 0, timeoutMs: 20_000, restartsPerMinute: 0 };
    const client = new NotificationClient(this.world, plan, this.#client(of.name, nodes));
    this.#notifications.push(client);
    return client;
  }

  #client(name: string, nodes: readonly SimulatedNode[]) {
    return this.world.client(
      name,
      nodes.map(({ host }) => host),
      500,
    );
  }

  /** One more channel, used like the first. */
  also(channel: string): void {
    this.channels.push(channel);
    this.world.channels.push(channel);
    if (this.#isStrict) this.world.strict.add(channel);
  }

  publish(publisher: Publisher, count: number, level?: Level, channel = this.channel): Publish[] {
    return Array.from({ length: count }, () =>
      level ? publisher.publish(channel, level) : publisher.publish(channel),
    );
  }

  /** Publishes until that many were acknowledged; whatever is refused is published anew. */
  async published(publisher: Publisher, count: number, channel = this.channel): Promise<Publish[]> {
    const acked: Publish[] = [];
    for (let tries = 0; acked.length < count; tries++) {
      if (tries === 30) fail(`${count} publishes are acknowledged`);
      const some = this.publish(publisher, count - acked.length, undefined, channel);
      await this.settled(some);
      acked.push(...some.filter(({ outcome }) => outcome === 'acked'));
      if (acked.length < count) await this.world.pass(200);
    }
    return acked;
  }

  async settled(publishes: readonly Publish[]): Promise<void> {
    await this.until(() => publishes.every(({ outcome }) => outcome !== 'open'), 'publishes are answered');
  }

  /** Asks a node to trim the channel by force until it has; resolves then. */
  async trim(node: SimulatedNode, entries: number): Promise<void> {
    const { forced } = this.world.record;
    const operator = this.#operator();
    for (let tries = 0; tries < 20; tries++) {
      const asked = forced.length;
      operator.trim(node, this.channel, { entries });
      await this.until(() => forced.length > asked, 'a forced trim is answered');
      if (forced.at(-1)!.dot) return;
      await this.pass(500);
    }
    fail('a forced trim is committed');
  }

  /** Whether the disk that the node has now holds so many entries of the writer. */
  holds({ rawDisk }: SimulatedNode, writer: string, seq: number): boolean {
    return rawDisk.sumOf(`default/${this.channel}`, writer, seq) !== undefined;
  }

  had({ places }: ReaderClient): number {
    return places[0]!.reader.events.filter((event) => event.type === 'entry' && event.line > 0).length;
  }

  // Telling.

  pass(ms: number): Promise<void> {
    return this.world.pass(ms);
  }

  async until(condition: () => boolean, what: string, withinMs = 30_000): Promise<void> {
    if (!(await this.world.becomes(condition, withinMs)))
      throw new StoryError(`within ${withinMs} ms: ${what}`);
  }

  must(condition: unknown, what: string): void {
    if (!condition) throw new StoryError(what);
  }

  /** Told to its end, with everything healed then: what does not hold. */
  static async findings(
    told: Told,
    options: StoryOptions = {},
    off?: ReadonlySet<string>,
  ): Promise<Finding[]> {
    const story = new Story(options);
    const { world } = story;
    const { channels } = story;
    const ending = new Ending(world, { channels, reconnectMaxMs: 500, checkersOff: off });
    const broken = await world.watched(async () => {
      try {
        await told(story);
      } catch (error) {
        // What the checkers say then tells why.
        if (!(error instanceof StoryError)) throw error;
        world.record.findings.push({ checker: 'story', what: error.stack ?? error.message });
      }
      story.mend();
      story.#nemesis.heal();
      await ending.all({
        publishers: story.#publishers,
        readers: story.#readers,
        presences: story.#presences.filter(({ isClosed }) => !isClosed),
        documents: story.#documents,
        notifications: story.#notifications,
      });
    });
    if (broken !== undefined) {
      const what = broken instanceof Error ? (broken.stack ?? broken.message) : JSON.stringify(broken);
      world.record.findings.push({ checker: 'crash', what });
    }
    return ending.findings(broken);
  }
}

function fail(what: string): never {
  throw new StoryError(what);
}
