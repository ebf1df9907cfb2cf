/** One machine with its disk, and the processes of the product that run on it one after another. */
import { createHash } from 'node:crypto';
import { toHex } from '../../src/base/bytes.js';
import type { NodeId } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import { Engine } from '../../src/engine/engine.js';
import type { ClusterOptions, EngineOptions } from '../../src/engine/options.js';
import { type EnginePorts, type Observation, StoreFailedError } from '../../src/engine/ports.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { SimulatedDisk } from '../world/disk.js';
import { SimulatedIndex } from '../world/key-value.js';
import { Life, type Machine } from '../world/machine.js';
import type { Archive } from './archive.js';
import { chanceFor } from './chance.js';
import type { ClientNetwork } from './client-network.js';
import type { PeerNetwork } from './peer-network.js';
import { RawDisk } from './raw-disks.js';
import type { RingsSeen } from './rings-seen.js';
import type { ClusterRecord, SeenProcess } from './record.js';
import { simulatedSecrets } from './secrets.js';
import type { Trace } from './trace.js';
import { nameIn, refOf } from './places.js';

const dataDirectory = '/data';
const segmentsDirectory = `${dataDirectory}/store/segments/`;

export type NodeState = 'down' | 'starting' | 'up' | 'stopping';

export interface NodeWorld {
  readonly seed: number;
  readonly trace: Trace;
  readonly clients: ClientNetwork;
  readonly peers: PeerNetwork;
  readonly disks: RawDisk[];
  readonly record: ClusterRecord;
  readonly archive: Archive;
  nowMs(): number;
  /** The product did something no fault explains. */
  broken(error: unknown): void;
  conflict(what: string): void;
  readonly rings: RingsSeen | undefined;
  lookAtRings(nodes: readonly SimulatedNode[]): void;
}

/** Files of a node's disk at some time: what a backup or a copied directory holds. */
export type DiskImage = readonly (readonly [path: string, bytes: Uint8Array])[];

export interface NodeOptions {
  readonly name: string;
  /** No member of the ring at first. */
  readonly isSpare: boolean;
  /** That of another node: a copy of it. */
  readonly id?: NodeId;
  readonly segmentBytes: number;
  /** Clients of other nodes are told where it is. */
  readonly tellsClients?: boolean;
  readonly engine: Omit<EngineOptions, 'nodeId'>;
  /** What is the same at every start; left out by a node that stays alone. */
  readonly cluster?: Pick<ClusterOptions, 'ring' | 'membership' | 'seeds' | 'expelAfterMs'>;
}

export function nodeIdOf(name: string): NodeId {
  return createHash('sha256').update(name).digest('hex').slice(0, 32) as NodeId;
}

export function peerAddressOf(name: string): string {
  return `${name}:7946`;
}

export class SimulatedNode {
  readonly name: string;
  readonly id: NodeId;
  readonly host: string;
  readonly machine: Machine;
  readonly index: SimulatedIndex;
  state: NodeState = 'down';
  starts = 0;
  engine: Engine | undefined;
  /** The disk is the one the ring was founded with. */
  #isFounding = true;
  disk!: SimulatedDisk;
  rawDisk!: RawDisk;
  /** Told of what nodes tell of themselves. */
  onObservation: (observation: Observation) => void = () => {};
  /** The node cannot go on, and says so. */
  onFailed: () => void = () => {};
  readonly #world: NodeWorld;
  readonly #options: NodeOptions;
  readonly #random: Random;
  #life: Life | undefined;
  #process: SeenProcess | undefined;
  /** A segment was written to and not yet synced. */
  #isCommitting = false;
  #ambush: (() => void) | undefined;

  constructor(world: NodeWorld, machine: Machine, options: NodeOptions) {
    this.#world = world;
    this.#options = options;
    this.name = options.name;
    this.host = `${options.name}:8080`;
    this.machine = machine;
    this.#random = chanceFor(world.seed, `${this.name} product`);
    this.id = options.id ?? nodeIdOf(this.name);
    this.index = new SimulatedIndex({
      clock: machine,
      random: chanceFor(world.seed, `${this.name} index`),
      dies: (what) => this.disk.step(what),
      isAlive: () => this.disk.alive,
    });
    this.#putDisk();
  }

  get isSpare(): boolean {
    return this.#options.isSpare;
  }

  get life(): Life | undefined {
    return this.#life;
  }

  get isCommitting(): boolean {
    return this.#isCommitting;
  }

  /** Calls back in the midst of the next commit, unless the process ends first; `undefined` for nothing any more. */
  ambush(strike: (() => void) | undefined): void {
    this.#ambush = strike;
  }

