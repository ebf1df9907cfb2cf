/** What a node is told of a cluster at its start, and what it refuses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseJoin } from '../../src/peer/discovery/join.js';
import { type RunningServer, startServer } from '../../src/server/index.js';

let folder: string;
const running: RunningServer[] = [];
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ringlog-cluster-'))));
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
  rmSync(folder, { recursive: true });
});

const start = (values: object, clusterKey?: string): Promise<RunningServer> =>
  startServer(
    { data: join(folder, 'data'), listen: '127.0.0.1:0', join: ['127.0.0.1:1'], ...values },
    clusterKey === undefined ? {} : { clusterKey },
  );

test('addresses, names, the local network, or nobody', () => {
  const expected = {
    isAuto: true,
    addresses: ['10.0.0.5:7000', 'node-1:7946', '[::1]:7946'],
    names: [
      { name: 'ringlog.internal', port: 7946 },
      { name: 'x', port: 80 },
    ],
  };
  const items = ['auto', '10.0.0.5:7000', 'node-1', '[::1]', 'dns:ringlog.internal', 'dns:x:80'];
  expect(parseJoin(items)).toEqual({ ok: true, value: expected });
  expect(parseJoin(['none'])).toEqual({ ok: true, value: { isAuto: false, addresses: [], names: [] } });
  for (const bad of [['none', 'auto'], ['dns:'], ['a b'], ['a:0'], ['a:99999'], ['']])
    expect(parseJoin(bad)).toMatchObject({ ok: false });
});

test('attack 28: an address that others reach needs a cluster key', async () => {
  await expect(start({ peer: { listen: '0.0.0.0:0' } })).rejects.toThrow('ringlog key new');
});

test('what is no key, no address or no name is refused with what to do', async () => {
  await expect(start({}, 'secret')).rejects.toThrow('RINGLOG_CLUSTER_KEY: This is no cluster key');
  const keyFile = join(folder, 'key');
  await expect(start({ cluster: { keyFile } })).rejects.toThrow('cannot be read');
  writeFileSync(keyFile, 'secret\n');
  await expect(start({ cluster: { keyFile } })).rejects.toThrow(`${keyFile}: This is no cluster key`);
  await expect(start({ advertise: 'a b' })).rejects.toThrow('advertise is "a b"');
  await expect(start({ join: ['a b'] })).rejects.toThrow('join has "a b"');
  await expect(start({ cluster: { name: 'Big' } })).rejects.toThrow('cluster.name');
  await expect(start({ peer: { listen: '203.0.113.1:0' } }, '')).rejects.toThrow('cluster key');
});

test('a node that expects others begins in a ring, and serves while nobody is there', async () => {
  const server = await start({ peer: { listen: '127.0.0.1:0' } });
  running.push(server);
  const asAdmin = { headers: { authorization: `Bearer ${server.directory.adminToken}` } };
  const answer = await fetch(`${server.url}/v1/admin/cluster`, asAdmin);
  expect(await answer.json()).toMatchObject({
    alone: false,
    ring: { version: 1, members: [{ node: server.directory.nodeId, state: 'active' }] },
  });
  const refused = await fetch(`${server.url}/v1/admin/cluster/changes`, {
    method: 'POST',
    headers: { ...asAdmin.headers, 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'drain', node: server.directory.nodeId }),
  });
  expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
    400,
    expect.stringContaining('last member'),
  ]);
});
