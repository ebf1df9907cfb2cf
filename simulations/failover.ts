/**
 * How long a channel waits for another owner: its owner is killed again and again while lines are published at the others:
 *   node scripts/run-tool.mjs simulations/failover [kills] [--leave]
 * `--leave`: it is stopped in order instead. Each time is from the signal to the first ack of another node in the channel;
 * the publishers talk to the nodes that stay. Beside it the longest time without any ack, which an owner that leaves in order
 * need not cause: it acknowledges until another does.
 */
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { waitUntil } from './clients/wait.js';
import { ClusterRecord } from './cluster/record.js';
import { type ClusterNode, ProcessCluster } from './processes/cluster.js';
import { SteadyPublisher } from './processes/publisher.js';

const channel = 'failover';
const everyMs = 4;
const windowMax = 40;
const limitMs = 120_000;
/** A node counts for others again once it has seen a majority for so long. */
const settledMs = 6_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { leave: { type: 'boolean' } },
});
const kills = Number(positionals[0] ?? 50);
const record = new ClusterRecord();
let acked: { readonly writer: string; readonly atMs: number } | undefined;
/** The longest time without an ack since it was set to 0. */
let silentMs = 0;

function publisherAt(nodes: readonly ClusterNode[], number: number): SteadyPublisher {
  return new SteadyPublisher({
    name: `publisher-${number}`,
    urls: nodes.map(({ url }) => url),
    hub: 'default',
    channel,
    windowMax,
    seed: number,
    record,
    onAck: ({ dot, settledMs: atMs }) => {
      silentMs = Math.max(silentMs, atMs - (acked?.atMs ?? atMs));
      acked = { writer: dot!.writer, atMs };
    },
    onProblem: (problem) => console.log(problem),
  });
}

async function until(condition: () => boolean, what: string): Promise<void> {
  await waitUntil(condition, { what, limitMs });
}

/** Of whom acknowledged last; nobody may have taken its place meanwhile. */
async function ownerOf(cluster: ProcessCluster): Promise<{ node: ClusterNode; writer: string } | undefined> {
  const writer = acked?.writer;
  const node = writer === undefined ? undefined : await cluster.nodeOf(writer);
  return node && writer !== undefined && acked!.writer === writer ? { node, writer } : undefined;
}

/** From the signal to the first ack of another owner, in milliseconds; `undefined` when it was another one already. */
async function failOver(cluster: ProcessCluster, number: number): Promise<number | undefined> {
  const probe = publisherAt(cluster.nodes, 2 * number);
  probe.publish({});
  await until(() => probe.waiting === 0, 'the probe is acknowledged');
  probe.close();
  const owner = await ownerOf(cluster);
  if (!owner) return undefined;
  const { node, writer } = owner;
  const others = cluster.nodes.filter((each) => each !== node);
  const publisher = publisherAt(others, 2 * number + 1);
  const load = setInterval(() => publisher.hasRoom && publisher.publish({}), everyMs);
  await until(() => publisher.acked > 20, 'lines are acknowledged');
  const isOwner = acked!.writer === writer;
  const signalledMs = performance.now();
  silentMs = 0;
  const ended = values.leave === true ? node.process.stop() : node.kill();
  await until(() => acked!.writer !== writer, 'another node acknowledges');
  const tookMs = acked!.atMs - signalledMs;
  await ended;
  clearInterval(load);
  await until(() => publisher.waiting === 0, 'all is acknowledged');
  for (const [code, count] of publisher.refusals) console.log(`  refused: ${code} ${count}`);
  publisher.close();
  await node.process.start();
  await cluster.together();
  await pause(settledMs);
  return isOwner ? tookMs : undefined;
}

const cluster = await ProcessCluster.start({ nodes: 3 });
try {
  await pause(settledMs);
  const times: number[] = [];
  for (let i = 1; times.length < kills; i++) {
    const tookMs = await failOver(cluster, i);
    if (tookMs === undefined) continue;
    times.push(tookMs);
    console.log(
      `${times.length}/${kills}  ${Math.round(tookMs)} ms; ${Math.round(silentMs)} ms without any ack at most`,
    );
  }
  times.sort((a, b) => a - b);
  const at = (part: number) => Math.round(times[Math.ceil(part * times.length) - 1]!);
  const what = values.leave === true ? 'orderly leaves' : 'kills';
  console.log(`${kills} ${what}: median ${at(0.5)} ms, 49 of 50 within ${at(0.98)} ms, longest ${at(1)} ms`);
} finally {
  await cluster.remove();
}
