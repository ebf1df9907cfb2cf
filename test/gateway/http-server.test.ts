import { afterEach, describe, expect, test } from 'vitest';
import { ConnectionCounts } from '../../src/gateway/connection-counts.js';
import { originRefusal } from '../../src/gateway/origin.js';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { FakeNode, RawConnection, type TestGateway, gatewayInFront } from './fake-node.js';

let front: TestGateway | undefined;
const connections: RawConnection[] = [];

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.socket.destroy();
  await front?.gateway.stop();
});

function raw(): RawConnection {
  const connection = new RawConnection(front!.port);
  connections.push(connection);
  return connection;
}

async function answerTo(request: string): Promise<RawConnection> {
  const connection = raw();
  connection.send(request);
  await connection.until(() => connection.ended || connection.body.length > 0);
  return connection;
}

describe('requests that are not fair', () => {
  test('attack 1: headers that never end are cut off, and others are served meanwhile', async () => {
    front = await gatewayInFront(new FakeNode());
    const slow = Array.from({ length: 400 }, raw);
    const drip = setInterval(() => slow.forEach((connection) => connection.send('a')), 200);
    slow.forEach((connection) => connection.send('GET / HTTP/1.1\r\nX: '));
    try {
      expect((await front.fetch('/healthz')).status).toBe(200);
      expect(slow.filter(({ ended }) => ended)).toEqual([]);
      for (const connection of slow) await connection.until(() => connection.ended);
      expect(slow[0]!.text).toMatch(/^HTTP\/1\.1 408 /);
    } finally {
      clearInterval(drip);
    }
  });

  test.each([
    [
      'headers above 8 KiB',
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(9_000)}\r\n\r\n`,
      431,
    ],
    [
      'more than 64 headers',
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${Array.from({ length: 70 }, (_, i) => `h${i}: v\r\n`).join('')}\r\n`,
      400,
    ],
    ['bytes that are no HTTP', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\r\n\r\n', 400],
    [
      'an address that is none',
      'GET /v1/hubs/%zz/sse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      400,
    ],
    [
      'a WebSocket address without upgrade',
      'GET /v1/hubs/default/ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      400,
    ],
    [
      'another method for a stream',
      'POST /v1/hubs/default/sse?channels=a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      404,
    ],
    [
      'another name for this machine',
      'GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
      403,
    ],
  ])('%s', async (_, request, status) => {
    front = await gatewayInFront(new FakeNode());
    const connection = await answerTo(request);
    expect(connection.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(connection.body.toString())).toMatchObject({ outcome: 'rejected' });
    expect(connection.text).not.toMatch(/node_modules|at \//);
  });

  test('64 headers are fine', async () => {
    front = await gatewayInFront(new FakeNode());
    const headers = Array.from({ length: 62 }, (_, i) => `h${i}: v\r\n`).join('');
    const connection = await answerTo(
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${headers}Connection: close\r\n\r\n`,
    );
    expect(connection.text).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('attack 1: connections above the cap are closed, in all and of one address', async () => {
    front = await gatewayInFront(new FakeNode(), { countLoopback: true, connectionsPerAddressMax: 3 });
    const first = [raw(), raw(), raw()];
    for (const connection of first) {
      connection.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await connection.until(() => connection.body.length > 0);
    }
    const fourth = raw();
    await fourth.until(() => fourth.ended);
    first[0]!.socket.destroy();
    await expect
      .poll(async () => (await answerTo('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')).text)
      .toMatch(/200/);
  });
});

test('HEAD opens no stream', async () => {
  const node = new FakeNode();
  front = await gatewayInFront(node);
  expect((await front.fetch('/v1/hubs/default/sse?channels=a', { method: 'HEAD' })).status).toBe(404);
  expect((await front.fetch('/healthz', { method: 'HEAD' })).status).toBe(200);
  expect(node.sessions).toEqual([]);
});

describe('counting connections', () => {
  let ports = 1_024;
  const socketFrom = (remoteAddress: string) => {
    const socket = Object.assign(new EventEmitter(), {
      remoteAddress,
      remotePort: ports++,
      destroyed: false,
      destroy: () => void (socket.destroyed = true),
    });
    return socket as typeof socket & Socket;
  };
  const admits = (counts: ConnectionCounts, address: string) => {
    const socket = socketFrom(address);
    counts.accept(socket);
    return socket.destroyed ? undefined : socket;
  };

  test('an IPv6 network counts as one address, loopback not at all', () => {
    const counts = new ConnectionCounts({ connectionsMax: 100, connectionsPerAddressMax: 1 });
    expect(admits(counts, '2001:db8:1:2::1')).toBeDefined();
    expect(admits(counts, '2001:db8:1:2:ffff::9')).toBeUndefined();
    expect(admits(counts, '2001:db8:1:3::1')).toBeDefined();
    for (let i = 0; i < 5; i++) expect(admits(counts, '::ffff:127.0.0.1')).toBeDefined();
  });

  test('attack 1: those that have sent nothing are bounded more tightly', () => {
    const counts = new ConnectionCounts({ connectionsMax: 1_000, connectionsPerAddressMax: 1_000 });
    const pending = Array.from({ length: 100 }, () => admits(counts, '203.0.113.1')!);
    expect(admits(counts, '203.0.113.1')).toBeUndefined();
    expect(admits(counts, '203.0.113.2')).toBeDefined();
    counts.served(pending[0]!);
    expect(admits(counts, '203.0.113.1')).toBeDefined();
    // With TLS the request is another socket's, of the same connection.
    const { remoteAddress, remotePort } = pending[2]!;
    counts.served({ remoteAddress, remotePort } as Socket);
    expect(admits(counts, '203.0.113.1')).toBeDefined();
    pending[1]!.emit('close');
    expect(admits(counts, '203.0.113.1')).toBeDefined();
    expect(counts.open).toBe(103);
    expect(counts.refused).toBe(1);
  });
});

describe('attack 7, origins', () => {
  const rules = { allowed: ['https://app.example'], loopback: true };

  test.each([
    [undefined, 'localhost:8080', true],
    [undefined, '127.0.0.1:8080', true],
    [undefined, '[::1]:8080', true],
    [undefined, 'app.example', true],
    [undefined, 'rebound.example', false],
    ['http://localhost:8080', 'localhost:8080', true],
    ['http://localhost:8081', 'localhost:8080', false],
    ['https://app.example', 'localhost:8080', true],
    ['https://app.example.evil', 'localhost:8080', false],
    ['https://evil.example', 'evil.example', false],
    ['null', 'localhost', false],
    ['not a url', 'localhost', false],
  ])('origin %s asking %s: %s', (origin, host, allowed) => {
    expect(originRefusal(rules, { origin, host }) === undefined).toBe(allowed);
  });

  test('on other addresses a page of the same host is fine', () => {
    const open = { allowed: [], loopback: false };
    expect(originRefusal(open, { origin: 'https://ring.example', host: 'ring.example' })).toBeUndefined();
    expect(originRefusal(open, { origin: 'https://other.example', host: 'ring.example' })).toBeDefined();
    expect(originRefusal({ ...open, allowed: ['*'] }, { origin: 'null', host: 'x' })).toBeUndefined();
  });
});

describe('stopping', () => {
  test('a request under way is answered, new connections are refused', async () => {
    const node = new FakeNode();
    front = await gatewayInFront(node);
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const publish = node.publish.bind(node);
    const underWay = new Promise<void>((resolve) => {
      node.publish = async (...all) => {
        resolve();
        await held;
        return publish(...all);
      };
    });
    const answer = front.fetch('/v1/hubs/default/channels/a/publish', { method: 'POST', body: 'x' });
    await underWay;
    front.gateway.refuseNew();
    await expect(front.fetch('/healthz')).rejects.toThrow('fetch failed');
    const stopped = front.gateway.stop();
    release();
    expect((await answer).status).toBe(200);
    await stopped;
  });
});
