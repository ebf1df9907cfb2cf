/** A cluster of real processes under attack: whoever should not be there is refused with a line that says what to do, and all
 *  that was acknowledged meanwhile is at every node. What single ports make of it: test/peer. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { cpSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { type Client, connect } from '../../src/client/index.js';
import type { NodeId } from '../../src/base/ids.js';
import { clusterKeyText, parseClusterKey } from '../../src/peer/cluster-key.js';
import { openPort, sealed, someNode } from '../peer/support.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';
import { areTogether } from '../support/rings.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 400_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const nodes: NodeProcess[] = [];
const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + limitMs / 4;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what}\n${nodes.map(({ output }) => output).join('\n')}`);
    await pause(50);
  }
}

function clientOf(node: NodeProcess): Client {
  const client = connect(node.url);
  closers.push(() => client.close());
  return client;
}

const secret = () => clusterKeyText(randomBytes(32));

interface Started {
  readonly key?: string;
  readonly cluster: string;
  readonly args: readonly string[];
}

async function start({ key, cluster, args }: Started): Promise<NodeProcess> {
  const environment = key === undefined ? {} : { RINGLOG_CLUSTER_KEY: key };
  const node = await NodeProcess.start({ cluster, environment, args });
  nodes.push(node);
  return node;
}

/** Three nodes under one key. */
async function three() {
  const own = { key: secret(), cluster: `attacked-${randomBytes(6).toString('hex')}` };
  const ports = [await freePort(), await freePort(), await freePort()];
  const seeds = ports.map((port) => `127.0.0.1:${port}`);
  const args = (listen: string) => ['--peer-listen', listen, '--join', seeds.join()];
  const all = await Promise.all(seeds.map((seed) => start({ ...own, args: args(seed) })));
  await until(() => areTogether(all).catch(() => false), 'a ring of three');
  return { ...own, ports, seeds, args, all };
}

