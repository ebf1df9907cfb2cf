/** Who is not one of the cluster gets nothing, and nothing of what it does is felt (attacks 28 to 33). */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import type { PeerHandlers } from '../../src/engine/ports.js';
import { limits } from '../../src/base/limits.js';
import { makeCertificates } from '../../src/peer/certificates.js';
import { newClusterKey, parseClusterKey } from '../../src/peer/cluster-key.js';
import { decodeHello, encodeHello, versionWith } from '../../src/peer/hello.js';
import { PeerPort } from '../../src/peer/peer-port.js';
import { ReplayWindow } from '../../src/peer/replay-window.js';
import { nodeOf } from '../../src/peer/node-name.js';
import { packetSeal } from '../../src/peer/seal.js';
import { sealedBy } from '../../src/peer/security.js';
import { becomes, openPort, sealed, someKey, someNode } from './support.js';

type Port = Awaited<ReturnType<typeof openPort>>;

const ports: Port[] = [];
const closers: (() => void)[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.stop();
  for (const close of closers.splice(0)) close();
});

class Listener implements PeerHandlers {
  readonly heard: string[] = [];
  linked = (peer: NodeId): void => void this.heard.push(`linked ${peer}`);
  unlinked = (): void => void this.heard.push('unlinked');
  received = (): void => void this.heard.push('letter');
  packet = (_address: string, packet: Uint8Array): void => void this.heard.push(`packet ${packet.join()}`);
  asked = (question: Uint8Array): Uint8Array => question;
  pulse = (): void => void this.heard.push('pulse');
}

async function open(
  secure: (node: NodeId) => ReturnType<typeof sealed>,
  more: Parameters<typeof openPort>[2] = {},
  node = someNode(),
): Promise<{ port: Port; heard: string[] }> {
  const port = await openPort(node, await secure(node), more);
  ports.push(port);
  const listener = new Listener();
  port.start(listener);
  return { port, heard: listener.heard };
}

const toldOf = ({ told }: Port): string =>
  told.map((each) => ('message' in each ? each.message : '')).join('\n');
/** Asks until the fault is told: on a busy machine an answer may be late. */
async function expectFault(asking: Port, address: string, text: string): Promise<void> {
  for (let tries = 0; !toldOf(asking).includes(text); tries++) {
    if (tries > 30) throw new Error(`"${text}" is not told, but: ${toldOf(asking)}`);
    await expect(asking.ask(address, Uint8Array.of(1))).rejects.toThrow(/./);
  }
}

async function expectAnswer(asking: Port, address: string): Promise<void> {
  for (let tries = 0; tries < 30; tries++) {
    const answer = await asking.ask(address, Uint8Array.of(1)).catch(() => undefined);
    if (answer?.length === 1) return;
  }
  throw new Error(`no answer: ${toldOf(asking)}`);
}

const hello = {
  cluster: 'test',
  node: someNode(),
  boot: '0'.repeat(16),
  oldest: 1,
  newest: 1,
  address: 'a:1',
  pulsePort: 0,
};

