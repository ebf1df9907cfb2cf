/** Three nodes, one client that types, two that follow; the owner dies in the middle; in the end all start again, and every one
 *  of them must have the text that was recorded. */
import { setTimeout as pause } from 'node:timers/promises';
import { ProcessCluster } from '../../simulations/processes/cluster.js';
import { SharedDocument } from '../../src/client/documents-entry.js';
import { type Client, type PatchOperation, connect } from '../../src/client/index.js';
import type { Edit, Trace } from './trace.js';

export interface Result {
  readonly trace: string;
  /** What was compared is the text that was recorded with the trace. */
  readonly isRecorded: boolean;
  readonly changes: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly changesPerSecond: number;
  /** From the owner's death to the next change that another one acknowledged. */
  readonly failoverMs: number;
  readonly version: number;
  /** What does not hold; nothing when all is well. */
  readonly problems: readonly string[];
}

const channel = 'doc:trace';
const path = `/v1/hubs/default/channels/${encodeURIComponent(channel)}/document`;
/** Changes on their way at once. */
const windowChanges = 256;
const followLimitMs = 120_000;
/** Each change stands on the ones before it: what only the owner had would be missed by all that follow, once it is dead. */
const atQuorum = { degrade: false } as const;

export async function runTrace(trace: Trace, signal: AbortSignal): Promise<Result> {
  const cluster = await ProcessCluster.start({ nodes: 3, signal });
  const clients: Client[] = [];
  const client = (): Client => {
    // Each begins at another node, and goes to the others when that one falls.
    const urls = [...cluster.urls];
    const made = connect({ url: [...urls.splice(clients.length % urls.length), ...urls] });
    clients.push(made);
    return made;
  };
  try {
    const writer = client();
    await writer.patch(channel, [{ op: 'add', path: '/text', value: trace.start }], atQuorum);
    const followers = [];
    for (let i = 0; i < 2; i++) followers.push(await SharedDocument.open(client(), channel));
    const typed = await type(writer, trace, cluster, signal);
    const problems = await followed(followers, trace);
    for (const each of clients) await each.close({ timeoutMs: 0 });
    await startAgain(cluster);
    // Each of the three is a home: it reads its own disk.
    const versions = await Promise.all(cluster.nodes.map((node) => textAt(node.url, trace.end)));
    for (const [i, { text }] of versions.entries())
      if (!areSameBytes(text, trace.end))
        problems.push(`${cluster.nodes[i]!.name} has another text after its restart`);
    const version = Math.max(...versions.map((each) => each.version));
    if (version !== trace.changes.length + 1)
      problems.push(`version ${version} after ${trace.changes.length + 1} changes`);
    const { name, changes, end, isRecorded } = trace;
    return {
      trace: name,
      isRecorded,
      changes: changes.length,
      bytes: Buffer.byteLength(end),
      ...typed,
      version,
      problems,
    };
  } finally {
    await Promise.all(clients.map((each) => each.close({ timeoutMs: 0 })));
    await cluster.remove();
  }
}

async function type(writer: Client, { changes }: Trace, cluster: ProcessCluster, signal: AbortSignal) {
  const begun = performance.now();
  const middle = Math.floor(changes.length / 2);
  let underWay: Promise<unknown>[] = [];
  let failoverMs = 0;
  for (const [i, edits] of changes.entries()) {
    signal.throwIfAborted();
    if (i === middle) failoverMs = await killOwner(writer, cluster, underWay);
    const change = writer.patch(channel, edits.map(operationOf), atQuorum);
    // It is heard of below; the first that fails ends the run, and closing the client ends the others.
    change.catch(() => undefined);
    underWay.push(change);
    if (underWay.length < windowChanges) continue;
    await Promise.all(underWay.splice(0, windowChanges / 2));
  }
  await Promise.all(underWay);
  underWay = [];
  const seconds = (performance.now() - begun) / 1_000;
  return { seconds, changesPerSecond: Math.round(changes.length / seconds), failoverMs };
}

function operationOf([at, remove, insert]: Edit): PatchOperation {
  return { op: 'splice', path: '/text', at, remove, insert };
}

/** Kills it while changes are on their way. */
async function killOwner(
  writer: Client,
  cluster: ProcessCluster,
  underWay: readonly Promise<unknown>[],
): Promise<number> {
  const same = () => writer.patch(channel, [{ op: 'test', path: '/owner', value: 0 }]).catch(() => undefined);
  // A test that fails is refused: it asks who answers without changing anything.
  await same();
  const last = (await underWay.at(-1)) as { readonly dot?: { readonly writer: string } } | undefined;
  const owner = last?.dot && (await cluster.nodeOf(last.dot.writer));
  if (!owner) throw new Error('nobody knows who owns the document');
  const begun = performance.now();
  await owner.kill();
  await same();
  return Math.round(performance.now() - begun);
}

async function followed(followers: readonly SharedDocument[], { end }: Trace): Promise<string[]> {
  const limit = performance.now() + followLimitMs;
  for (;;) {
    const behind = followers.filter((document) => !areSameBytes(document.text('/text') ?? '', end));
    if (behind.length === 0) return [];
    if (performance.now() > limit) return [`${behind.length} of the followers have another text`];
    await pause(50);
  }
}

function areSameBytes(text: string, end: string): boolean {
  return Buffer.from(text).equals(Buffer.from(end));
}

async function startAgain(cluster: ProcessCluster): Promise<void> {
  await Promise.all(cluster.nodes.map((node) => node.stop()));
  await Promise.all(cluster.nodes.map((node) => node.process.start()));
  await cluster.together();
}

/** As a client sees it that knows nothing. A node that has just started may be behind for a moment. */
async function textAt(
  url: string,
  end: string,
): Promise<{ readonly text: string; readonly version: number }> {
  const limit = performance.now() + followLimitMs;
  for (;;) {
    const answer = await fetch(`${url}${path}`).catch(() => undefined);
    const text = answer?.ok ? ((await answer.json()) as { readonly text?: string }).text : undefined;
    if (text === end || performance.now() > limit)
      return { text: text ?? '', version: Number(answer?.headers.get('x-ringlog-version')) };
    await pause(100);
  }
}
