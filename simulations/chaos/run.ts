/** Real processes under load, one fault after another; at the end everything is healed, and judged from the frames that came
 *  over the wire and the files of the stopped nodes. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Random, seededRandom } from '../../src/base/random.js';
import { waitUntil } from '../clients/wait.js';
import { ClusterRecord } from '../cluster/record.js';
import type { VerifyJson } from '../../src/cli/verify-pages.js';
import { ProcessCluster } from '../processes/cluster.js';
import { SteadyPublisher } from '../processes/publisher.js';
import { SeenReader } from '../processes/reader.js';
import { type Verdict, judge } from '../processes/verdict.js';
import { type FaultKind, faultOrder, faults } from './faults.js';
import { SmallDisk } from './small-disk.js';

export interface ChaosOptions {
  /** Of the phase in which things go wrong; one fault is always brought to its end. */
  readonly lengthMs: number;
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  /** Publishes a second. */
  readonly rate: number;
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
}

export interface ChaosResult {
  readonly verdict: Verdict;
  /** How often each kind came. */
  readonly fired: ReadonlyMap<FaultKind, number>;
  /** The longest time without an ack in a channel, of each fault. */
  readonly silences: readonly { readonly kind: FaultKind; readonly ms: number }[];
  readonly delivered: number;
  readonly refusals: ReadonlyMap<string, number>;
  readonly problems: readonly string[];
  readonly passed: boolean;
}

const nodeCount = 3;
const channels = ['chaos:a', 'chaos:b', 'chaos:c', 'chaos:d'];
const windowMax = 40;
const ackLimitMs = 120_000;
const settleLimitMs = 240_000;
const problemsMax = 20;
const segmentBytes = 8_388_608;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const isFilled = options.kinds.includes('full disk');
  const disk = isFilled ? SmallDisk.mount('n1') : undefined;
  if (isFilled && !disk) options.tell('no file system may be mounted here: no disk is filled');
  const oddFolder = mkdtempSync(join(tmpdir(), 'ringlog-odd-'));
  const cluster = await ProcessCluster.start({
    oddFolder,
    nodes: nodeCount,
    signal: options.signal,
    args: ['--storage-segment-bytes', String(segmentBytes)],
    below: (name) => (name === disk?.node ? disk.folder : undefined),
  }).catch((error: unknown) => {
    disk?.unmount();
    rmSync(oddFolder, { recursive: true, force: true });
    throw error;
  });
  const chaos = new Chaos(cluster, disk, options);
  try {
    return await chaos.run();
  } finally {
    chaos.close();
    await cluster.remove();
    disk?.unmount();
    rmSync(oddFolder, { recursive: true, force: true });
  }
}

class Chaos {
  readonly #cluster: ProcessCluster;
  readonly #disk: SmallDisk | undefined;
  readonly #options: ChaosOptions;
  readonly #random: Random;
  readonly #record = new ClusterRecord();
  readonly #publishers: readonly SteadyPublisher[];
  readonly #readers: readonly SeenReader[];
  readonly #problems: string[] = [];
  readonly #fired = new Map<FaultKind, number>();
  readonly #silences: { kind: FaultKind; ms: number }[] = [];
  readonly #load: NodeJS.Timeout;
  #turn = 0;
  /** By channel, when something was acknowledged last. */
  readonly #ackedMs = new Map<string, number>();
  #silentMs = 0;

