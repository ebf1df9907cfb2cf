/** Real processes that find each other: by names that are looked up again, and by multicast under a key. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/index.js';
import { clusterKeyText } from '../../src/peer/cluster-key.js';
import { type NameServer, askingAt, startNameServer } from '../support/dns.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/node-process.js';
import { areTogether, ringOf } from '../support/rings.js';

const testTimeoutMs = 800_000;
vi.setConfig({ testTimeout: testTimeoutMs, hookTimeout: testTimeoutMs });

const nodes: NodeProcess[] = [];
let names: NameServer | undefined;
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
  names?.stop();
  names = undefined;
});

async function together(): Promise<void> {
  while (!(await areTogether(nodes).catch(() => false))) await pause(200);
}

test('nodes find each other behind names, by address and by service, also later, and without them where they were', async () => {
  names = await startNameServer();
  const cluster = `names-${randomBytes(6).toString('hex')}`;
  const environment = { NODE_OPTIONS: askingAt(names) };
  const port = await freePort();
  const start = async (listen: number, join: string): Promise<NodeProcess> => {
    const args = ['--peer-listen', `127.0.0.1:${listen}`, '--join', join];
    const node = await NodeProcess.start({ cluster, environment, args });
    nodes.push(node);
    return node;
  };
  names.a.set('ring.test', ['127.0.0.1']);
  await start(port, `dns:ring.test:${port}`);
  await start(await freePort(), `dns:ring.test:${port}`);
  await together();
  const late = await start(await freePort(), 'dns:service.test');
  await expect.poll(() => late.output, { timeout: testTimeoutMs / 4 }).toContain('No node is found behind');
  names.srv.set('service.test', [{ host: 'localhost', port }]);
  await together();
  expect(names.asked).toBeGreaterThan(3);

  // Nobody is named any more: those that start again try where the others were.
  const others = ({ dataPath }: NodeProcess): number => {
    const file = join(dataPath, 'peers.json');
    return existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as { addresses: [] }).addresses.length
      : 0;
  };
  await expect.poll(() => nodes.map(others), { timeout: testTimeoutMs / 4 }).toEqual([2, 2, 2]);
  names.a.clear();
  names.srv.clear();
  for (const node of nodes) await node.stop();
  await Promise.all(nodes.map((node) => node.start()));
  const text = randomBytes(8).toString('hex');
  const client = connect({ url: nodes.map(({ url }) => url), reconnectMaxMs: 500 });
  try {
    await client.publish('lobby', text, { level: 'quorum', degrade: false });
  } finally {
    await client.close();
  }
});

const hasNetwork = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .some(({ internal, family }) => !internal && family === 'IPv4');

test.skipIf(!hasNetwork)(
  'nodes of one key find each other by multicast, at the address of the network',
  async () => {
    const cluster = `keyed-${randomBytes(6).toString('hex')}`;
    const environment = { RINGLOG_CLUSTER_KEY: clusterKeyText(randomBytes(32)) };
    for (let i = 0; i < 2; i++) nodes.push(await NodeProcess.start({ cluster, environment }));
    await together();
    expect((await ringOf(nodes[1]!)).ring?.members).toHaveLength(2);
  },
);
