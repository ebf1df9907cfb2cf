/** Clients that speak TLS: a certificate of the node's own, one that was given, and one that is renewed meanwhile. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { certificateCode, fetchTrusting, webSocketTrusting } from '../../src/cli/trusting.js';
import { connect } from '../../src/client/index.js';
import { type RunningServer, startServer } from '../../src/server/index.js';
import { makeOwnCertificate } from '../../src/server/own-certificate.js';
import { type ServerTls, openTls } from '../../src/server/tls.js';

const dayMs = 86_400_000;
let folder: string;
const running: (RunningServer | ServerTls | undefined)[] = [];
const sockets: TLSSocket[] = [];

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ringlog-tls-'))));
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const each of running.splice(0)) await each?.stop();
  rmSync(folder, { recursive: true });
});

async function start(values: object): Promise<RunningServer> {
  const server = await startServer({
    data: join(folder, 'data'),
    listen: '127.0.0.1:0',
    join: ['none'],
    ...values,
  });
  running.push(server);
  return server;
}

const fileOf = (name: string): string => join(folder, name);
const ownCertificate = (): string => readFileSync(fileOf('data/tls-cert.pem'), 'utf8');
const asked = { method: 'GET', headers: {}, signal: AbortSignal.timeout(60_000) };

/** What is shown to whoever connects now. */
async function shown(server: RunningServer): Promise<string> {
  const socket = connectTls({ port: Number(new URL(server.url).port), rejectUnauthorized: false });
  sockets.push(socket);
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return socket.getPeerX509Certificate()!.fingerprint256;
}

const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;

async function writeCertificate(): Promise<{ tlsCertFile: string; tlsKeyFile: string; mark: string }> {
  const { cert, key } = await makeOwnCertificate(['localhost', '127.0.0.1'], Date.now());
  writeFileSync(fileOf('key.pem'), key);
  writeFileSync(fileOf('cert.pem'), cert);
  return { tlsCertFile: fileOf('cert.pem'), tlsKeyFile: fileOf('key.pem'), mark: fingerprint(cert) };
}

describe('a certificate of its own', () => {
  test('serves HTTP, WebSocket and event streams to those who trust it, and nobody else', async () => {
    const server = await start({ tls: 'auto' });
    expect(server.url).toMatch(/^https:/);
    const ca = ownCertificate();
    const client = connect({ url: server.url, webSocket: webSocketTrusting(ca) });
    const seen: unknown[] = [];
    client.subscribe('room', { start: 'beginning', onEntry: ({ data }) => void seen.push(data) });
    expect((await client.publish('room', 'sealed')).copies).toBe(1);
    await vi.waitUntil(() => seen.length === 1, { timeout: 60_000 });
    await client.close();

    const history = await fetchTrusting(ca, `${server.url}/v1/hubs/default/channels/room/history`, asked);
    expect(await history.text()).toContain('sealed');
    const stream = await fetchTrusting(ca, `${server.url}/v1/hubs/default/sse?channels=room&last=1`, asked);
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    const reader = stream.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBeTruthy();
    await reader.cancel();

    const refused = await fetch(`${server.url}/healthz`).catch(certificateCode);
    expect(refused).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    const other = (await makeOwnCertificate(['127.0.0.1'], Date.now())).cert;
    const foreign = await fetchTrusting(other, `${server.url}/healthz`, asked).catch(certificateCode);
    expect(foreign).toMatch(/CERT/);
  });

  test('is kept by the next start, with its key for the owner alone', async () => {
    await (await start({ tls: 'auto' })).stop();
    const before = ownCertificate();
    const server = await start({ tls: 'auto' });
    expect(ownCertificate()).toBe(before);
    expect(await shown(server)).toBe(fingerprint(before));
    expect(statSync(fileOf('data/tls-key.pem')).mode & 0o077).toBe(0);
  });

  test('names this machine and what clients are told, and is made anew before it ends', async () => {
    const { config } = await start({ tls: 'auto', http: { advertise: ['https://node-1.example:8443'] } });
    const first = new X509Certificate(ownCertificate());
    for (const name of ['localhost', 'node-1.example']) expect(first.checkHost(name)).toBe(name);
    expect(first.checkIP('127.0.0.1')).toBe('127.0.0.1');
    const openedAt = async (days: number): Promise<string> => {
      const nowMs = () => Date.now() + days * dayMs;
      const tls = await openTls(config, { warn: () => undefined, nowMs });
      running.push(tls);
      return tls!.fingerprint;
    };
    expect(await openedAt(700)).toBe(first.fingerprint256);
    expect(await openedAt(800)).not.toBe(first.fingerprint256);
  });
});

describe('a certificate that was given', () => {
  test('is read again when it changes; a broken one is told of and the one before stays', async () => {
    const warnings: string[] = [];
    const given = await writeCertificate();
    const server = await start({ tls: 'auto' });
    const config = { ...server.config, tls: 'files' as const, ...given };
    const tls = (await openTls(config, { warn: (text) => warnings.push(text), lookEveryMs: 5 }))!;
    running.push(tls);
    const renewed: string[] = [];
    tls.onRenewed(({ cert }) => renewed.push(fingerprint(cert)));
    expect(tls.fingerprint).toBe(given.mark);

    writeFileSync(given.tlsCertFile, 'not a certificate');
    await vi.waitUntil(() => warnings.length > 0, { timeout: 60_000 });
    expect(warnings[0]).toContain('The certificate before it stays in use.');
    expect(tls.fingerprint).toBe(given.mark);

    const next = await writeCertificate();
    await vi.waitUntil(() => renewed.includes(next.mark), { timeout: 60_000 });
    expect(tls.fingerprint).toBe(next.mark);
    // The same fault is told once.
    expect(new Set(warnings).size).toBe(warnings.length);
  });

  test('is shown, and the renewed one to whoever connects then, while connections stay', async () => {
    const { mark, ...files } = await writeCertificate();
    const server = await start({ tls: 'files', ...files });
    expect(await shown(server)).toBe(mark);
    const next = await writeCertificate();
    await vi.waitUntil(async () => (await shown(server)) === next.mark, { timeout: 60_000, interval: 1_000 });
    expect(sockets[0]!.destroyed).toBe(false);
  });

  test.each([
    [{ tls: 'files' }, 'needs --tls-cert-file'],
    [{ tls: 'off', tlsCertFile: 'cert.pem' }, '--tls files'],
    [{ tls: 'files', tlsCertFile: 'nowhere.pem', tlsKeyFile: 'nowhere.pem' }, 'cannot be read'],
  ])('%j is refused', async (values, message) => {
    await expect(start(values)).rejects.toThrow(message);
  });

  test('a key of another certificate is refused', async () => {
    const { tlsCertFile } = await writeCertificate();
    const other = await makeOwnCertificate(['localhost'], Date.now());
    writeFileSync(fileOf('other.pem'), other.key);
    const values = { tls: 'files', tlsCertFile, tlsKeyFile: fileOf('other.pem') };
    await expect(start(values)).rejects.toThrow('are not a certificate and its key');
  });
});
