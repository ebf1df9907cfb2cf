/** Two nodes with filled stores and a link that counts: what it takes until both hold the same. The nodes are the engine and
 *  the store as shipped, on disks in memory and in virtual time. */
import { createHash } from 'node:crypto';
import type { ChannelName, ChannelRef, HubName, NodeId, WriterId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { defaultRules } from '../../src/channels/rules.js';
import { lan } from '../../src/cluster/parameters.js';
import type { ClusterId, Ring } from '../../src/cluster/ring.js';
import { decodePeerMessages } from '../../src/engine/cluster/peer-wire.js';
import { Engine } from '../../src/engine/engine.js';
import type { LogStore, PeerHandlers, Peers } from '../../src/engine/ports.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { type Checkpoint, checkpointNoteOf, encodeCheckpoint } from '../../src/replication/catch-up-notes.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { SimulatedClock } from '../world/clock.js';
import { SimulatedDisk } from '../world/disk.js';
import { SimulatedIndex } from '../world/key-value.js';

/** How many entries of each channel each of two nodes has. */
export type Held = (channel: number) => readonly [first: number, second: number];

export interface ReachOptions {
  readonly channels: number;
  readonly payloadBytes: number;
  readonly held: Held;
  /** Entries of each channel that came to the first while the second was away: catching up brings them. */
  readonly missed?: number;
}

/** What went over the link, both ways, of what compares and of what mends. */
export interface Traffic {
  compareBytes: number;
  mendBytes: number;
  /** Of `mendBytes` the runs themselves: headers and records. */
  runBytes: number;
  questions: number;
  /** The longest chain of messages each of which answers the one before. */
  legs: number;
  /** Everything else: claims. */
  otherBytes: number;
}

const linkMs = 1;
const writer = '0192f0c1a2b3000000000001' as WriterId;
const commitChannels = 50;

export const channelName = (i: number): ChannelRef => ({
  hub: 'default' as HubName,
  channel: `room:${i}` as ChannelName,
});

class ReachNode {
  readonly id: NodeId;
  readonly address: string;
  readonly disk: SimulatedDisk;
  readonly index: SimulatedIndex;
  readonly random: Random;
  handlers: PeerHandlers | undefined;
  engine!: Engine;
  /** Of what was compared with it, the end of the longest chain. */
  chain = 0;

  constructor(
    readonly clock: SimulatedClock,
    readonly number: number,
  ) {
    this.id = createHash('sha256').update(`reach ${number}`).digest('hex').slice(0, 32) as NodeId;
    this.address = `10.0.0.${number}:7946`;
    this.random = seededRandom(number);
    this.disk = new SimulatedDisk({ clock, random: this.random, capacityBytes: 2 ** 40 }, {});
    this.index = new SimulatedIndex({ clock, random: this.random });
  }

  openStore(soleHome: boolean): Promise<LogStore> {
    return openLogStore({
      directory: '/data',
      soleHome,
      plentyBytes: 1 << 30,
      reserveBytes: 0,
      files: this.disk.files(),
      openIndex: () => this.index.keyValue(),
      clock: this.clock,
      random: this.random,
      observer: { observe: () => undefined },
    });
  }
}

export class ReachWorld {
  readonly traffic: Traffic = {
    compareBytes: 0,
    mendBytes: 0,
    runBytes: 0,
    questions: 0,
    legs: 0,
    otherBytes: 0,
  };
  readonly #clock = new SimulatedClock();
  readonly #nodes: readonly [ReachNode, ReachNode];
  readonly #options: ReachOptions;
  /** Of the runs that came while the second was away. */
  missedBytes = 0;
  readonly #chains = new Map<string, { readonly from: ReachNode; readonly chain: number }>();
  #isLinked = false;

  constructor(options: ReachOptions) {
    this.#options = options;
    this.#nodes = [new ReachNode(this.#clock, 1), new ReachNode(this.#clock, 2)];
  }

  /** Fills both stores and starts both nodes; every digest is known, as after an earlier comparison, and each takes itself
   *  to have all that arrived at the other: what differs is for comparisons to find. */
  async start(): Promise<void> {
    const [a, b] = this.#nodes;
    const filled = [await this.#until(this.#fill(a, 0)), await this.#until(this.#fill(b, 1))] as const;
    await this.#until(this.#note(a, b, filled[1]));
    await this.#until(this.#note(b, a, filled[0]));
    for (const node of this.#nodes) await this.#until(this.#boot(node));
  }

  /** Until the nodes are done with each other, as far as `isDone` says; false when that takes too long. */
  async compare(msMax = 600_000): Promise<boolean> {
    const end = this.#clock.monotonicMs() + msMax;
    let quietSince = Infinity;
    let said = -1;
    while (this.#clock.monotonicMs() < end) {
      await this.#until(this.#clock.sleep(500));
      const { compareBytes, mendBytes, otherBytes } = this.traffic;
      const now = compareBytes + mendBytes + otherBytes;
      if (now !== said || compareBytes === 0) quietSince = this.#clock.monotonicMs();
      said = now;
      if (compareBytes > 0 && this.#clock.monotonicMs() - quietSince > 3_000) return true;
    }
    return false;
  }

  /** Whether both read the same from disk. */
  async isEqual(): Promise<boolean> {
    const report = await this.#until(this.#nodes[0].engine.cluster!.verify());
    return report?.isEqual === true;
  }

  async stop(): Promise<void> {
    for (const node of this.#nodes) await this.#until(node.engine.stop());
  }

  #until<T>(task: Promise<T>): Promise<T> {
    return this.#clock.until(task, 100 * 3_600_000);
  }

  async #fill(node: ReachNode, side: 0 | 1): Promise<Checkpoint> {
    const store = await node.openStore(true);
    const { channels, held, missed = 0 } = this.#options;
    const checksums: number[] = [];
    const counts = Array.from({ length: channels }, (_, i) => held(i)[side]);
    await this.#write(store, counts, counts, checksums);
    const { storeId, newestArrival } = store;
    if (side === 0 && missed > 0) {
      const through = counts.map((count) => count + missed);
      const more = counts.map(() => missed);
      this.missedBytes = await this.#write(store, through, more, checksums);
    }
    await store.close();
    return { store: storeId, arrival: newestArrival, ringVersion: 1 };
  }

  /** The last so many entries of each channel, up to these; returns their bytes. */
  async #write(
    store: LogStore,
    through: readonly number[],
    counts: readonly number[],
    checksums: number[],
  ): Promise<number> {
    const { payloadBytes } = this.#options;
    const runs = new RunWriter();
    const refs: ChannelRef[] = [];
    let written = 0;
    const flush = async (): Promise<void> => {
      const bytes = runs.bytes();
      written += bytes.length;
      await store.commit({ bytes, runs: [...runs.runs] });
      runs.clear();
      for (const ref of refs) await store.digest(ref);
      for (const ref of refs.splice(0)) store.release(ref);
    };
    for (const [i, count] of counts.entries()) {
      if (count === 0) continue;
      const last = through[i]!;
      const first = last - count + 1;
      const ref = channelName(i);
      const log = await store.open(ref);
      refs.push(ref);
      runs.begin(ref, writer, 1, first, checksums[i] ?? 0);
      for (let seq = first; seq <= last; seq++) {
        const parents = seq === 1 ? log.parentsFor(writer, true) : undefined;
        const content = contentOf(i, seq, payloadBytes);
        runs.append({ kind: 'publish', content, timestamp: 1_000_000 + seq, ...(parents && { parents }) });
      }
      checksums[i] = runs.lastChecksum;
      runs.end();
      if (refs.length >= commitChannels) await flush();
    }
    if (refs.length > 0) await flush();
    return written;
  }

  async #note(node: ReachNode, peer: ReachNode, checkpoint: Checkpoint): Promise<void> {
    const store = await node.openStore(true);
    const notes = new Map([[checkpointNoteOf(peer.id), encodeCheckpoint(checkpoint)]]);
    await store.commit({ bytes: new Uint8Array(0), runs: [], notes });
    await store.close();
  }

  async #boot(node: ReachNode): Promise<void> {
    const { clock } = this.#nodes[0];
    const members = this.#nodes.map(({ id }) => ({ node: id, state: 'active' as const }));
    const ring: Ring = {
      cluster: 'c'.repeat(32) as ClusterId,
      version: 1,
      replicas: 2,
      members: members.sort((a, b) => (a.node < b.node ? -1 : 1)),
      lineage: [],
    };
    const profile = { peerAddress: node.address, clientAddresses: [], role: 'core', load: 0 } as const;
    const seeds = this.#nodes.map(({ address }) => address);
    node.engine = new Engine(
      {
        clock,
        timers: clock,
        random: node.random,
        hashing: { sha256: (bytes) => createHash('sha256').update(bytes).digest() },
        observer: { observe: () => undefined },
        openStore: () => node.openStore(false),
        peers: this.#peers(node),
      },
      {
        nodeId: node.id,
        version: '0.0.0-reach',
        rules: { hubs: { default: {} }, sets: { default: defaultRules } } as never,
        anonymous: true,
        verifyToken: () => undefined,
        session: {
          pingIntervalMs: 25_000,
          pongTimeoutMs: 8_000,
          authTimeoutMs: 5_000,
          messagesPerSecondMax: 1_000,
        },
        maintenanceIntervalMs: 1_000,
        cluster: { ring, isFounding: true, profile, membership: lan, seeds },
      },
    );
    await node.engine.start();
  }

  #other(node: ReachNode): ReachNode {
    return node === this.#nodes[0] ? this.#nodes[1] : this.#nodes[0];
  }

  #peers(node: ReachNode): Peers {
    const clock = this.#clock;
    const other = this.#other(node);
    const later = (callback: () => void): void => void clock.after(linkMs, callback);
    return {
      start: (handlers) => {
        node.handlers = handlers;
      },
      keepLinks: (peers) => {
        if (this.#isLinked || !peers.has(other.id) || !other.handlers) return;
        this.#isLinked = true;
        later(() => {
          node.handlers?.linked(other.id);
          other.handlers?.linked(node.id);
        });
      },
      send: (_peer, message) => {
        const bytes = message.slice();
        const chain = this.#count(node, bytes);
        later(() => {
          other.chain = Math.max(other.chain, chain);
          other.handlers?.received(node.id, bytes);
        });
      },
      sendPacket: (_address, packet) => {
        const bytes = packet.slice();
        later(() => other.handlers?.packet(node.address, bytes));
      },
      askPulse: () => undefined,
      ask: async (_address, question) => {
        await clock.sleep(2 * linkMs);
        const answer = other.handlers?.asked(question);
        if (!answer) throw new Error('nobody answers');
        return answer;
      },
      stop: () => {
        node.handlers = undefined;
      },
    };
  }

  /** Returns where in its chain the letter is. */
  #count(node: ReachNode, bytes: Uint8Array): number {
    const messages = decodePeerMessages(bytes);
    if (!messages.ok) throw new Error(messages.error);
    const said = messages.value.flatMap((each) => (each.type === 'replication' ? each.frame.messages : []));
    if (said.length === 0) return 0;
    const { traffic } = this;
    const comparing = said.filter(({ type }) => type === 'reconcile' || type === 'reconciled');
    const mending = said.filter(({ type }) => mends.has(type));
    traffic.questions += said.filter(({ type }) => type === 'reconcile').length;
    for (const message of mending)
      if ('runs' in message) for (const run of message.runs) traffic.runBytes += run.length;
    // Where both are in one letter the lists of the one are longer than the questions of the other.
    if (mending.length > 0) traffic.mendBytes += bytes.length;
    else if (comparing.length > 0) traffic.compareBytes += bytes.length;
    else traffic.otherBytes += bytes.length;
    for (const message of mending) if ('ref' in message) this.#mends(node, message.ref.channel);
    return comparing.length > 0 ? this.#follows(node.chain) : 0;
  }

  /** Messages about one channel answer each other; the first follows what was compared until then. */
  #mends(node: ReachNode, channel: string): void {
    const last = this.#chains.get(channel);
    if (last?.from === node) return;
    this.#chains.set(channel, { from: node, chain: this.#follows(last?.chain ?? node.chain) });
  }

  #follows(chain: number): number {
    this.traffic.legs = Math.max(this.traffic.legs, chain + 1);
    return chain + 1;
  }
}

const mends: ReadonlySet<string> = new Set(['pull', 'state', 'append', 'ack', 'refused']);

/** Like text: a payload of one byte over and over would be shorter in no form that is used here, and tell less. */
function contentOf(channel: number, seq: number, bytes: number): Uint8Array {
  const text = `message ${seq} of ${channel} `.repeat(Math.ceil(bytes / 16)).slice(0, bytes);
  return encodeContent({ payload: new TextEncoder().encode(text) });
}
