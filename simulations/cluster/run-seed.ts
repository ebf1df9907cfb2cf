/** One run: things go wrong for a while, then nothing does, and all must come together; then everything is stopped, and
 *  the disks are looked at. */
import { StalledError } from '../world/clock.js';
import { chanceFor } from './chance.js';
import { check } from './checkers/index.js';
import { type ChannelOrder, orderOf } from './checkers/channel-order.js';
import { type StoreLog, readStoreLog } from './checkers/store-log.js';
import type { FaultKind } from './faults.js';
import { type Firings, Nemesis } from './nemesis.js';
import { Publisher } from './publisher.js';
import { ReaderClient } from './reader.js';
import type { Finding, Publish } from './record.js';
import type { SwarmPlan } from './swarm.js';
import { World } from './world.js';

export interface RunResult {
  readonly findings: readonly Finding[];
  /** Nothing went on any more. */
  readonly isStuck: boolean;
  readonly hash: string;
  readonly story: readonly string[];
  readonly simulatedMs: number;
  readonly events: number;
  readonly fired: ReadonlyMap<FaultKind, Firings>;
  readonly published: number;
  readonly acked: number;
  readonly delivered: number;
}

/** After the last fault, of which restarts and retries of clients are a part. */
const convergenceMs = 60_000;
const canaryMs = 10_000;

export interface RunOptions {
  readonly checkersOff?: ReadonlySet<string>;
  readonly onWorld?: (world: World) => void;
}

export async function runPlan(plan: SwarmPlan, options: RunOptions = {}): Promise<RunResult> {
  const run = new Run(plan);
  options.onWorld?.(run.world);
  const broken = await run.all().catch((error: unknown) => error);
  return run.result(broken, options.checkersOff);
}

class Run {
  readonly world: World;
  readonly #plan: SwarmPlan;
  readonly #nemesis: Nemesis;
  #publishers: Publisher[] = [];
  #readers: ReaderClient[] = [];

  constructor(plan: SwarmPlan) {
    this.#plan = plan;
    this.world = new World(plan.world);
    this.#nemesis = new Nemesis(this.world, chanceFor(plan.world.seed, 'nemesis'));
  }

  /** Resolves with nothing; rejects when something broke. */
  async all(): Promise<undefined> {
    const { world } = this;
    for (const node of world.nodes) node.start();
    this.#startClients();
    this.#nemesis.plan(this.#plan.faults);
    await world.pass(this.#plan.lengthMs);
    this.#nemesis.heal();
    await this.#converge();
    await this.#stop();
    return undefined;
  }

  #startClients(): void {
    const { world } = this;
    const { publishers, readers, reconnectMaxMs } = this.#plan;
    const options = (name: string) => world.client(name, world.hosts, reconnectMaxMs);
    this.#readers = readers.map((plan) => new ReaderClient(world, plan, options(plan.name)));
    this.#publishers = publishers.map((plan) => new Publisher(world, plan, options(plan.name)));
  }

  async #converge(): Promise<void> {
    const { world } = this;
    for (const publisher of this.#publishers) publisher.stop();
    const isUp = await world.becomes(() => world.nodes.every(({ state }) => state === 'up'), convergenceMs);
    if (!isUp) return this.#stuck('a node did not come up');
    const isSettled = await world.becomes(() => !world.record.hasOpen, convergenceMs + 120_000);
    if (!isSettled) return this.#stuck(`line ${world.record.open()[0]?.line} never got an answer`);
    await this.#sendCanaries();
  }

  /** The last publish of each channel: when all have it, they have had all before it. */
  async #sendCanaries(): Promise<void> {
    const { world } = this;
    const { channels, reconnectMaxMs } = this.#plan;
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
    if (canaries.length < channels.length) return this.#stuck('a publish after all faults is not acked');
    for (const node of world.nodes) {
      const name = `final ${node.name}`;
      const reader = { name, channels, start: 'beginning', isFinal: true, handOversPerMinute: 0 } as const;
      this.#readers.push(new ReaderClient(world, reader, world.client(name, [node.host], reconnectMaxMs)));
    }
    await world.becomes(() => this.#missing(canaries) === undefined, convergenceMs);
    const missing = this.#missing(canaries);
    if (missing !== undefined) this.#stuck(missing);
    publisher.close();
  }

  /** Tries again what is refused: a node needs a moment to see that its disk has room again. */
  async #ackedCanaries(publisher: Publisher, channels: readonly string[]): Promise<Publish[]> {
    const { world } = this;
    // A node that finds nobody at its start tries again after a second of membership's time.
    const endMs = world.nowMs() + canaryMs + 2_000 * this.#plan.world.membershipScale;
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

  #missing(canaries: readonly Publish[]): string | undefined {
    for (const { reader } of this.#readers.flatMap(({ places }) => places)) {
      const canary = canaries.find(({ channel }) => channel === reader.channel);
      const had = reader.events.some((event) => event.type === 'entry' && event.line === canary?.line);
      if (!had) return `${reader.name} never got the last entry of ${reader.channel}`;
    }
    return undefined;
  }

  #stuck(what: string): void {
    this.world.trace.tell(`stuck: ${what}`);
    for (const { name, engine } of this.world.nodes) {
      const { state, cluster } = engine?.status() ?? {};
      this.world.trace.tell(`${name} is ${state ?? 'down'}: ${JSON.stringify(cluster)}`);
    }
    this.world.record.findings.push({ checker: 'I25 liveness', what });
  }

  async #stop(): Promise<void> {
    for (const client of [...this.#publishers, ...this.#readers]) client.close();
    await this.world.pass(100);
    await this.world.until(Promise.all(this.world.nodes.map((node) => node.stop())));
  }

  result(broken: unknown, off?: ReadonlySet<string>): RunResult {
    const { world } = this;
    const { record, trace } = world;
    if (broken instanceof StalledError) this.#stuck(broken.message);
    else if (broken !== undefined) {
      const what = broken instanceof Error ? (broken.stack ?? broken.message) : JSON.stringify(broken);
      record.findings.push({ checker: 'crash', what });
    }
    const findings = broken === undefined ? this.#check(off) : record.findings;
    return {
      findings,
      isStuck: findings.some(({ checker }) => checker === 'I25 liveness'),
      hash: trace.hash,
      story: trace.story,
      simulatedMs: world.nowMs(),
      events: trace.events,
      fired: this.#nemesis.fired,
      published: record.publishes.length,
      acked: record.publishes.filter(({ outcome }) => outcome === 'acked').length,
      delivered: record.readers.reduce((sum, { events }) => sum + events.length, 0),
    };
  }

  #check(off?: ReadonlySet<string>): Finding[] {
    const { world } = this;
    const conflict = (what: string): void => world.conflict(`two contents of ${what}`);
    const stores = world.nodes.map((node) => readStoreLog(node.name, node.segmentFiles(), conflict));
    const homesOf = (channel: string): StoreLog[] =>
      world.homesOf(channel).map((name) => stores.find(({ node }) => node === name)!);
    const orders = new Map<string, ChannelOrder>();
    for (const name of this.#plan.channels) {
      const channel = homesOf(name)[0]?.channels.get(name);
      if (channel) orders.set(name, orderOf(channel));
    }
    const bufferedMost = Math.max(world.clients.mostBuffered, world.peers.mostBuffered);
    return check({ record: world.record, stores, disks: world.disks, homesOf, orders, bufferedMost }, off);
  }
}
