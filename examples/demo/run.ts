/** The story: what goes wrong, in which order, and what is measured meanwhile. */
import { setTimeout as pause } from 'node:timers/promises';
import { waitUntil } from '../../simulations/clients/wait.js';
import { ClusterRecord, type Publish } from '../../simulations/cluster/record.js';
import { type ClusterNode, type NodeView, ProcessCluster } from '../../simulations/processes/cluster.js';
import { SeenReader } from '../../simulations/processes/reader.js';
import { type Verdict, judge } from '../../simulations/processes/verdict.js';
import type { LineSource } from '../irc-replay/lines.js';
import { Talk } from './talk.js';
import { type Seen, View } from './view.js';

export interface DemoOptions {
  readonly source: LineSource;
  readonly isFast: boolean;
  readonly seed: number;
  readonly speed: number;
  readonly signal: AbortSignal;
}

export interface DemoResult {
  readonly verdict: Verdict;
  readonly nodes: number;
  readonly copies: number;
  readonly ringVersion: number;
  readonly startMs: number;
  /** From SIGKILL of the owner to the first ack of another one in its channel. */
  readonly failoverMs: number;
  /** The same for an owner that was cut off. */
  readonly cutMs: number;
  /** From the last restart until all nodes said the same of all channels. */
  readonly convergeMs: number;
  readonly delivered: number;
  readonly problems: readonly string[];
  readonly passed: boolean;
}

const nodeCount = 3;
const settleLimitMs = 240_000;
const pollMs = 300;
const problemsMax = 20;

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const begun = performance.now();
  const { signal } = options;
  const cluster = await ProcessCluster.start({ nodes: nodeCount, signal });
  const demo = new Demo(cluster, options, performance.now() - begun);
  try {
    return await demo.run();
  } finally {
    demo.close();
    await cluster.remove();
  }
}

class Demo {
  readonly #cluster: ProcessCluster;
  readonly #options: DemoOptions;
  readonly #startMs: number;
  readonly #record = new ClusterRecord();
  readonly #readers: SeenReader[] = [];
  readonly #problems: string[] = [];
  readonly #views = new Map<string, NodeView>();
  /** By channel: who acknowledged last. */
  readonly #lastAck = new Map<string, { readonly writer: string; readonly atMs: number }>();
  readonly #view = new View(() => this.#seen());
  readonly #poll: NodeJS.Timeout;
  #talk: Talk | undefined;
  #acked = 0;
  #cut = '';

  constructor(cluster: ProcessCluster, options: DemoOptions, startMs: number) {
    this.#cluster = cluster;
    this.#options = options;
    this.#startMs = startMs;
    this.#poll = setInterval(() => void this.#lookAtNodes(), pollMs);
  }

  close(): void {
    clearInterval(this.#poll);
    this.#view.end();
    this.#talk?.close();
    for (const reader of this.#readers) reader.close();
  }

  async run(): Promise<DemoResult> {
    await this.#begin();
    await this.#flow();
    const failoverMs = await this.#killOwner();
    const cutMs = await this.#cutOwner();
    await this.#wipe();
    const convergeMs = await this.#restartAll();
    const { ring } = await this.#cluster.nodes[0]!.ring();
    this.#view.tell('the nodes read their disks, and prove that they hold the same');
    const proof = await this.#cluster.verify();
    this.#view.tell('all nodes are stopped, and their files are read');
    this.close();
    for (const node of this.#cluster.nodes) await node.stop();
    const nodes = this.#cluster.nodes.map(({ name, process }) => ({
      name,
      segmentsPath: process.segmentsPath,
    }));
    const verdict = judge(this.#record, nodes, proof);
    return {
      verdict,
      nodes: ring!.members.length,
      copies: Math.min(3, ring!.members.length),
      ringVersion: ring!.version,
      startMs: this.#startMs,
      failoverMs,
      cutMs,
      convergeMs,
      delivered: this.#readers.reduce((sum, { delivered }) => sum + delivered, 0),
      problems: this.#problems,
      passed: verdict.findings.length === 0 && this.#problems.length === 0,
    };
  }

  async #begin(): Promise<void> {
    const { source, seed, speed } = this.#options;
    const { urls } = this.#cluster;
    const onProblem = (problem: string) =>
      void (this.#problems.length < problemsMax && this.#problems.push(problem));
    const record = this.#record;
    const onAck = (publish: Publish) => this.#noteAck(publish);
    this.#talk = await Talk.from({ source, urls, seed, speed, record, onAck, onProblem });
    const { channels } = this.#talk;
    for (const [i, node] of this.#cluster.nodes.entries()) {
      const own = [...urls.slice(i), ...urls.slice(0, i)];
      const name = `reader at ${node.name}`;
      this.#readers.push(
        new SeenReader({
          name,
          urls: own,
          hub: 'default',
          channels,
          seed: seed + 100 + i,
          record,
          onProblem,
        }),
      );
    }
    this.#view.tell(`three empty processes are one cluster after ${(this.#startMs / 1_000).toFixed(1)} s`);
    this.#talk.start();
  }

