/** A ring of real processes whose network can be cut, as operators and their tools see it. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../test/support/free-port.js';
import { NodeProcess } from '../../test/support/node-process.js';
import { projectRoot } from '../../test/support/project-root.js';
import { type VerifyJson, type VerifyPageJson, verifyAll } from '../../src/cli/verify-pages.js';
import type { Oddities } from './odd-machine.js';
import { Proxies, nodeHost } from './proxies.js';

export interface RingMember {
  readonly node: string;
  readonly state: string;
}

/** What `GET /v1/admin/cluster` answers. */
export interface RingView {
  readonly alone: boolean;
  readonly node: string;
  readonly ring?: {
    readonly version: number;
    readonly members: readonly RingMember[];
    readonly change?: object;
  };
  readonly seen?: {
    readonly members: readonly { readonly node: string; readonly reachable: boolean }[];
    readonly intervals: { readonly held: number; readonly wanted: number; readonly owned: number };
  };
}

export interface NodeView {
  readonly nodeId: string;
  readonly writer: string;
  readonly sessions: number;
  readonly cluster?: { readonly intervals: { readonly all: number; readonly owned: number } };
}

export class ClusterNode {
  isPaused = false;
  constructor(
    readonly name: string,
    readonly process: NodeProcess,
    /** What its machine is like, where that is not as usual. */
    readonly oddFile?: string,
  ) {}

  /** Its machine's clock and disk; at once, and for every start to come. */
  setOddities(oddities: Oddities): void {
    if (this.oddFile === undefined) throw new Error('the nodes were started without odd machines');
    writeFileSync(this.oddFile, JSON.stringify(oddities));
    if (this.process.isRunning) this.process.signal('SIGUSR2');
  }

  get url(): string {
    return this.process.url;
  }

  get isUp(): boolean {
    return this.process.isRunning && !this.isPaused;
  }

  /** SIGSTOP: it is there, and does nothing. */
  pause(): void {
    this.isPaused = this.process.signal('SIGSTOP');
  }

  resume(): void {
    this.process.signal('SIGCONT');
    this.isPaused = false;
  }

  async kill(): Promise<void> {
    await this.process.kill();
    this.isPaused = false;
  }

  async stop(): Promise<void> {
    this.resume();
    if (this.process.isRunning) await this.process.stop();
  }

  /** A new disk; only while it is down. */
  wipe(): void {
    rmSync(this.process.dataPath, { recursive: true, force: true });
  }

  ask<T>(path: string, body?: object, limitMs = askLimitMs): Promise<T> {
    return ask<T>(this, path, body, limitMs);
  }

  status(): Promise<NodeView> {
    return this.ask('/v1/admin/status');
  }

  ring(): Promise<RingView> {
    return this.ask('/v1/admin/cluster');
  }
}

export interface ClusterOptions {
  readonly nodes: number;
  readonly args?: readonly string[];
  /** Data directories are made below this folder, by name of the node. */
  readonly below?: (name: string) => string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A folder for files that say how nodes' machines are: only with it they may be odd. */
  readonly oddFolder?: string;
}

const askLimitMs = 5_000;
/** Of one page: whoever reads gets 20 s, and its answer some more. */
const verifyLimitMs = 120_000;
const togetherLimitMs = 240_000;

