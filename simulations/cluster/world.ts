/** Everything of one run: time, network, machines with their nodes, clients, and what was seen. */
import { channelPosition } from '../../src/cluster/ring-position.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import type { Principal } from '../../src/engine/api.js';
import type { EngineOptions } from '../../src/engine/options.js';
import { SimulatedClock } from '../world/clock.js';
import { Machine } from '../world/machine.js';
import type { RuleConfig, RuleSet } from '../../src/channels/rules.js';
import { Archive } from './archive.js';
import { chanceFor } from './chance.js';
import { ClientNetwork } from './client-network.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { lan, scaled } from '../../src/cluster/parameters.js';
import {
  type ClusterId,
  type Replicas,
  type Ring,
  appendQuorum,
  memberStateOf,
  replicaCount,
} from '../../src/cluster/ring.js';
import { type NodeOptions, type NodeWorld, SimulatedNode, nodeIdOf, peerAddressOf } from './node.js';
import { PeerNetwork } from './peer-network.js';
import { platformFor } from './platform.js';
import { type RawDisk } from './raw-disks.js';
import { RingsSeen } from './rings-seen.js';
import { ClusterRecord, type SeenDot } from './record.js';
import { Trace } from './trace.js';
import { userOf } from './users.js';
import { Weather } from './weather.js';
import { Witness } from './witness.js';
import { gatedHub, peopledHub, refOf } from './places.js';

export interface WorldPlan {
  readonly seed: number;
  readonly nodes: number;
  /** Nodes that are alone at first, for whoever changes the ring. */
  readonly spares?: number;
  /** Changes of the ring may make it smaller than its copies need, down to so many members, and set the copies; left out:
   *  every channel has the same number of homes all the time. */
  readonly membersMin?: number;
  /** A majority lets go who was out of reach for so long. */
  readonly expelAfterMs?: number | undefined;
  /** Copies of each channel; `undefined` for a single node that knows of no cluster. */
  readonly replicas: Replicas | undefined;
  /** Points of a node on the ring: what a start and a failover cost grows with them. */
  readonly virtualNodes: number;
  readonly segmentBytes: number;
  /** All times of the product are longer by this. */
  readonly timeScale: number;
  /** Those of membership: the most frequent ones. */
  readonly membershipScale: number;
  /** Of each node's wall clock, drawn evenly to both sides. */
  readonly skewMs: number;
  /** Of all channels; left out: everything is kept. */
  readonly retention?: RuleSet['retention'] | undefined;
  /** What changes of documents wait for before readers get them. */
  readonly documentsAt?: 'owner' | 'quorum';
  /** Clients are told where the other nodes are. */
  readonly tellsClients?: boolean;
  /** How long a home that is away is spared. */
  readonly trimGraceMs?: number | undefined;
  /** Nodes keep settings and what users make, and know users by their tokens. */
  readonly keepsSettings?: boolean;
}

/** What an application shows that may do all. */
export const serviceToken = 'service';
const service: Principal = { actor: 'service', authenticated: true, admin: true };

export class World implements NodeWorld, ClientWorld {
  readonly plan: WorldPlan;
  readonly line = new SimulatedClock();
  readonly trace = new Trace(() => this.line.monotonicMs());
  readonly record = new ClusterRecord();
  readonly archive = new Archive();
  readonly disks: RawDisk[] = [];
  readonly weather: Weather;
  readonly clients: ClientNetwork;
  readonly peers: PeerNetwork;
  readonly nodes: SimulatedNode[] = [];
  /** Where the ring changes. */
  readonly rings: RingsSeen | undefined;
  /** The newest ring that any node goes by. */
  #ring: RingTable | undefined;
  /** Shared by all nodes. */
  readonly #rules: RuleConfig & { readonly sets: Readonly<Record<string, KeptRules>> };
  readonly clientNames: string[] = [];
  /** Channels in which everybody asks for quorum and takes nothing less. */
  readonly strict = new Set<string>();
  /** That clients use. */
  readonly channels: string[] = [];
  #broke!: (error: unknown) => void;
  readonly #failure = new Promise<never>((_, reject) => (this.#broke = reject));