describe('a connection', () => {
  test('under another cluster key is refused on both sides, with what to do', async () => {
    const [ours, theirs] = [someKey(), someKey()];
    const a = await open((node) => sealed(ours, node));
    const b = await open((node) => sealed(theirs, node));
    b.port.keepLinks(new Map([[a.port.own.node, a.port.own.address]]));
    await expectFault(b.port, a.port.own.address, 'has another cluster key');
    await pause(300);
    expect([a.heard, b.heard]).toEqual([[], []]);
  });

  test('of another cluster name is refused, with what to do', async () => {
    const key = someKey();
    const a = await open((node) => sealed(key, node));
    const b = await open((node) => sealed(key, node, 'other'), { cluster: 'other' });
    await expectFault(b.port, a.port.own.address, '--cluster-name');
    expect(a.heard).toEqual([]);
  });

  test('attack 32: that names a cluster or node its certificate does not is refused', async () => {
    const key = someKey();
    const a = await open((node) => sealed(key, node));
    const liar = await open(() => sealed(key, someNode()));
    await expectFault(liar.port, a.port.own.address, 'certificate');
    const foreign = await open((node) => sealed(key, node, 'other'));
    await expect(foreign.port.ask(a.port.own.address, Uint8Array.of(1))).rejects.toThrow(/./);
  });

  test('attack 32: without a certificate, or older than TLS 1.3, is ended before anything is read', async () => {
    const key = someKey();
    const a = await open((node) => sealed(key, node));
    const { authority, certificate, key: secret } = await makeCertificates(key, 'test', someNode());
    for (const options of [
      {},
      { ca: authority, cert: certificate, key: secret, maxVersion: 'TLSv1.2' as const },
    ]) {
      const socket = connectTls({
        port: a.port.port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ...options,
      });
      const end = new Promise<string>((resolve) => {
        socket.on('error', (error) => resolve(error.message));
        socket.on('close', () => resolve('closed'));
      });
      socket.on('secureConnect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
      socket.resume();
      expect(await end).toMatch(/closed|alert|reset|version|certificate/i);
      socket.destroy();
    }
    expect(a.heard).toEqual([]);
  });

  test('of a node with a key to one without, and the other way, is told as such', async () => {
    const plain = await open(async () => ({ kind: 'plain' }));
    const keyed = await open((node) => sealed(someKey(), node));
    await expectFault(keyed.port, plain.port.own.address, 'does not speak TLS');
    await expectFault(plain.port, keyed.port.own.address, 'a cluster key and this node has none');
    expect([plain.heard, keyed.heard]).toEqual([[], []]);
  });

  test('that another version of the protocol wants is refused; one that speaks ours too is not', async () => {
    const a = await open(async () => ({ kind: 'plain' }));
    const newer = await open(async () => ({ kind: 'plain' }), { versions: { oldest: 2, newest: 3 } });
    await expectFault(newer.port, a.port.own.address, 'speaks peer protocol version 1');
    await expectFault(a.port, newer.port.own.address, 'speaks peer protocol versions 2 to 3');
    const both = await open(async () => ({ kind: 'plain' }), { versions: { oldest: 1, newest: 2 } });
    await expectAnswer(both.port, a.port.own.address);
  });

  test('with a copy of the own data directory is refused; one with itself is nothing to tell', async () => {
    const node = someNode();
    const a = await open(async () => ({ kind: 'plain' }), {}, node);
    const copy = await open(async () => ({ kind: 'plain' }), {}, node);
    await expectFault(copy.port, a.port.own.address, 'copy of the other');
    await expect(a.port.ask(a.port.own.address, Uint8Array.of(1))).rejects.toThrow(/./);
    expect(toldOf(a.port)).toBe('');
  });

  test('to what is no node is told as such', async () => {
    const a = await open(async () => ({ kind: 'plain' }));
    const web = createHttpServer((_request, response) => response.end('hello'));
    const silent = createServer(() => undefined);
    for (const server of [web, silent]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closers.push(() => server.close());
    }
    const addressOf = (server: { address(): unknown }) =>
      `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expectFault(a.port, addressOf(web), `${addressOf(web)} is no peer port`);
    await expectFault(a.port, addressOf(silent), `No node answers at ${addressOf(silent)}`);
    await expectFault(a.port, '127.0.0.1:1', 'No node answers at 127.0.0.1:1');
  });

  test('that nobody proves is one of few, and does not keep others out', async () => {
    const key = someKey();
    const a = await open((node) => sealed(key, node));
    const b = await open((node) => sealed(key, node));
    const idle = Array.from({ length: limits.peerConnectionsUnprovenMax - 8 }, () =>
      connect(a.port.port, '127.0.0.1').on('error', () => undefined),
    );
    closers.push(() => idle.forEach((socket) => socket.destroy()));
    await expectAnswer(b.port, a.port.own.address);
  });
});

describe('a packet', () => {
  const secure = async () => {
    const key = someKey();
    const [a, b] = [await open((node) => sealed(key, node)), await open((node) => sealed(key, node))];
    await expectAnswer(b.port, a.port.own.address);
    return { a, b };
  };
  /** From a socket of nobody; resolves with what came back within a while. */
  const throwAt = async (port: number, ...datagrams: readonly Uint8Array[]): Promise<number> => {
    const socket = createSocket('udp4');
    let answered = 0;
    socket.on('message', () => answered++);
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    for (const datagram of datagrams) socket.send(datagram, port, '127.0.0.1');
    await pause(200);
    socket.close();
    return answered;
  };

  test('attacks 28 and 30: of strangers, too short or flipped, is dropped, and nothing is answered', async () => {
    const { a } = await secure();
    const strange = [1, 16, 47, 48, 100, 1_400, 9_000].map((size) => randomBytes(size));
    for (const bytes of strange) bytes[0] = 2;
    expect(await throwAt(a.port.port, ...strange, ...[60, 600].map((size) => randomBytes(size)))).toBe(0);
    expect(a.heard).toEqual([]);
  });

  test('attack 29: is taken once: a recorded one opens neither again nor elsewhere', async () => {
    const { a, b } = await secure();
    const recorded: Buffer[] = [];
    const tap = createSocket('udp4').on('message', (datagram) => recorded.push(datagram));
    closers.push(() => tap.close());
    await new Promise<void>((resolve) => tap.bind(0, '127.0.0.1', resolve));
    await becomes(() => {
      b.port.sendPacket(`127.0.0.1:${tap.address().port}`, Uint8Array.of(7));
      return recorded.length > 0;
    });
    const one = recorded[0]!;
    expect(await throwAt(a.port.port, one, one, one)).toBe(0);
    expect(a.heard).toEqual(['packet 7']);
    const flipped = Uint8Array.from(one);
    flipped[flipped.length - 20]! ^= 1;
    await throwAt(a.port.port, flipped);
    // One that has not met this process of the sender, as after a restart, opens nothing of it.
    const other = await open((node) => sealed(someKey(), node));
    await throwAt(other.port.port, one);
    expect([a.heard, other.heard]).toEqual([['packet 7'], []]);
  });

  test('fits into 1,400 bytes sealed; a larger one goes over a connection', async () => {
    const { a, b } = await secure();
    await becomes(() => {
      b.port.sendPacket(a.port.own.address, new Uint8Array(1_352));
      b.port.sendPacket(a.port.own.address, new Uint8Array(5_000));
      return new Set(a.heard.map((each) => each.length)).size === 2;
    });
    expect(a.heard.every((each) => each.startsWith('packet '))).toBe(true);
  });

  test('attack 29: of an earlier process of its node opens no more', async () => {
    const key = someKey();
    const security = sealedBy(key, await makeCertificates(key, 'test', hello.node));
    const [first, second] = ['1', '2'].map((each) => ({ ...hello, boot: each.repeat(16) }));
    const receiver = packetSeal({ ...hello, node: someNode() }, security);
    const early = packetSeal(first!, security).seal(Uint8Array.of(1))!;
    expect(receiver.open(early)).toBeUndefined();
    receiver.met(first!);
    expect(Array.from(receiver.open(early)!)).toEqual([1]);
    const late = packetSeal(first!, security).seal(Uint8Array.of(2))!;
    receiver.met(second!);
    expect(receiver.open(late)).toBeUndefined();
    const elsewhere = packetSeal({ ...second!, cluster: 'other' }, security).seal(Uint8Array.of(3))!;
    expect(receiver.open(elsewhere)).toBeUndefined();
  });

  test('of another cluster of this machine is passed over without a key', () => {
    const [ours, theirs] = ['ours', 'theirs'].map((cluster) =>
      packetSeal({ ...hello, cluster }, { kind: 'plain' }),
    );
    expect(ours!.open(theirs!.seal(Uint8Array.of(1))!)).toBeUndefined();
    expect(Array.from(ours!.open(ours!.seal(Uint8Array.of(1))!)!)).toEqual([1]);
    expect(ours!.open(new Uint8Array(0))).toBeUndefined();
  });
});

test('a window takes each counter once, in any order, and none that is too old', () => {
  const window = new ReplayWindow();
  const size = limits.replayWindowPackets;
  for (const counter of [5, 3, 4, 0, size, size + 2])
    expect([counter, window.take(counter)]).toEqual([counter, true]);
  for (const counter of [5, 3, 4, 0, 2, size, size + 2])
    expect([counter, window.take(counter)]).toEqual([counter, false]);
  for (const counter of [6, size + 1]) expect(window.take(counter)).toBe(true);
  expect([
    window.take(10 * size),
    window.take(9 * size),
    window.take(9 * size + 1),
    window.take(size + 3),
  ]).toEqual([true, false, true, false]);
});

test('a hello comes back as it was, and nonsense is none', () => {
  expect(decodeHello(encodeHello(hello))).toEqual(hello);
  const bytes = encodeHello(hello);
  for (let end = 0; end < bytes.length; end++) expect(decodeHello(bytes.subarray(0, end))).toBeUndefined();
  for (const bad of [{ cluster: 'A b' }, { oldest: 3 }, { address: 'x y' }])
    expect(decodeHello(encodeHello({ ...hello, ...bad }))).toBeUndefined();
  expect(decodeHello(randomBytes(limits.helloBytesMax + 1))).toBeUndefined();
  expect(versionWith({ ...hello, newest: 4 }, { ...hello, newest: 3 })).toEqual({ ok: true, value: 3 });
});

test('a cluster key is read as it is printed, and nothing else is one', () => {
  const text = newClusterKey({ bytes: (length) => randomBytes(length) });
  expect(parseClusterKey(`${text}\n`)).toMatchObject({ ok: true });
  for (const bad of ['', text.slice(0, -1), text.slice(8), 'ringlog-key-', `${text}AA`])
    expect(parseClusterKey(bad)).toMatchObject({
      ok: false,
      error: expect.stringContaining('ringlog key new') as string,
    });
});

test('a certificate speaks for one node of one cluster', () => {
  const node = someNode();
  expect(nodeOf(`URI:ringlog://test/${node}`)).toEqual({ cluster: 'test', node });
  for (const names of [
    undefined,
    '',
    'DNS:ringlog',
    `DNS:x, URI:ringlog://test/${node}0`,
    `"URI:ringlog://test/${node}"`,
  ])
    expect(nodeOf(names)).toBeUndefined();
});

test('a port that was asked for and is taken is an error of the system', async () => {
  const a = await open(async () => ({ kind: 'plain' }));
  const { port } = a.port;
  const { own, ...rest } = { own: someNode(), listen: { host: '127.0.0.1', port }, portsTried: 1 };
  await expect(openPort(own, { kind: 'plain' }, rest)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  const next = await openPort(own, { kind: 'plain' }, { ...rest, portsTried: 50 });
  ports.push(next);
  expect(next).toBeInstanceOf(PeerPort);
  expect(next.port).toBeGreaterThan(port);
});
