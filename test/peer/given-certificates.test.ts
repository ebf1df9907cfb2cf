/** Nodes that an authority of the operator's own proves (attack 32). */
import { connect as connectHttp2 } from 'node:http2';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import type { Certificates } from '../../src/peer/certificates.js';
import type { PeerPort } from '../../src/peer/peer-port.js';
import { sealedBy } from '../../src/peer/security.js';
import { Authority, type Issue, clientsOnly } from '../support/authority.js';
import { becomes, openPort, sealed, someKey, someNode } from './support.js';

type Port = Awaited<ReturnType<typeof openPort>>;

const key = someKey();
const ports: PeerPort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.stop();
});

async function open(node: NodeId, certificates: Certificates): Promise<{ port: Port; heard: string[] }> {
  const port = await openPort(node, sealedBy(key, certificates, true));
  const heard = listen(port);
  return { port, heard };
}

function listen(port: PeerPort): string[] {
  const heard: string[] = [];
  ports.push(port);
  port.start({
    linked: (peer) => void heard.push(`linked ${peer}`),
    unlinked: (peer) => void heard.push(`unlinked ${peer}`),
    received: () => void heard.push('letter'),
    packet: () => void heard.push('packet'),
    asked: (question) => (heard.push('question'), question),
    pulse: () => undefined,
  });
  return heard;
}

const toldOf = ({ told }: Port): string =>
  told.map((each) => ('message' in each ? each.message : '')).join('\n');

/** Asks until it is told why nobody answers. */
async function expectTold(asking: Port, asked: Port, where: Port, text: string): Promise<void> {
  await becomes(() => {
    void asking.ask(asked.own.address, Uint8Array.of(1)).catch(() => undefined);
    return toldOf(where).includes(text);
  });
  expect(toldOf(where)).toContain(text);
}

test('of one authority find each other, and whoever has the cluster key alone is refused', async () => {
  const authority = await Authority.make('Ours');
  const [one, two, three] = [someNode(), someNode(), someNode()];
  const a = await open(one, await authority.issue(one));
  const b = await open(two, await authority.issue(two));
  expect(await a.port.ask(b.port.own.address, Uint8Array.of(7))).toEqual(Buffer.of(7));
  a.port.keepLinks(new Map([[two, b.port.own.address]]));
  await becomes(() => b.heard.includes(`linked ${one}`));

  const keyed = await openPort(three, await sealed(key, three));
  const heard = listen(keyed);
  await expectTold(keyed, a.port, keyed, 'another cluster key');
  await expectTold(a.port, keyed, a.port, 'is not taken');
  expect([heard, a.heard]).toEqual([[], [`linked ${two}`]]);
});

test.each<[string, Issue | 'revoked', { good: string; bad: string }]>([
  ['has ended', { from: -20, to: -10 }, { good: 'cert has expired', bad: 'certificate has expired' }],
  ['is for clients alone', clientsOnly, { good: 'not for both serverAuth', bad: 'is not taken' }],
  [
    'names no node',
    { names: [{ type: 'dns', value: 'node-1.example' }] },
    { good: 'names no node', bad: 'is for no node' },
  ],
  ['was taken back', 'revoked', { good: 'cert revoked', bad: 'certificate revoked' }],
])('a certificate that %s is refused, with what to do', async (_name, issue, why) => {
  const authority = await Authority.make('Ours');
  const [one, two] = [someNode(), someNode()];
  const bad = await authority.issue(two, issue === 'revoked' ? {} : issue);
  const revoked = issue === 'revoked' ? { revoked: await authority.revoke(bad) } : {};
  const a = await open(one, { ...(await authority.issue(one)), ...revoked });
  const b = await open(two, bad);
  await expectTold(b.port, a.port, a.port, why.good);
  await expectTold(a.port, b.port, a.port, why.bad);
  await expectTold(b.port, a.port, b.port, 'its log says why');
  expect(a.heard).toEqual([]);
});

test('a certificate of another cluster or another node is refused by who is called', async () => {
  const authority = await Authority.make('Ours');
  const [one, two] = [someNode(), someNode()];
  const a = await open(one, await authority.issue(one));
  const elsewhere = await open(two, await authority.issue(two, { cluster: 'other' }));
  const other = await open(two, await authority.issue(someNode()));
  for (const { port } of [elsewhere, other])
    await expect(port.ask(a.port.own.address, Uint8Array.of(1))).rejects.toThrow(
      'certificate is of another cluster or node',
    );
  expect(a.heard).toEqual([]);
});

