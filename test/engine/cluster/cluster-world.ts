/** Some nodes in virtual time, each on a disk of its own, with links between them that can be cut. */
import { createHash } from 'node:crypto';
import type { NodeId } from '../../../src/base/ids.js';
import { type Random, seededRandom } from '../../../src/base/random.js';
import { lan } from '../../../src/cluster/parameters.js';
import {
  type ClusterId,
  type Replicas,
  type Ring,
  foundRing,
  nowhereRing,
} from '../../../src/cluster/ring.js';
import { Engine } from '../../../src/engine/engine.js';
import type { ClusterOptions } from '../../../src/engine/options.js';
import type {
  Authenticator,
  Observation,
  PeerHandlers,
  Peers,
  Secrets,
  ServiceCalls,
} from '../../../src/engine/ports.js';
import type { RuleConfig } from '../../../src/channels/rules.js';
import { openLogStore } from '../../../src/storage/log-store.js';
import { openNotesStore } from '../../../src/storage/notes-store.js';
import { SimulatedClock } from '../../../simulations/world/clock.js';
import { SimulatedDisk } from '../../../simulations/world/disk.js';
import { SimulatedIndex } from '../../../simulations/world/key-value.js';
import { adminToken, admin, openRules } from '../harness.js';

const linkMs = 0.5;

/** Everything the nodes of a test send each other. */
class Wires {
  readonly nodes = new Map<string, TestNode>();
  /** Bytes that came over links to each node. */
  readonly received = new Map<TestNode, number>();
  readonly #cuts = new Set<string>();

  constructor(readonly clock: SimulatedClock) {}

  cut(a: TestNode, b: TestNode): void {
    this.#cuts.add(pair(a, b));
    a.unlink(b);
    b.unlink(a);
  }

  mend(a: TestNode, b: TestNode): void {
    this.#cuts.delete(pair(a, b));
  }

  isOpen(a: TestNode, b: TestNode): boolean {
    return !this.#cuts.has(pair(a, b)) && a.handlers !== undefined && b.handlers !== undefined;
  }

  later(callback: () => void): void {
    this.clock.after(linkMs, callback);
  }
}

function pair(a: TestNode, b: TestNode): string {
  return [a.id, b.id].sort().join();
}

export class TestNode {
  readonly id: NodeId;
  readonly address: string;
  disk: SimulatedDisk;
  index: SimulatedIndex;
  readonly observations: Observation[] = [];
  readonly links = new Set<TestNode>();
  handlers: PeerHandlers | undefined;
  engine!: Engine;
  /** To found with. */
  ring: Ring;
  isEdge = false;
  /** How far its machine's wall clock is off. */
  aheadMs = 0;
  /** How busy its machine says it is, from its start on. */
  busy: number | undefined;
  /** For how long its loop has had work. */
  workedMs = 0;
  /** Of the present process. */
  #life = {};

  constructor(
    readonly world: ClusterWorld,
    readonly number: number,
    readonly random: Random,
  ) {
    this.id = createHash('sha256').update(`node ${number}`).digest('hex').slice(0, 32) as NodeId;
    this.address = `10.0.0.${number}:7946`;
    this.disk = new SimulatedDisk({ clock: world.clock, random, latencyMsMax: 0.2 }, {});
    this.index = new SimulatedIndex({ clock: world.clock, random });
    this.ring = foundRing(this.id as string as ClusterId, this.id, world.options.replicas ?? 3);
  }

  /** Handed to other tests as the world of a session. */
  get clock(): SimulatedClock {
    return this.world.clock;
  }

  settle(): Promise<void> {
    return this.world.pass(250);
  }

