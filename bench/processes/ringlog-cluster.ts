/** Three nodes of the product as one cluster, on processors of their own as far as there are some. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Affinity } from './affinity.js';
import { freePort } from '../../test/support/free-port.js';
import { RinglogNode, type RinglogNodeOptions } from './ringlog-node.js';

export interface RinglogClusterOptions {
  readonly directory: string;
  /** The first node is where servers are, the others share the processor of the load. */
  readonly affinity: Affinity;
}

/** As a node tells it. */
export interface RingView {
  /** Itself. */
  readonly node: string;
  readonly ring?: {
    readonly version: number;
    readonly members: readonly { readonly node: string; readonly state: string }[];
    readonly change?: object;
  };
  readonly seen?: {
    readonly members: readonly { readonly node: string; readonly state: string }[];
    readonly intervals: { readonly wanted: number; readonly owned: number };
  };
}

const nodesAtFirst = 3;
const limitMs = 120_000;
const pollMs = 200;
const unavailable = 503;
/** Channels are tried until one is ordered where it should be; a third of them is. */
const channelsTriedMax = 200;
/** Whoever owns an interval at first may hand it on to its first home until the cluster has settled. */
const settleMs = 7_000;
/** What is not on a majority is refused, not taken for less. */
const rules = 'rules: { all: { degrade: false } }\nhubs: { default: { rules: all } }\n';

const pageChannels = 1_000;

export class RinglogCluster {
  readonly nodes: RinglogNode[];
  readonly #options: RinglogNodeOptions[];
  #tried = 0;

  /** Resolves once all three are one ring that has settled. */
  static async start({ directory, affinity }: RinglogClusterOptions): Promise<RinglogCluster> {
    mkdirSync(directory);
    const config = join(directory, 'ringlog.yaml');
    writeFileSync(config, rules);
    const name = `bench-${randomBytes(6).toString('hex')}`;
    const ports = [await freePort(), await freePort(), await freePort()];
    const peers = ports.map((port) => `127.0.0.1:${port}`);
    const all = [...peers, `127.0.0.1:${await freePort()}`].map((peer, i) => ({
      dataPath: join(directory, `${i}`),
      processor: i === 0 ? affinity.server : affinity.load,
      join: peers.join(),
      flags: ['--config', config, '--cluster-name', name, '--peer-listen', peer],
    }));
    const started = await Promise.all(
      all.slice(0, nodesAtFirst).map((options) => RinglogNode.start(options)),
    );
    const cluster = new RinglogCluster(started, all);
    try {
      await cluster.together();
      await pause(settleMs);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  private constructor(started: RinglogNode[], options: RinglogNodeOptions[]) {
    this.nodes = started;
    this.#options = options;
  }

  /** The node that loads talk to. */
  get first(): RinglogNode {
    return this.nodes[0]!;
  }

  /** One that the first node orders, or one that another does; it has one entry. */
  async channelOrderedBy(who: 'first' | 'another'): Promise<string> {
    for (let tries = 0; tries < channelsTriedMax; tries++) {
      const channel = `bench:cluster-${this.#tried++}`;
      const answer = await fetch(`${this.first.url}/v1/hubs/default/channels/${channel}/publish`, {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body: 'whose?',
        signal: AbortSignal.timeout(limitMs),
      });
      if (answer.status === unavailable) {
        // On a busy machine nodes lose sight of each other for a moment.
        await pause(pollMs);
        continue;
      }
      if (!answer.ok) throw new Error(`${channel}: ${answer.status} ${await answer.text()}`);
      const { id } = (await answer.json()) as { id: string };
      const { writer } = (await this.first.ask('/v1/admin/status')) as { writer: string };
      if (id.startsWith(writer) === (who === 'first')) return channel;
    }
    throw new Error(`no channel is ordered by ${who} node`);
  }

  /** Resolves with how many entries of a channel the node has that has fewest, once that is `count` or it takes too long. */
  async storedOf(channel: string, count: number): Promise<number> {
    const end = performance.now() + limitMs;
    const path = `/v1/admin/hubs/default/channels/${channel}/digest`;
    for (;;) {
      const found = await Promise.all(
        this.nodes.map(async (node) => (await node.ask(path)) as { entries: number }),
      );
      const fewest = Math.min(...found.map(({ entries }) => entries));
      if (fewest >= count || performance.now() > end) return fewest;
      await pause(pollMs);
    }
  }

  /** How many entries a node holds of the channels `<prefix>…`. */
  async heldBy(node: RinglogNode, prefix: string): Promise<number> {
    let entries = 0;
    for (let after = ''; ;) {
      const path = `/v1/admin/hubs/default/channels?limit=${pageChannels}&after=${encodeURIComponent(after)}`;
      const { channels } = (await node.ask(path)) as { channels: { channel: string; entries: number }[] };
      for (const { channel, entries: own } of channels) if (channel.startsWith(prefix)) entries += own;
      if (channels.length < pageChannels) return entries;
      after = channels.at(-1)!.channel;
    }
  }

  /** The last starts again, on what its disk has. */
  async startAgain(): Promise<RinglogNode> {
    const node = await RinglogNode.start(this.#options[this.nodes.length - 1]!);
    this.nodes[this.nodes.length - 1] = node;
    return node;
  }

  /** One more, empty, which joins by itself. */
  async add(): Promise<RinglogNode> {
    const options = this.#options[this.nodes.length];
    if (!options) throw new Error('there is room for one more, once');
    const node = await RinglogNode.start(options);
    this.nodes.push(node);
    return node;
  }

  /** Told by nodes of others, while `work` goes on: how many live ones any took for dead. */
  async deathsWhile(work: () => Promise<void>): Promise<number> {
    const told = new Set<string>();
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        const views = await Promise.all(this.nodes.map((node) => this.view(node)));
        for (const { node, seen } of views)
          for (const member of seen?.members ?? [])
            if (member.state === 'dead') told.add(`${node} ${member.node}`);
        await pause(pollMs);
      }
    })();
    try {
      await work();
    } finally {
      isOver = true;
      await watching;
    }
    return told.size;
  }

  view(node: RinglogNode): Promise<RingView> {
    return node.ask('/v1/admin/cluster') as Promise<RingView>;
  }

  /** Resolves once all that there are are one ring, and no change of it is under way. */
  async together(waitMs = limitMs): Promise<void> {
    const end = performance.now() + waitMs;
    while (!(await this.isTogether())) {
      if (performance.now() > end)
        throw new Error(`${this.nodes.length} nodes are no ring within ${waitMs} ms`);
      await pause(pollMs);
    }
  }

  async isTogether(): Promise<boolean> {
    const views = await Promise.all(this.nodes.map((node) => this.view(node)));
    return views.every(
      ({ ring }) =>
        ring?.members.length === this.nodes.length &&
        !ring.change &&
        ring.version === views[0]!.ring!.version,
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}