  constructor(plan: WorldPlan) {
    this.plan = plan;
    this.#failure.catch(() => undefined);
    const { retention, documentsAt = 'quorum' } = plan;
    const kept = retention ? { retention } : {};
    this.#rules = {
      sets: {
        seen: { presence: true },
        short: kept,
        documents: { ack: documentsAt, createParents: true, ...kept },
      },
      hubs: {
        default: { rules: 'short', namespaces: { seen: 'seen', doc: 'documents' } },
        [peopledHub]: {},
        [gatedHub]: {},
      },
    };
    this.weather = new Weather(this.line, chanceFor(plan.seed, 'weather'));
    const witness = new Witness(this);
    this.clients = new ClientNetwork(this.weather, chanceFor(plan.seed, 'connections'), witness);
    this.peers = new PeerNetwork(
      this.weather,
      chanceFor(plan.seed, 'links'),
      this.trace,
      chanceFor(plan.seed, 'pulses'),
    );
    const skew = chanceFor(plan.seed, 'skew');
    const { nodes, spares, replicas, virtualNodes } = plan;
    if (spares !== undefined && replicas !== undefined)
      this.rings = new RingsSeen(
        clusterId,
        virtualNodes,
        new Map(namesOf({ nodes: nodes + spares }).map((name) => [nodeIdOf(name), name])),
      );
    this.#ring = plan.replicas && new RingTable(ringOf(namesOf(plan), plan.replicas, plan.virtualNodes));
    for (let i = 1; i <= plan.nodes + (plan.spares ?? 0); i++) {
      const machine = new Machine(this.line, (skew.next() * 2 - 1) * plan.skewMs);
      this.nodes.push(
        new SimulatedNode(this, machine, nodeOptions(plan, `n${i}`, this.#rules, i > plan.nodes)),
      );
    }
  }

  get seed(): number {
    return this.plan.seed;
  }

  nowMs(): number {
    return this.line.monotonicMs();
  }

  lineAt(channel: string, { writer, seq }: SeenDot): number {
    return this.archive.entry(channel, writer, seq)?.line ?? 0;
  }

  broken(error: unknown): void {
    this.#broke(error);
  }

  conflict(what: string): void {
    this.record.findings.push({ checker: 'I4 one content', what });
  }

  /** Resolves with what broke the run, if anything did: a rejection that nobody handles is one such thing. */
  async watched(run: () => Promise<void>): Promise<unknown> {
    let left: unknown;
    const unhandled = (error: unknown): void => {
      left ??= error ?? new Error('rejected without a reason');
      this.broken(left);
    };
    process.on('unhandledRejection', unhandled);
    const broken = await run().then(
      () => undefined,
      (error: unknown) => error ?? new Error('rejected without a reason'),
    );
    // Node tells of them between two turns of its loop, and a run may have been one turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    return broken ?? left;
  }

  /** Another machine with a copy of the node's directory, under its id. It is no part of the cluster as it is checked. */
  copyOf(node: SimulatedNode): SimulatedNode {
    const options = { ...nodeOptions(this.plan, `${node.name}-copy`, this.#rules, false), id: node.id };
    const copy = new SimulatedNode(this, new Machine(this.line, 0), options);
    copy.putImage(node.image());
    return copy;
  }

  /** Retention ends: what is looked at stays as it is. In the sets themselves, since what a node knows of a hub refers to them,
   *  and not to what lists them. */
  keepAll(): void {
    for (const set of Object.values(this.#rules.sets)) delete set.retention;
  }

  /** The fewest disks that were enough at any time since then. */
  appendQuorumOf(channel: string, sinceMs: number): number {
    return (
      this.rings?.leastQuorum(channel, sinceMs, this.nowMs()) ?? appendQuorum(this.homesOf(channel).length)
    );
  }

  /** Notes by which ring nodes go. */
  lookAtRings(nodes: readonly SimulatedNode[] = this.nodes): void {
    const { rings } = this;
    if (!rings) return;
    const nowMs = this.nowMs();
    for (const { name, state, engine } of nodes) {
      const cluster = state !== 'down' && rings.isDue(name, nowMs) ? engine?.cluster : undefined;
      if (cluster) rings.saw(name, cluster.ring(), nowMs);
    }
  }

  /** Runs the world until the task is settled; rejects as soon as something broke. */
  until<T>(task: Promise<T>): Promise<T> {
    return this.line.until(Promise.race([task, this.#failure]));
  }

  pass(ms: number): Promise<void> {
    return this.until(this.line.sleep(ms));
  }

  /** False when it took longer. */
  async becomes(condition: () => boolean, withinMs: number): Promise<boolean> {
    const endMs = this.nowMs() + withinMs;
    while (!condition()) {
      if (this.nowMs() >= endMs) return false;
      await this.pass(50);
    }
    return true;
  }

  /** A machine of its own for each. */
  client(name: string, hosts: readonly string[], reconnectMaxMs: number): ClientOptions {
    const { seed } = this;
    this.clientNames.push(name);
    const platform = platformFor(
      name,
      new Machine(this.line),
      this.clients,
      chanceFor(seed, `${name} product`),
      (error) => this.broken(error),
    );
    const urls = hosts.map((host) => `http://${host}`);
    return { urls, platform, random: chanceFor(seed, name), reconnectMaxMs };
  }

  /** The ring has changed since the beginning, or is about to. */
  get isRingChanging(): boolean {
    return this.plan.spares !== undefined;
  }

  /** Of each channel. */
  get copies(): number {
    return replicaCount(this.plan.replicas ?? 1, this.plan.nodes);
  }

  /** Those in the newest ring. */
  members(): SimulatedNode[] {
    const ring = this.#newestRing();
    return ring ? this.nodes.filter(({ id }) => memberStateOf(ring.ring, id) !== undefined) : this.nodes;
  }

  /** All members that are up go by one ring, and it does not change. */
  isRingAtRest(): boolean {
    const rings = this.members().map(({ engine }) => engine?.cluster?.ring());
    return rings.every((ring) => ring && !ring.change && ring.digest === rings[0]!.digest);
  }

  #newestRing(): RingTable | undefined {
    const known = this.#ring;
    if (!known || !this.isRingChanging) return known;
    for (const { engine, state } of this.nodes) {
      const status = state === 'up' ? engine?.cluster?.ring() : undefined;
      if (!status || status.cluster !== clusterId || status.version <= this.#ring!.ring.version) continue;
      const { version, replicas, members, change } = status;
      // What is on the way counts once it is there.
      if (change) continue;
      const { virtualNodes } = this.plan;
      this.#ring = new RingTable({
        cluster: clusterId,
        version,
        replicas,
        virtualNodes,
        members,
        lineage: [],
      });
    }
    return this.#ring;
  }

  /** Names of the nodes that hold a channel. */
  homesOf(channel: string): string[] {
    return this.homesNow()(channel);
  }

  /** The same by the ring of now, whatever becomes of the ring. */
  homesNow(): (channel: string) => string[] {
    const ring = this.#newestRing();
    const { nodes } = this;
    if (!ring) return () => nodes.map(({ name }) => name);
    return (channel) => {
      const { homes } = ring.intervalOf(channelPosition(refOf(channel)));
      return homes.map((id) => nodes.find((node) => node.id === id)!.name);
    };
  }

  get hosts(): string[] {
    return this.nodes.filter(({ isSpare }) => !isSpare).map(({ host }) => host);
  }
}

/** But for retention, which ends. */
type KeptRules = Omit<Partial<RuleSet>, 'retention'> & { retention?: RuleSet['retention'] };

const clusterId = 'c'.repeat(32) as ClusterId;

function namesOf({ nodes }: Pick<WorldPlan, 'nodes'>): string[] {
  return Array.from({ length: nodes }, (_, i) => `n${i + 1}`);
}

function nodeOptions(plan: WorldPlan, name: string, rules: RuleConfig, isSpare: boolean): NodeOptions {
  const { segmentBytes, replicas, membershipScale } = plan;
  const options = { name, isSpare, segmentBytes, engine: engineOptions(plan, rules) };
  if (replicas === undefined) return options;
  const names = namesOf(plan);
  // Where the first ones may leave, or there is but one, each is told of all: nobody else would be asked at a start.
  const known = plan.membersMin === undefined ? names : namesOf({ nodes: plan.nodes + (plan.spares ?? 0) });
  const cluster = {
    ring: isSpare
      ? { ...ringOf([name], replicas, plan.virtualNodes), cluster: nodeIdOf(name) as string as ClusterId }
      : ringOf(names, replicas, plan.virtualNodes),
    membership: scaled(lan, membershipScale),
    seeds: known.map(peerAddressOf),
    trimGraceMs: plan.trimGraceMs ?? 0,
    ...(plan.expelAfterMs === undefined ? {} : { expelAfterMs: plan.expelAfterMs }),
  };
  return { ...options, cluster, tellsClients: plan.tellsClients ?? false };
}

function ringOf(names: readonly string[], replicas: Replicas, virtualNodes: number): Ring {
  const members = names.map((name) => ({ node: nodeIdOf(name), state: 'active' as const }));
  return {
    cluster: clusterId,
    version: 1,
    replicas,
    virtualNodes,
    members: members.sort((a, b) => (a.node < b.node ? -1 : 1)),
    lineage: [],
  };
}

function engineOptions(
  { timeScale, keepsSettings }: WorldPlan,
  rules: RuleConfig,
): Omit<EngineOptions, 'nodeId'> {
  return {
    version: '0.0.0-simulated',
    rules,
    anonymous: true,
    ...(keepsSettings === true ? { hubs: { createOnUse: false } } : {}),
    verifyToken: (token) =>
      token === serviceToken ? service : keepsSettings === true ? userOf(token) : undefined,
    session: {
      pingIntervalMs: 5_000 * timeScale,
      pongTimeoutMs: 3_000 * timeScale,
      authTimeoutMs: 5_000,
      messagesPerSecondMax: 100_000,
    },
    maintenanceIntervalMs: 1_000 * timeScale,
  };
}