  constructor(cluster: ProcessCluster, disk: SmallDisk | undefined, options: ChaosOptions) {
    this.#cluster = cluster;
    this.#disk = disk;
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const { urls } = cluster;
    const { seed } = options;
    const common = {
      hub: 'default',
      record: this.#record,
      onProblem: (problem: string) => this.#note(problem),
    };
    const from = (i: number) => [...urls.slice(i % urls.length), ...urls.slice(0, i % urls.length)];
    this.#publishers = channels.map((channel, i) => {
      const onAck = () => this.#noteAck(channel);
      const own = { name: `publisher-${i + 1}`, urls: from(i), channel, windowMax, seed: seed + i, onAck };
      return new SteadyPublisher({ ...common, ...own });
    });
    this.#readers = cluster.nodes.map(
      ({ name }, i) =>
        new SeenReader({
          ...common,
          name: `reader at ${name}`,
          urls: from(i),
          channels,
          seed: seed + 100 + i,
        }),
    );
    this.#load = setInterval(() => this.#publish(), 1_000 / options.rate);
  }

  close(): void {
    clearInterval(this.#load);
    for (const client of [...this.#publishers, ...this.#readers]) client.close();
  }

  async run(): Promise<ChaosResult> {
    await this.#orProblem(this.#goWrong());
    await this.#orProblem(this.#settle());
    const proof = await this.#proof();
    this.close();
    for (const node of this.#cluster.nodes) await this.#orProblem(node.stop());
    // Of one that did not come back what went wrong on the way is told, not that its files are missing.
    const nodes = this.#cluster.nodes.flatMap(({ name, process: { segmentsPath } }) => {
      if (existsSync(segmentsPath)) return [{ name, segmentsPath }];
      this.#note(`${name} has no store`);
      return [];
    });
    const verdict = judge(this.#record, nodes, proof);
    const refusals = new Map<string, number>();
    for (const publisher of this.#publishers)
      for (const [code, count] of publisher.refusals) refusals.set(code, (refusals.get(code) ?? 0) + count);
    return {
      verdict,
      fired: this.#fired,
      silences: this.#silences,
      delivered: this.#readers.reduce((sum, { delivered }) => sum + delivered, 0),
      refusals,
      problems: this.#problems,
      passed: verdict.findings.length === 0 && this.#problems.length === 0,
    };
  }

  async #goWrong(): Promise<void> {
    const { lengthMs, kinds, signal, tell } = this.#options;
    const world = {
      cluster: this.#cluster,
      random: this.#random,
      signal,
      disk: this.#disk,
      acks: () => this.#acks(),
      tell,
    };
    await this.#acks();
    const end = performance.now() + lengthMs;
    for (const kind of faultOrder(this.#random, kinds)) {
      this.#silentMs = 0;
      await faults[kind](world);
      await this.#cluster.together();
      await this.#acks();
      this.#fired.set(kind, (this.#fired.get(kind) ?? 0) + 1);
      this.#silences.push({ kind, ms: this.#silentMs });
      tell(
        `${kind} is over; ${Math.round(this.#silentMs)} ms without an ack in a channel at most, ${this.#record.acks.length} so far`,
      );
      if (performance.now() >= end) return;
      await pause(this.#random.next() * 1_000, undefined, { signal });
    }
  }

  /** Everything is answered, read, and the same everywhere. */
  async #settle(): Promise<void> {
    const { signal } = this.#options;
    clearInterval(this.#load);
    const waiting = () => this.#publishers.reduce((sum, publisher) => sum + publisher.waiting, 0);
    const progress = () =>
      this.#record.acks.length + this.#readers.reduce((sum, { lines }) => sum + lines.size, 0);
    const limits = { limitMs: settleLimitMs, progress, signal };
    await waitUntil(() => waiting() === 0, { what: 'publishes are answered', ...limits });
    const haveAll = () => this.#readers.every(({ lines }) => lines.size >= this.#record.publishes.length);
    await waitUntil(haveAll, { what: 'readers have all', ...limits });
    await this.#cluster.becomes(() => this.#cluster.areEqual(channels), 'all nodes hold the same');
  }

  async #proof(): Promise<VerifyJson | undefined> {
    try {
      return await this.#cluster.verify();
    } catch (error) {
      this.#note(String(error));
      return undefined;
    }
  }

  #publish(): void {
    const publisher = this.#publishers[this.#turn++ % this.#publishers.length]!;
    if (publisher.hasRoom) publisher.publish({ text: 'x'.repeat(Math.floor(this.#turn % 200)) });
  }

  #noteAck(channel: string): void {
    const now = performance.now();
    this.#silentMs = Math.max(this.#silentMs, now - (this.#ackedMs.get(channel) ?? now));
    this.#ackedMs.set(channel, now);
  }

  /** In every channel. */
  async #acks(): Promise<void> {
    const { signal } = this.#options;
    const before = new Map(this.#publishers.map((publisher) => [publisher, publisher.acked]));
    const haveAll = () => [...before].every(([publisher, acked]) => publisher.acked > acked);
    await waitUntil(haveAll, {
      what: 'publishes are acknowledged in every channel',
      limitMs: ackLimitMs,
      signal,
    });
  }

  #note(problem: string): void {
    if (this.#problems.length < problemsMax) this.#problems.push(problem);
  }

  /** What goes wrong on the way is told with the judgement. */
  async #orProblem(step: Promise<unknown>): Promise<void> {
    try {
      await step;
    } catch (error) {
      this.#options.signal.throwIfAborted();
      this.#note((error as Error).message);
    }
  }
}