  #stepped(what: string): void {
    if (!what.startsWith(`write ${segmentsDirectory}`)) return;
    this.#isCommitting = true;
    const { hasOpen } = this.#world.record;
    if (!this.#ambush || !hasOpen) return;
    const strike = this.#ambush;
    this.#ambush = undefined;
    // Behind the write: a sync takes longer than that.
    this.machine.line.after(0, () => {
      if (this.#isCommitting && this.state !== 'down') strike();
    });
  }

  /** Starts a process on what the disk holds; `state` says how far it got. */
  start(): void {
    const life = new Life(this.machine);
    this.#life = life;
    this.state = 'starting';
    this.starts++;
    this.#process = { node: this.name, bornMs: this.#world.nowMs(), heard: new Map() };
    this.#world.record.starts.set(this.name, this.starts);
    this.#world.trace.tell(`${this.name} starts`);
    this.machine.run(() => void this.#boot(life));
  }

  async #boot(life: Life): Promise<void> {
    try {
      const engine = new Engine(this.#ports(life), this.#engineOptions());
      this.engine = engine;
      await engine.start();
      if (!life.alive) return;
      this.#noteWriter();
      this.state = 'up';
      this.#world.trace.tell(`${this.name} serves`);
      const openSession = engine.openSession.bind(engine);
      this.#world.clients.listen(this.host, { name: this.name, life, openSession });
    } catch (error) {
      if (!life.alive) return;
      this.#world.trace.tell(`${this.name} could not start: ${String(error)}`);
      this.#over(false);
      this.onFailed();
    }
  }

  #engineOptions(): EngineOptions {
    const { cluster, engine, tellsClients } = this.#options;
    const options = { ...engine, nodeId: this.id };
    if (!cluster) return options;
    const profile = {
      peerAddress: peerAddressOf(this.name),
      clientAddresses: tellsClients === true ? [`http://${this.host}`] : [],
      role: 'core',
      load: 0,
    } as const;
    return { ...options, cluster: { ...cluster, isFounding: this.#isFounding, profile } };
  }

  #ports(life: Life): EnginePorts {
    const observer = { observe: (observation: Observation) => life.alive && this.#observed(observation) };
    const random = this.#random;
    const { cluster } = this.#options;
    const { name, id } = this;
    const store = this.#storeOptions();
    return {
      clock: life,
      timers: life,
      random,
      observer,
      secrets: simulatedSecrets(random),
      hashing: { sha256: (bytes) => createHash('sha256').update(bytes).digest() },
      ...(cluster && {
        peers: this.#world.peers.port({
          name,
          id,
          address: peerAddressOf(name),
          life,
          heard: (from) => this.#heard(from),
        }),
      }),
      openStore: () => openLogStore({ ...store, clock: life, random, observer, files: this.disk.files() }),
    };
  }

  #observed(observation: Observation): void {
    this.#world.trace.add(`${this.name} ${JSON.stringify(observation)}`);
    this.onObservation(observation);
    if (observation.type === 'alarm' && observation.code === 'INTERNAL') {
      this.#world.broken(new Error(`${this.name}: ${observation.message}`));
    }
    if (observation.type === 'store-reopened') this.#noteWriter();
    if (observation.type !== 'node-failed') return;
    this.#world.trace.tell(`${this.name} failed: ${observation.message}`);
    this.#life!.after(0, () => {
      this.disk.kill();
      this.index.kill();
      this.#over(false);
      this.onFailed();
    });
  }

  #noteWriter(): void {
    const writer = this.engine?.status().writer ?? '';
    const { writers } = this.#world.record;
    if (writer === '' || !this.#process || writers.has(writer)) return;
    writers.set(writer, { process: this.#process, disk: this.rawDisk.number });
  }

  #heard(from: string): void {
    const heard = this.#process?.heard;
    if (heard && !heard.has(from)) heard.set(from, this.#world.nowMs());
  }

  /** Notes by how much the wall clock is ahead. */
  noteLead(): void {
    const { machine } = this;
    this.#world.record.isAhead(this.name, machine.wallMs() - machine.line.wallMs());
  }

  /** The process ends inside the step of the disk that many steps from now. */
  crashAtStep(steps: number, isPowerLoss: boolean, then: () => void): void {
    const life = this.#life;
    this.disk.dieAfter(steps, () => {
      // What goes on in this turn is not seen by anybody any more.
      life?.end();
      this.machine.line.after(0, () => {
        if (this.#life !== life || this.state === 'down') return;
        then();
        this.crash(isPowerLoss);
      });
    });
  }

  crash(isPowerLoss: boolean): void {
    if (this.state === 'down') return;
    this.#world.trace.tell(`${this.name} ${isPowerLoss ? 'loses power' : 'is killed'}`);
    if (isPowerLoss) {
      this.disk.powerLoss();
      this.index.powerLoss();
    } else {
      this.disk.kill();
      this.index.kill();
    }
    this.#over(isPowerLoss);
  }

  /** As an operator stops it; resolves when it is down, however it got there. */
  async stop(): Promise<void> {
    const life = this.#life;
    if (this.state !== 'up' || !this.engine || !life) return;
    this.state = 'stopping';
    this.#world.trace.tell(`${this.name} stops`);
    this.#world.clients.unlisten(this.host);
    await life.answered(this.engine.stop());
    if (this.#life !== life || !life.alive) return;
    this.disk.kill();
    this.index.kill();
    this.#over(false);
  }

  /** The process is gone. */
  #over(isSilent: boolean): void {
    this.#life?.end();
    this.#world.rings?.ended(this.name, this.#world.nowMs());
    this.state = 'down';
    this.#isCommitting = false;
    this.#ambush = undefined;
    this.engine = undefined;
    this.rawDisk.restarted();
    this.machine.resume();
    this.#world.clients.unlisten(this.host);
    this.#world.clients.nodeGone(this.name, isSilent);
    this.#world.peers.nodeGone(this.name, isSilent);
  }

  /** A new disk instead of the old one, empty or about to get what `copied` held once; only while down. Returns the number of
   *  the lost one. */
  loseDisk(copied?: RawDisk): number {
    const lost = this.rawDisk.number;
    this.#world.trace.tell(`${this.name} loses its disk`);
    this.index.drop();
    this.#isFounding = false;
    this.#putDisk(copied);
    return lost;
  }

  /** What the files hold now, whether a process runs or not; the index is left out, as in a backup of what matters. */
  image(): DiskImage {
    const files = this.disk.names.files();
    return files.map(([path, inode]) => [path, inode.data.slice(0, inode.size)]);
  }

  /** A disk with those files instead of the old one; only while down. Returns the number of the lost one. */
  putImage(image: DiskImage): number {
    const lost = this.loseDisk(this.rawDisk);
    const { names } = this.disk;
    for (const [path, bytes] of image) {
      names.makeDirectory(path.slice(0, path.lastIndexOf('/')));
      const inode = names.open(path, 'create');
      inode.write(bytes, 0);
      inode.sync();
    }
    for (const [path] of image) {
      for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
        names.sync(path.slice(0, end));
    }
    for (const [path, inode] of names.files()) this.rawDisk.synced(path, inode);
    return lost;
  }

  #putDisk(copied?: RawDisk): void {
    const { disks, seed } = this.#world;
    const number = disks.length;
    const { record } = this.#world;
    const rawDisk = new RawDisk({
      number,
      node: this.name,
      copied,
      nowMs: () => this.#world.nowMs(),
      conflict: (what) => this.#world.conflict(what),
      synced: (raw) => {
        const { channel, writer, round } = raw;
        this.#world.archive.note(raw, number, this.name);
        record.stamped(nameIn(channel), writer, round, this.#world.nowMs());
      },
    });
    disks.push(rawDisk);
    this.rawDisk = rawDisk;
    this.disk = new SimulatedDisk({
      clock: this.machine,
      random: chanceFor(seed, `disk ${number}`),
      latencyMsMax: 0.6,
      capacityBytes: 1 << 30,
      onStep: (what) => {
        this.#world.trace.add(what, number);
        this.#stepped(what);
      },
      onSynced: (path, inode) => {
        if (path.startsWith(segmentsDirectory)) this.#isCommitting = false;
        this.noteLead();
        rawDisk.synced(path, inode);
        this.#world.lookAtRings([this]);
      },
    });
  }

  /** The digests that the store tells of these channels, by what it summed up before; only while down. */
  async digests(channels: readonly string[]): Promise<ReadonlyMap<string, string>> {
    try {
      return await this.#digestsNow(channels);
    } catch (error) {
      // It noted that it doubts its index, and makes it anew.
      if (!this.rawDisk.isRotten || !(error instanceof StoreFailedError)) throw error;
      return await this.#digestsNow(channels);
    }
  }

  async #digestsNow(channels: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { line } = this.machine;
    const store = await openLogStore({
      ...this.#storeOptions(),
      clock: line,
      random: chanceFor(this.#world.seed, `${this.name} digests`),
      observer: { observe: () => undefined },
      files: this.disk.files(),
    });
    try {
      const told = new Map<string, string>();
      for (const channel of channels) {
        const digest = await store.digest(refOf(channel));
        if (digest && digest.missing.length === 0) told.set(channel, toHex(digest.digest));
      }
      return told;
    } finally {
      await store.close();
    }
  }

  #storeOptions() {
    return {
      directory: dataDirectory,
      soleHome: this.#options.cluster === undefined,
      plentyBytes: 0,
      reserveBytes: 131_072,
      segmentBytes: this.#options.segmentBytes,
      openIndex: () => this.index.keyValue(),
    };
  }

  /** Something on its disk changed by itself, and nobody was told. */
  rotted(what: string): void {
    this.#world.trace.tell(`${this.name} rots: ${what}`);
    this.rawDisk.isRotten = true;
    this.#world.record.lostDisks.set(this.rawDisk.number, this.#world.nowMs());
    this.#world.record.rotten.add(this.rawDisk.number);
  }

  /** Segment files as they are now. */
  segmentFiles(): { name: string; bytes: Uint8Array }[] {
    return this.disk.names
      .files()
      .filter(([path]) => path.startsWith(segmentsDirectory))
      .map(([path, inode]) => ({
        name: path.slice(segmentsDirectory.length),
        bytes: inode.data.subarray(0, inode.size),
      }));
  }
}