test('strangers, copies and other versions leave a cluster as it is', async () => {
  const { key, cluster, ports, seeds, args, all } = await three();
  const publisher = clientOf(all[0]!);
  const acked: number[] = [];
  let isOver = false;
  const publishing = (async () => {
    for (let i = 0; !isOver; i++) {
      await publisher.publish('room', i, { level: 'quorum', degrade: false });
      acked.push(i);
      await pause(10);
    }
  })();
  await until(() => acked.length > 0, 'the first publish is acknowledged');

  const anywhere = args('127.0.0.1:0');
  const isTold = async (node: NodeProcess, line: string): Promise<void> => {
    await until(() => node.output.includes(line), `a node says "${line}"`);
  };
  // Another key, none, another name; and one whose only seeds are no node, and nobody.
  const web = new URL(all[0]!.url).host;
  const nowhere = ['--peer-listen', '127.0.0.1:0', '--join', `${web},127.0.0.1:1`];
  const strangers = await Promise.all([
    start({ key: secret(), cluster, args: anywhere }),
    start({ cluster, args: anywhere }),
    start({ key, cluster: 'elsewhere', args: anywhere }),
    start({ key, cluster, args: nowhere }),
  ]);
  await isTold(strangers[0], 'give both the same with --cluster-key-file');
  await isTold(strangers[1], 'a cluster key and this node has none');
  await isTold(strangers[2], 'give both the same --cluster-name');
  await isTold(strangers[3], `What answers at ${web} `);
  await isTold(strangers[3], 'No node answers at 127.0.0.1:1');
  await Promise.all(strangers.map((stranger) => stranger.kill()));

  // Datagrams and bytes of strangers.
  const socket = createSocket('udp4');
  closers.push(() => void socket.close());
  for (let i = 0; i < 3_000; i++) {
    const bytes = randomBytes(1 + (i % 1_400));
    bytes[0] = i % 4;
    socket.send(bytes, ports[i % 3]!, '127.0.0.1');
    if (i % 100 === 0)
      connectSocket(ports[i % 3]!, '127.0.0.1')
        .on('error', () => undefined)
        .end(bytes);
  }

  // Good certificates, but of a version to come, and of another node than it says.
  const parsed = parseClusterKey(key);
  if (!parsed.ok) throw new Error(parsed.error);
  const newer = someNode();
  const versions = { oldest: 2, newest: 3 };
  const later = await openPort(newer, await sealed(parsed.value, newer, cluster), { cluster, versions });
  const victim = JSON.parse(readFileSync(join(all[1]!.dataPath, 'node.json'), 'utf8')) as { nodeId: NodeId };
  const imposter = await openPort(victim.nodeId, await sealed(parsed.value, someNode(), cluster), {
    cluster,
  });
  for (const port of [later, imposter]) {
    closers.push(() => port.stop());
    port.start({
      linked: () => {},
      unlinked: () => {},
      received: () => {},
      packet: () => {},
      asked: () => undefined,
      pulse: () => {},
    });
  }
  for (const seed of seeds) {
    await expect(later.ask(seed, Uint8Array.of(1))).rejects.toThrow('run versions of Ringlog that follow');
    await expect(imposter.ask(seed, Uint8Array.of(1))).rejects.toThrow('certificate is of another');
  }

  // A copy of a node's directory, started beside it.
  const last = all[2]!;
  await last.stop();
  const copied = join(last.dataPath, '..', 'copy');
  cpSync(last.dataPath, copied, { recursive: true });
  await last.start();
  const copy = await start({ key, cluster, args: [...anywhere, '--data', copied] });
  // Which of the two goes on is for those to say who hear both.
  await until(
    () => [last, copy].some(({ output }) => /Stop one of (them|the two)/.test(output)),
    'one is told',
  );
  await copy.kill();

  isOver = true;
  await publishing;
  expect(acked.length).toBeGreaterThan(100);
  for (const node of all) {
    const seen: unknown[] = [];
    await expect
      .poll(() => node.isRunning || node.start().then(() => true), { timeout: limitMs / 4 })
      .toBe(true);
    clientOf(node).subscribe('room', { start: 'beginning', onEntry: ({ data }) => void seen.push(data) });
    await expect.poll(() => seen.length, { timeout: limitMs / 4 }).toBe(acked.length);
    expect(seen).toEqual(acked);
  }
});

test.skipIf(process.platform !== 'linux')(
  'attack 34: a node listens at its two ports and nowhere else, and nothing switches bugs on in it',
  async () => {
    const peerPort = await freePort();
    const args = ['--peer-listen', `127.0.0.1:${peerPort}`, '--join', '127.0.0.1:1'];
    const node = await start({ cluster: `ports-${randomBytes(6).toString('hex')}`, args });
    const ports = [Number(new URL(node.url).port), peerPort];
    await until(() => node.output.includes(`${peerPort}`), 'it says where it listens');
    expect(new Set(listensAt(node.pid!))).toEqual(new Set(ports));
    const built = join(projectRoot(), 'dist');
    const programs = readdirSync(built, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.js'),
    );
    const timesIn = (name: string): number =>
      readFileSync(join(built, name), 'utf8').split('__RINGLOG_PLANTED__').length - 1;
    const planted = join('base', 'planted.js');
    const named = programs.filter((name) => timesIn(name) > 0);
    // The bundled command has that one module too, and nothing else that names it.
    const [bundled, ...others] = named.filter((name) => name !== planted);
    expect(named).toContain(planted);
    expect([dirname(bundled!), timesIn(bundled!), others]).toEqual(['cli', timesIn(planted), []]);
  },
);

/** TCP ports of a process that listen, by its open files. */
function listensAt(pid: number): number[] {
  const open = readdirSync(`/proc/${pid}/fd`).map((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return '';
    }
  });
  const isListening = '0A';
  return ['tcp', 'tcp6'].flatMap((kind) =>
    readFileSync(`/proc/${pid}/net/${kind}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === isListening && open.includes(`socket:[${columns[9]}]`))
      .map((columns) => Number.parseInt(columns[1]!.split(':')[1]!, 16)),
  );
}
