/** Three nodes of the product as one cluster, on processors of their own as far as there are some. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Affinity } from './affinity.js';
import { freePort } from './free-port.js';
import { RinglogNode } from './ringlog-node.js';

export interface RinglogClusterOptions {
  readonly directory: string;
  /** The first node is where servers are, the others share the processor of the load. */
  readonly affinity: Affinity;
}

interface RingView {
  readonly ring?: { readonly version: number; readonly members: readonly object[]; readonly change?: object };
}

const nodes = 3;
const limitMs = 120_000;
const pollMs = 200;
const unavailable = 503;
/** Channels are tried until one is ordered where it should be; a third of them is. */
const channelsTriedMax = 200;
/** Whoever owns an interval at first may hand it on to its first home until the cluster has settled. */
const settleMs = 7_000;
/** What is not on a majority is refused, not taken for less. */
const rules = 'rules: { all: { degrade: false } }\nhubs: { default: { rules: all } }\n';

export class RinglogCluster {
  readonly nodes: readonly RinglogNode[];
  #tried = 0;

  /** Resolves once all three are one ring that has settled. */
  static async start({ directory, affinity }: RinglogClusterOptions): Promise<RinglogCluster> {
    mkdirSync(directory);
    const config = join(directory, 'ringlog.yaml');
    writeFileSync(config, rules);
    const name = `bench-${randomBytes(6).toString('hex')}`;
    const ports = [await freePort(), await freePort(), await freePort()];
    const peers = ports.map((port) => `127.0.0.1:${port}`);
    const started = await Promise.all(
      peers.map((peer, i) =>
        RinglogNode.start({
          dataPath: join(directory, `${i}`),
          processor: i === 0 ? affinity.server : affinity.load,
          join: peers.join(),
          flags: ['--config', config, '--cluster-name', name, '--peer-listen', peer],
        }),
      ),
    );
    const cluster = new RinglogCluster(started);
    try {
      await cluster.#together();
      await pause(settleMs);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  private constructor(started: readonly RinglogNode[]) {
    this.nodes = started;
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

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async #together(): Promise<void> {
    const end = performance.now() + limitMs;
    for (;;) {
      const views = await Promise.all(
        this.nodes.map((node) => node.ask('/v1/admin/cluster') as Promise<RingView>),
      );
      const isWhole = views.every(
        ({ ring }) =>
          ring?.members.length === nodes && !ring.change && ring.version === views[0]!.ring!.version,
      );
      if (isWhole) return;
      if (performance.now() > end) throw new Error(`three nodes are no ring within ${limitMs} ms`);
      await pause(pollMs);
    }
  }
}