  #noteAck({ channel, dot, settledMs }: Publish): void {
    this.#acked++;
    this.#lastAck.set(channel, { writer: dot!.writer, atMs: settledMs });
  }

  /** Nothing goes wrong for a while, and everything gets on. */
  async #flow(): Promise<void> {
    const goal = this.#acked + this.#options.speed * (this.#options.isFast ? 1 : 3);
    await this.#until(() => this.#acked >= goal, 'lines are acknowledged');
  }

  #until(condition: () => boolean, what: string): Promise<void> {
    const progress = () => this.#acked + this.#readers.reduce((sum, { lines }) => sum + lines.size, 0);
    return waitUntil(condition, { what, limitMs: settleLimitMs, progress, signal: this.#options.signal });
  }

  /** A channel and the node that orders it. */
  async #owned(index: number): Promise<{ channel: string; node: ClusterNode; writer: string }> {
    const channel = this.#talk!.channels[index % this.#talk!.channels.length]!;
    await this.#until(() => this.#lastAck.has(channel), `something is said in ${channel}`);
    for (;;) {
      const { writer } = this.#lastAck.get(channel)!;
      const node = await this.#cluster.nodeOf(writer);
      if (node) return { channel, node, writer };
      await pause(pollMs, undefined, { signal: this.#options.signal });
    }
  }

  /** Resolves with how long after `sinceMs` somebody else acknowledged something there. */
  async #takenOver(channel: string, writer: string, sinceMs: number): Promise<number> {
    await this.#until(() => this.#lastAck.get(channel)!.writer !== writer, `${channel} has another owner`);
    return this.#lastAck.get(channel)!.atMs - sinceMs;
  }

  async #killOwner(): Promise<number> {
    const { channel, node, writer } = await this.#owned(0);
    this.#view.tell(`${node.name}, which orders ${channel}, is killed`);
    const killedMs = performance.now();
    await node.kill();
    const tookMs = await this.#takenOver(channel, writer, killedMs);
    this.#view.tell(`another node orders it, ${Math.round(tookMs)} ms after the kill`);
    await this.#flow();
    this.#view.tell(`${node.name} is started again`);
    await node.process.start();
    await this.#cluster.together();
    await this.#flow();
    return tookMs;
  }

  async #cutOwner(): Promise<number> {
    const { channel, node, writer } = await this.#owned(1);
    this.#view.tell(`${node.name}, which orders ${channel}, is cut off from the others`);
    const cutMs = performance.now();
    this.#cut = node.name;
    this.#cluster.proxies.isolate(node.name);
    const tookMs = await this.#takenOver(channel, writer, cutMs);
    this.#view.tell(`another node orders it, ${Math.round(tookMs)} ms after the cut`);
    await this.#flow();
    this.#view.tell(`${node.name} is reached again`);
    this.#cut = '';
    this.#cluster.proxies.mend();
    await this.#cluster.together();
    await this.#flow();
    return tookMs;
  }

  /** Its place is taken by an empty node at the same address. */
  async #wipe(): Promise<void> {
    const { node } = await this.#owned(2);
    const { nodeId } = await node.status();
    await node.kill();
    node.wipe();
    this.#view.tell(`${node.name} is killed and its disk wiped; an operator removes it from the ring`);
    await this.#cluster.change({ kind: 'remove', node: nodeId });
    await this.#flow();
    await node.process.start();
    this.#view.tell(`${node.name} is started on the empty disk, and joins as a new node`);
    await this.#cluster.together();
    await this.#flow();
  }

  async #restartAll(): Promise<number> {
    this.#view.tell('all are killed at once, and started again');
    await Promise.all(this.#cluster.nodes.map((node) => node.kill()));
    await Promise.all(this.#cluster.nodes.map((node) => node.process.start()));
    const restartedMs = performance.now();
    await this.#flow();
    await this.#talk!.end();
    await this.#until(() => this.#talk!.waiting === 0, 'every line is acknowledged');
    await this.#until(() => this.#readers.every((reader) => this.#lagOf(reader) === 0), 'readers have all');
    const { channels } = this.#talk!;
    await this.#cluster.becomes(() => this.#cluster.areEqual(channels), 'all nodes hold the same');
    const tookMs = performance.now() - restartedMs;
    this.#view.tell(
      `all nodes hold the same, ${(tookMs / 1_000).toFixed(1)} s after the restart, the last lines included`,
    );
    return tookMs;
  }

  async #lookAtNodes(): Promise<void> {
    for (const { name, ...node } of this.#cluster.nodes.map((each) => ({ name: each.name, each }))) {
      const view = node.each.isUp ? await node.each.status().catch(() => undefined) : undefined;
      if (view) this.#views.set(name, view);
      else this.#views.delete(name);
    }
  }

  #seen(): Seen {
    return {
      acked: this.#acked,
      waiting: this.#talk?.waiting ?? 0,
      nodes: this.#cluster.nodes.map(({ name, isUp }, i) => {
        const view = this.#views.get(name);
        const { all, owned } = view?.cluster?.intervals ?? { all: undefined, owned: undefined };
        const owns = [...this.#lastAck].flatMap(([channel, { writer }]) =>
          writer === view?.writer ? [channel] : [],
        );
        const state = name === this.#cut ? 'cut off' : isUp ? 'up' : 'down';
        const reader = this.#readers[i];
        return { name, state, all, owned, owns, lag: reader ? this.#lagOf(reader) : 0 };
      }),
    };
  }

  #lagOf({ lines }: SeenReader): number {
    return Math.max(0, this.#acked - lines.size);
  }
}