test('what is renewed is shown to new connections, and links go on', async () => {
  const [before, after] = [await Authority.make('Before'), await Authority.make('After')];
  const [one, two] = [someNode(), someNode()];
  const both = `${before.pem}\n${after.pem}`;
  const a = await open(one, { ...(await before.issue(one)), authority: both });
  const b = await open(two, { ...(await before.issue(two)), authority: both });
  a.port.keepLinks(new Map([[two, b.port.own.address]]));
  await becomes(() => b.heard.includes(`linked ${one}`) && a.heard.includes(`linked ${two}`));
  b.port.renew(await after.issue(two));
  // Of the authority before, which b does not know any more.
  await expect(a.port.ask(b.port.own.address, Uint8Array.of(1))).rejects.toThrow(/./);
  a.port.renew(await after.issue(one));
  expect(await a.port.ask(b.port.own.address, Uint8Array.of(7))).toEqual(Buffer.of(7));
  a.port.send(two, Uint8Array.of(1));
  await becomes(() => b.heard.includes('letter'));
  expect([...a.heard, ...b.heard].filter((each) => each.startsWith('unlinked'))).toEqual([]);
});

test.each([
  ['dialed it', '0'],
  ['was dialed by it', 'f'],
])(
  'a link with a node whose certificate is taken back ends at who %s, and only that one',
  async (_how, first) => {
    const authority = await Authority.make('Ours');
    const [one, two, three] = [
      `8${someNode().slice(1)}`,
      `${first}${someNode().slice(1)}`,
      someNode(),
    ] as NodeId[];
    const shown = await authority.issue(one!);
    const bad = await authority.issue(two!);
    const a = await open(one!, shown);
    const b = await open(two!, bad);
    const c = await open(three!, await authority.issue(three!));
    const all = new Map([a, b, c].map(({ port }) => [port.own.node, port.own.address]));
    for (const { port } of [a, b, c]) port.keepLinks(all);
    await becomes(() => [two, three].every((node) => a.heard.includes(`linked ${node}`)));
    await becomes(() => b.heard.includes(`linked ${one}`));
    b.port.sendPacket(a.port.own.address, Uint8Array.of(1));
    await becomes(() => a.heard.includes('packet'));

    const { length } = a.heard;
    a.port.renew({ ...shown, revoked: await authority.revoke(bad) });
    await becomes(() => b.heard.includes(`unlinked ${one}`) && a.heard.includes(`unlinked ${two}`));
    expect(toldOf(a.port)).toContain(`ringlog node remove ${two}`);
    // It does not come back, nor is it heard.
    await expectTold(b.port, a.port, a.port, 'cert revoked');
    b.port.sendPacket(a.port.own.address, Uint8Array.of(1));
    c.port.sendPacket(a.port.own.address, Uint8Array.of(1));
    await becomes(() => a.heard.slice(length).includes('packet'));
    expect(a.heard.slice(length)).toEqual([`unlinked ${two}`, 'packet']);
  },
);

test('whoever is called ends what is open without a link too, and takes up nothing again', async () => {
  const authority = await Authority.make('Ours');
  const [one, two] = [someNode(), someNode()];
  const [shown, bad] = [await authority.issue(one), await authority.issue(two)];
  const a = await open(one, shown);
  const connectAgain = (session?: Buffer): TLSSocket =>
    connectTls({
      port: a.port.port,
      host: '127.0.0.1',
      ca: shown.authority,
      cert: bad.certificate,
      key: bad.key,
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
      session,
    });
  const ends = (socket: TLSSocket): Promise<void> =>
    new Promise((resolve) => {
      socket.on('error', () => undefined);
      socket.once('close', () => resolve());
      socket.resume();
    });
  const before = connectAgain();
  const end = ends(before);
  // Answers pings; who is idle for long is told, and then ended.
  const told: unknown[] = [];
  const calls = connectHttp2(`https://${a.port.own.address}`, { createConnection: () => before });
  calls.on('error', () => undefined);
  calls.on('goaway', () => told.push('idle'));
  const session = await new Promise<Buffer>((resolve) => before.once('session', resolve));
  a.port.renew({ ...shown, revoked: await authority.revoke(bad) });
  await end;
  expect(told).toEqual([]);
  const again = connectAgain(session);
  const isReused = new Promise((resolve) =>
    again.once('secureConnect', () => resolve(again.isSessionReused())),
  );
  await ends(again);
  expect(await isReused).toBe(false);
});