export class ProcessCluster {
  readonly nodes: ClusterNode[] = [];
  readonly proxies = new Proxies();
  readonly #options: ClusterOptions;
  /** Keeps it apart from other nodes of the machine. */
  readonly #cluster = `run-${randomBytes(6).toString('hex')}`;
  /** Where every node looks for others: the ports of the first ones. */
  readonly #join: string[] = [];
  #made = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Resolves once all are in one ring. */
  static async start(options: ClusterOptions): Promise<ProcessCluster> {
    const cluster = new ProcessCluster(options);
    try {
      const places = await Promise.all(Array.from({ length: options.nodes }, () => cluster.#place()));
      cluster.#join.push(...places.map(({ proxy }) => `127.0.0.1:${proxy}`));
      cluster.nodes.push(...(await Promise.all(places.map((place) => cluster.#start(place)))));
      await cluster.together();
      return cluster;
    } catch (error) {
      await cluster.remove();
      throw error;
    }
  }

  get urls(): readonly string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** Another, empty one; it joins by itself. */
  async add(): Promise<ClusterNode> {
    const node = await this.#start(await this.#place());
    this.nodes.push(node);
    return node;
  }

  /** Ends it and deletes what it has. */
  async drop(node: ClusterNode): Promise<void> {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    await this.#removed(node);
    this.proxies.drop(node.name);
  }

  async remove(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.#removed(node)));
    this.proxies.close();
  }

  async #removed(node: ClusterNode): Promise<void> {
    node.resume();
    await node.process.remove();
  }

  /** All that run are in one ring of as many members, and no change of it is under way. */
  async together(limitMs = togetherLimitMs): Promise<void> {
    await this.becomes(
      async () => {
        const all = this.nodes.filter(({ isUp }) => isUp);
        const views = await Promise.all(all.map((node) => node.ring()));
        return views.every(
          ({ ring, seen }) =>
            ring?.members.length === all.length &&
            !ring.change &&
            ring.version === views[0]!.ring!.version &&
            seen?.members.filter(({ reachable }) => reachable).length === all.length - 1,
        );
      },
      `all running nodes are one ring`,
      limitMs,
    );
  }

  /** Asks a node that runs to let a member go, until it does. It may have done so where its answer was late: then the next one
   *  is that there is no such member. */
  async change(body: object): Promise<void> {
    let isAskedAgain = false;
    const change = async (): Promise<boolean> => {
      const node = this.nodes.find(({ isUp }) => isUp);
      if (!node) return false;
      const isGone = (error: unknown): boolean => isAskedAgain && String(error).includes('(not-a-member)');
      try {
        await node.ask('/v1/admin/cluster/changes', body);
      } catch (error) {
        if (!isGone(error)) throw error;
      } finally {
        isAskedAgain = true;
      }
      return true;
    };
    await this.becomes(change, `the ring takes ${JSON.stringify(body)}`);
  }

  /** Whether all that run say the same of the channel. */
  async areEqual(channels: readonly string[]): Promise<boolean> {
    for (const channel of channels) {
      const path = `/v1/admin/hubs/default/channels/${encodeURIComponent(channel)}/digest`;
      const digests = await Promise.all(this.nodes.map((node) => node.ask<{ digest: string }>(path)));
      if (new Set(digests.map(({ digest }) => digest)).size > 1) return false;
    }
    return true;
  }

  /** What the nodes themselves prove of their disks, asked of one that runs. */
  async verify(): Promise<VerifyJson> {
    const node = this.nodes.find(({ isUp }) => isUp)!;
    return await verifyAll({
      after: undefined,
      page: (after) =>
        node.ask<VerifyPageJson>(
          '/v1/admin/cluster/verify',
          after === undefined ? {} : { after },
          verifyLimitMs,
        ),
    });
  }

  /** Of which node the process is that is this writer. */
  async nodeOf(writer: string): Promise<ClusterNode | undefined> {
    for (const node of this.nodes.filter(({ isUp }) => isUp)) {
      const view = await node.status().catch(() => undefined);
      if (view?.writer === writer) return node;
    }
    return undefined;
  }

  async becomes(look: () => Promise<boolean>, what: string, limitMs = togetherLimitMs): Promise<void> {
    const end = performance.now() + limitMs;
    let last = '';
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const found = await look().catch((error: unknown) => void (last = String(error)));
      if (found === true) return;
      if (performance.now() > end)
        throw new Error(`waited ${limitMs / 1000} s in vain: ${what} ${last}\n${await this.#views()}`);
      await pause(50);
    }
  }

  /** For people, where it does not get on. */
  async #views(): Promise<string> {
    const views = this.nodes.map(async (node) => {
      const view = await node.ring().catch((error: unknown) => String(error));
      return `${node.name}: ${JSON.stringify(view)}\n${node.process.output.slice(-2_000)}`;
    });
    return (await Promise.all(views)).join('\n');
  }

  async #place(): Promise<Place> {
    const name = `n${++this.#made}`;
    const port = await freePort();
    const place: Place = { name, port, proxy: 0, process: undefined };
    place.proxy = await this.proxies.add({ name, port, pid: () => place.process?.pid });
    return place;
  }

  async #start(place: Place): Promise<ClusterNode> {
    const { name, port, proxy } = place;
    const below = this.#options.below?.(name);
    const { oddFolder } = this.#options;
    const oddFile = oddFolder === undefined ? undefined : join(oddFolder, `${name}.json`);
    place.process = await NodeProcess.start({
      cluster: this.#cluster,
      ...(below !== undefined && { below }),
      ...(oddFile !== undefined && { environment: oddMachine(oddFile) }),
      args: [
        `--join=${this.#join.join()}`,
        `--peer-listen=${nodeHost}:${port}`,
        `--advertise=127.0.0.1:${proxy}`,
        '--log-level=warn',
        ...(this.#options.args ?? []),
      ],
    });
    return new ClusterNode(name, place.process, oddFile);
  }
}

/** For a process whose machine is as the file says. */
function oddMachine(file: string): Readonly<Record<string, string>> {
  const program = join(projectRoot(), 'dist-tools/simulations/processes/odd-machine.js');
  return { NODE_OPTIONS: `--import=${pathToFileURL(program).href}`, ODD_MACHINE: file };
}

interface Place {
  readonly name: string;
  readonly port: number;
  proxy: number;
  process: NodeProcess | undefined;
}

async function ask<T>(
  { url, process }: ClusterNode,
  path: string,
  body: object | undefined,
  limitMs: number,
): Promise<T> {
  const token = readFileSync(join(process.dataPath, 'admin-token'), 'utf8').trim();
  const answer = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    signal: AbortSignal.timeout(limitMs),
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}