  async start(isFounding: boolean): Promise<void> {
    const { clock, options } = this.world;
    const life = {};
    this.#life = life;
    const cluster: ClusterOptions = {
      ring: this.ring,
      isFounding,
      profile: {
        peerAddress: this.address,
        clientAddresses: [`http://10.0.0.${this.number}`],
        role: this.isEdge ? 'edge' : 'core',
        load: 0,
      },
      membership: lan,
      seeds: this.world.nodes.map(({ address }) => address),
      ...(options.trimGraceMs === undefined ? {} : { trimGraceMs: options.trimGraceMs }),
      ...(options.expelAfterMs === undefined ? {} : { expelAfterMs: options.expelAfterMs }),
      ...(options.catchUpShare === undefined ? {} : { catchUpShare: options.catchUpShare }),
      ...(options.joinsOthers === undefined ? {} : { joinsOthers: options.joinsOthers }),
    };
    const timers = {
      after: (ms: number, callback: () => void) => clock.after(ms, () => this.#life === life && callback()),
      soon: (callback: () => void) => clock.soon(() => this.#life === life && callback()),
    };
    const observer = { observe: (observation: Observation) => void this.observations.push(observation) };
    const own = { wallMs: () => clock.wallMs() + this.aheadMs, monotonicMs: () => clock.monotonicMs() };
    this.engine = new Engine(
      {
        clock: own,
        ...(this.busy !== undefined && { busyShare: () => this.busy ?? 0 }),
        workedMs: () => (this.workedMs += options.lookMs ?? 0),
        timers,
        random: this.random,
        hashing: { sha256: (bytes) => createHash('sha256').update(bytes).digest() },
        observer,
        openStore: async () => {
          if (this.isEdge) return openNotesStore(this.random);
          return await openLogStore({
            directory: '/data',
            soleHome: false,
            plentyBytes: 1 << 40,
            files: this.disk.files(),
            openIndex: () => this.index.keyValue(),
            clock,
            random: this.random,
            observer,
          });
        },
        peers: this.#peers(),
        ...(options.secrets ? { secrets: options.secrets } : {}),
        ...(options.services ? { services: options.services } : {}),
        ...(options.authenticator ? { authenticator: options.authenticator } : {}),
      },
      {
        nodeId: this.id,
        version: '0.0.0-test',
        rules: options.rules ?? openRules,
        anonymous: true,
        ...(options.keepsSettings ? { hubs: { createOnUse: false } } : {}),
        verifyToken: (token) => (token === adminToken ? admin : undefined),
        session: {
          pingIntervalMs: 25_000,
          pongTimeoutMs: 8_000,
          authTimeoutMs: 5_000,
          messagesPerSecondMax: 100_000,
        },
        maintenanceIntervalMs: 1_000,
        cluster,
      },
    );
    await this.engine.start();
  }

  /** The process ends at once; its disk keeps what was synced. */
  kill(): void {
    this.#life = {};
    this.handlers = undefined;
    for (const other of this.links) other.unlink(this);
    this.links.clear();
    this.disk.powerLoss();
    this.index.powerLoss();
  }

  /** The same node on an empty disk; only while it is down. */
  loseDisk(): void {
    const { clock } = this.world;
    this.disk = new SimulatedDisk({ clock, random: this.random, latencyMsMax: 0.2 }, {});
    this.index = new SimulatedIndex({ clock, random: this.random });
  }

  /** The index alone is gone; only while the node is down. */
  loseIndex(): void {
    this.index = new SimulatedIndex({ clock: this.world.clock, random: this.random });
  }

  unlink(other: TestNode): void {
    if (!this.links.delete(other)) return;
    const { handlers } = this;
    this.world.wires.later(() => this.handlers === handlers && handlers?.unlinked(other.id));
  }

  #link(other: TestNode): void {
    if (this.links.has(other) || !this.world.wires.isOpen(this, other)) return;
    this.links.add(other);
    other.links.add(this);
    for (const [a, b] of [
      [this, other],
      [other, this],
    ] as const) {
      const { handlers } = a;
      this.world.wires.later(() => a.handlers === handlers && a.links.has(b) && handlers?.linked(b.id));
    }
  }

  #peers(): Peers {
    const { wires } = this.world;
    const at = (address: string): TestNode | undefined =>
      this.world.nodes.find((node) => node.address === address);
    const reaches = (other: TestNode | undefined): other is TestNode =>
      other !== undefined && wires.isOpen(this, other);
    let wanted: ReadonlyMap<NodeId, string> = new Map();
    const dial = (): void => {
      for (const node of this.world.nodes) if (wanted.has(node.id)) this.#link(node);
      const life = this.#life;
      this.world.clock.after(50, () => this.#life === life && dial());
    };
    return {
      start: (handlers) => {
        this.handlers = handlers;
        dial();
      },
      keepLinks: (peers) => {
        wanted = peers;
      },
      send: (peer, message) => {
        const other = this.world.nodes.find(({ id }) => id === peer);
        const bytes = message.slice();
        const handlers = other?.handlers;
        if (!other || !this.links.has(other)) return;
        wires.later(() => {
          if (other.handlers !== handlers || !this.links.has(other)) return;
          wires.received.set(other, (wires.received.get(other) ?? 0) + bytes.length);
          handlers?.received(this.id, bytes);
        });
      },
      sendPacket: (address, packet) => {
        const other = at(address);
        const bytes = packet.slice();
        if (reaches(other)) wires.later(() => reaches(other) && other.handlers?.packet(this.address, bytes));
      },
      askPulse: () => undefined,
      ask: async (address, question) => {
        const other = at(address);
        await this.world.clock.sleep(2 * linkMs);
        const answer = reaches(other) ? other.handlers?.asked(question) : undefined;
        if (!answer) throw new Error('nobody answers');
        return answer;
      },
      stop: () => {
        this.handlers = undefined;
        for (const other of this.links) other.unlink(this);
        this.links.clear();
      },
    };
  }
}

/** Points of a node on the ring: few, so that changes cost little. */
export const virtualNodes = 16;

export interface ClusterWorldOptions {
  readonly nodes: number;
  readonly replicas?: Replicas;
  readonly rules?: RuleConfig;
  /** Hubs can be made and set at run time. */
  readonly keepsSettings?: boolean;
  readonly secrets?: Secrets;
  readonly services?: ServiceCalls;
  readonly authenticator?: Authenticator;
  readonly trimGraceMs?: number;
  readonly expelAfterMs?: number;
  readonly catchUpShare?: number;
  readonly joinsOthers?: boolean;
  /** What a node takes itself to have worked each time it looks; left out: nothing. */
  readonly lookMs?: number;
  readonly seed?: number;
}

export class ClusterWorld {
  readonly clock = new SimulatedClock();
  readonly wires = new Wires(this.clock);
  readonly nodes: TestNode[] = [];
  readonly ring: Ring;

