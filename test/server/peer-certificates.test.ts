/** Certificates for other nodes, as files of the operator. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import type { Certificates } from '../../src/peer/certificates.js';
import { newClusterKey } from '../../src/peer/cluster-key.js';
import { type RunningServer, startServer } from '../../src/server/index.js';
import { openGivenCertificates } from '../../src/server/peer-certificates.js';
import { systemRandom } from '../../src/server/system-ports.js';
import { Authority, clientsOnly } from '../support/authority.js';

const [node, other] = ['1', '2'].map((digit) => digit.repeat(32) as NodeId) as [NodeId, NodeId];
let folder: string;
const running: { stop(): void | Promise<void> }[] = [];
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ringlog-peers-'))));
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
  rmSync(folder, { recursive: true });
});

const file = (name: string): string => join(folder, name);

/** As settings. */
function write({ authority, certificate, key, revoked = '' }: Certificates) {
  writeFileSync(file('ca.pem'), authority);
  writeFileSync(file('cert.pem'), certificate);
  writeFileSync(file('key.pem'), key);
  writeFileSync(file('crl.pem'), revoked);
  return {
    listen: '127.0.0.1:0',
    caFile: file('ca.pem'),
    certFile: file('cert.pem'),
    keyFile: file('key.pem'),
    crlFile: revoked === '' ? '' : file('crl.pem'),
  };
}

async function opened(peer: ReturnType<typeof write>, workers = 0, warnings: string[] = []) {
  const config = {
    peer,
    cluster: { name: 'test', keyFile: '', replicas: '3', expelAfterMs: 0, catchUpShare: 25 },
    workers,
  };
  const found = await openGivenCertificates(config, { warn: (text) => warnings.push(text), lookEveryMs: 5 });
  if (found) running.push(found.files);
  return found;
}

test('are looked at when a node starts, and what is wrong is told', async () => {
  const [ours, theirs] = [await Authority.make('Ours'), await Authority.make('Theirs')];
  const good = await ours.issue(node);
  expect((await opened(write(good)))?.node).toBe(node);
  expect((await opened(write({ ...good, revoked: await ours.revoke() })))?.node).toBe(node);
  expect(await opened({ ...write(good), caFile: '', certFile: '', keyFile: '' })).toBeUndefined();
  const none = { names: [{ type: 'dns', value: 'a' }] } as const;
  for (const [certificates, text] of [
    [await theirs.issue(node).then((each) => ({ ...each, authority: ours.pem })), 'was not issued by'],
    [await ours.issue(node, { from: -9, to: -3 }), 'renew it'],
    [await ours.issue(node, { from: 3, to: 9 }), 'clock of this machine'],
    [await ours.issue(node, clientsOnly), 'both serverAuth and clientAuth'],
    [await ours.issue(node, { cluster: 'other' }), 'is for the cluster "other"'],
    [await ours.issue(node, none), 'URI:ringlog://test/NODE'],
    [{ ...good, key: (await ours.issue(node)).key }, 'cannot be used'],
    [{ ...good, key: '' }, 'cannot be used'],
    [{ ...good, certificate: '' }, 'cert.pem has no certificate'],
    [{ ...good, authority: 'PEM' }, 'ca.pem has no certificate'],
    [{ ...good, revoked: 'PEM' }, 'cannot be used'],
  ] as const)
    await expect(opened(write(certificates))).rejects.toThrow(text);
  await expect(opened({ ...write(good), keyFile: '' })).rejects.toThrow('--peer-key-file');
  await expect(opened({ ...write(good), certFile: file('nowhere') })).rejects.toThrow('cannot be read');
  await expect(opened(write(good), 2)).rejects.toThrow('--role edge');
});

test('that are renewed are taken, and those that cannot be used are told once', async () => {
  const ours = await Authority.make('Ours');
  const warnings: string[] = [];
  const given = (await opened(write(await ours.issue(node)), 0, warnings))!;
  const renewed: Certificates[] = [];
  given.files.onRenewed((certificates) => void renewed.push(certificates));
  write(await ours.issue(other));
  await vi.waitUntil(() => warnings.some((text) => text.includes('a certificate of its own')), {
    timeout: 60_000,
  });
  expect(renewed).toEqual([]);
  const next = await ours.issue(node);
  write(next);
  await vi.waitUntil(() => renewed.at(-1)?.key === next.key, { timeout: 60_000 });
});

test('give a node that is new its id, and go with no other and no lost store', async () => {
  const ours = await Authority.make('Ours');
  const settings = {
    data: file('data'),
    listen: '127.0.0.1:0',
    join: ['127.0.0.1:1'],
    cluster: { name: 'test' },
  };
  const clusterKey = newClusterKey(systemRandom);
  const start = async (id: NodeId, key?: string): Promise<RunningServer> => {
    const peer = write(await ours.issue(id));
    const server = await startServer({ ...settings, peer }, key === undefined ? {} : { clusterKey: key });
    running.push(server);
    return server;
  };
  await expect(start(node)).rejects.toThrow('ringlog key new');
  const server = await start(node, clusterKey);
  expect(server.directory.nodeId).toBe(node);
  await server.stop();
  await expect(start(other, clusterKey)).rejects.toThrow(`this is node ${node}`);
  rmSync(file('data/store'), { recursive: true });
  await expect(start(node, clusterKey)).rejects.toThrow('must be a new node');
  expect(JSON.parse(readFileSync(file('data/node.json'), 'utf8'))).toMatchObject({ nodeId: node });
  expect((await start(other, clusterKey)).directory.nodeId).toBe(other);
});