  constructor(readonly options: ClusterWorldOptions) {
    while (this.nodes.length < options.nodes) this.#add();
    const members = this.nodes.map(({ id }) => ({ node: id, state: 'active' as const }));
    this.ring = {
      cluster: 'c'.repeat(32) as ClusterId,
      version: 1,
      replicas: options.replicas ?? 3,
      // Fewer than usual: what a start and a change of the ring cost goes with them.
      virtualNodes,
      members: members.sort((a, b) => (a.node < b.node ? -1 : 1)),
      lineage: [],
    };
    for (const node of this.nodes) node.ring = this.ring;
  }

  #add(): TestNode {
    const number = this.nodes.length + 1;
    const node = new TestNode(this, number, seededRandom((this.options.seed ?? 7) * 100 + number));
    this.nodes.push(node);
    return node;
  }

  /** One more node, alone in a ring of its own. */
  async addNode(): Promise<TestNode> {
    const node = this.#add();
    await this.run(node.start(true));
    return node;
  }

  /** One more node, which holds nothing. */
  async addEdge(): Promise<TestNode> {
    const node = this.#add();
    node.isEdge = true;
    node.ring = nowhereRing();
    await this.run(node.start(true));
    return node;
  }

  static async start(options: ClusterWorldOptions): Promise<ClusterWorld> {
    const world = new ClusterWorld(options);
    await world.run(Promise.all(world.nodes.map((node) => node.start(true))));
    await world.pass(3_000);
    return world;
  }

  run<T>(task: Promise<T>): Promise<T> {
    return this.clock.until(task);
  }

  async pass(ms: number): Promise<void> {
    await this.run(this.clock.sleep(ms));
  }

  /** One node on one side, all others on the other. */
  isolate(node: TestNode): void {
    for (const other of this.nodes) if (other !== node) this.wires.cut(node, other);
  }

  mend(): void {
    for (const a of this.nodes) for (const b of this.nodes) if (a !== b) this.wires.mend(a, b);
  }

  /** What each node that is up says of the channel's log; one text where all hold the same. */
  async digests(channel: string): Promise<Set<string>> {
    const digests = new Set<string>();
    for (const node of this.nodes) {
      if (!node.handlers) continue;
      const digest = await this.run(node.engine.digest('default', channel));
      digests.add(digest.ok ? JSON.stringify(digest.value) : digest.error.code);
    }
    return digests;
  }
}
