import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import type { OutFrame } from '../../src/engine/api.js';
import { seededRandom } from '../../src/base/random.js';
import { gatewayLimits } from '../../src/gateway/gateway-limits.js';
import { failure } from '../../src/protocol/errors.js';
import {
  FakeNode,
  RawConnection,
  type TestGateway,
  clientFrame,
  closeFrameIn,
  gatewayInFront,
  serverFrames,
  userToken,
} from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
const connections: RawConnection[] = [];

beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.socket.destroy();
  await front.gateway.stop();
});

async function restart(options: Parameters<typeof gatewayInFront>[1]): Promise<void> {
  for (const connection of connections.splice(0)) connection.socket.destroy();
  await front.gateway.stop();
  front = await gatewayInFront(node, options);
}

function raw(): RawConnection {
  const connection = new RawConnection(front.port);
  connections.push(connection);
  return connection;
}

async function upgraded(headers: Record<string, string> = {}, path?: string): Promise<RawConnection> {
  const connection = raw();
  connection.upgrade(path, headers);
  await connection.until(() => connection.text.includes('\r\n\r\n'));
  expect(connection.text).toMatch(/^HTTP\/1\.1 101 /);
  return connection;
}

const frameOf = (text: string): OutFrame => ({ bytes: utf8(text) });

describe('sub-protocols', () => {
  test('none offered means JSON', async () => {
    const connection = await upgraded();
    expect(connection.text).not.toMatch(/Sec-WebSocket-Protocol/i);
    expect(node.sessions[0]!.request.encoding).toBe('json');
    expect(node.sessions[0]!.request.hub).toBe('default');
  });

  test.each([
    ['ringlog.v1.protobuf', 'protobuf'],
    ['ringlog.v1.json', 'json'],
    ['other, ringlog.v1.protobuf', 'protobuf'],
  ])('%s is %s', async (offer, encoding) => {
    const connection = await upgraded({ 'Sec-WebSocket-Protocol': offer });
    expect(connection.text).toContain(`Sec-WebSocket-Protocol: ringlog.v1.${encoding}`);
    expect(node.sessions[0]!.request.encoding).toBe(encoding);
  });

  test('only unknown ones are refused with a sentence', async () => {
    const connection = raw();
    connection.upgrade(undefined, { 'Sec-WebSocket-Protocol': 'mqtt' });
    await connection.until(() => connection.ended);
    expect(connection.text).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(connection.body.toString())).toMatchObject({ code: 'INVALID', outcome: 'rejected' });
  });
});

describe('frames', () => {
  test('all frames of a turn arrive in order, text for JSON', async () => {
    const connection = await upgraded();
    const { sink } = node.sessions[0]!.request;
    const big = 'x'.repeat(70_000);
    sink.write([frameOf('one'), frameOf('two'), frameOf(big), frameOf('y'.repeat(300)), frameOf('last')]);
    await connection.until(() => serverFrames(connection.body).length === 5);
    const frames = serverFrames(connection.body);
    expect(frames.map(({ opcode }) => opcode)).toEqual([1, 1, 1, 1, 1]);
    expect(frames.map(({ payload }) => payload.toString())).toEqual([
      'one',
      'two',
      big,
      'y'.repeat(300),
      'last',
    ]);
  });

  test('a shared frame is prepared once for all sockets', async () => {
    const binary = { 'Sec-WebSocket-Protocol': 'ringlog.v1.protobuf' };
    const [a, b] = [await upgraded(binary), await upgraded(binary)];
    const shared: OutFrame = { ...frameOf('shared'), isShared: true };
    node.sessions[0]!.request.sink.write([shared]);
    const prepared = shared.prepared;
    expect(prepared).toBeDefined();
    node.sessions[1]!.request.sink.write([shared]);
    expect(shared.prepared).toBe(prepared);
    for (const connection of [a, b]) {
      await connection.until(() => serverFrames(connection.body).length === 1);
      expect(serverFrames(connection.body)).toEqual([{ opcode: 2, payload: Buffer.from('shared') }]);
    }
  });

  test('what a client sends reaches its session, one frame at a time', async () => {
    const connection = await upgraded();
    connection.send(Buffer.concat([clientFrame(1, '{"ping":{}}'), clientFrame(1, 'second')]));
    const session = node.sessions[0]!;
    await connection.until(() => session.received.length === 2);
    expect(session.received.map((bytes) => Buffer.from(bytes).toString())).toEqual(['{"ping":{}}', 'second']);
  });

  test.each([
    ['attack 10: a binary frame in a JSON session', {}, 2],
    ['attack 10: a text frame in a protobuf session', { 'Sec-WebSocket-Protocol': 'ringlog.v1.protobuf' }, 1],
  ])('%s closes with 4400', async (_, headers, opcode) => {
    const connection = await upgraded(headers);
    connection.send(clientFrame(opcode, 'x'));
    await connection.until(() => closeFrameIn(connection.body) !== undefined);
    expect(closeFrameIn(connection.body)!.code).toBe(4400);
    expect(node.sessions[0]!).toMatchObject({ disconnects: 1, received: [] });
  });
});

describe('broken clients', () => {
  test.each([
    ['attack 10: an unmasked frame', clientFrame(1, 'x', { mask: false }), 1002],
    ['attack 10: reserved bits', Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), 1002],
    ['attack 10: an unknown opcode', clientFrame(3, 'x'), 1002],
    ['attack 10: text that is not UTF-8', clientFrame(1, Buffer.from([0xc3, 0x28])), 1007],
    ['attack 10: a continuation of nothing', clientFrame(0, 'x'), 1002],
    ['attack 10: a long control frame', clientFrame(9, 'x'.repeat(126)), 1002],
    [
      'attack 3: a frame above the limit',
      Buffer.from([0x81, 0xff, 0, 0, 0, 0, 6, 0x40, 0, 0, 1, 2, 3, 4]),
      1009,
    ],
    ['attack 3: a length of 2^63', Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), 1009],
  ])('%s closes with its code', async (_, bytes, code) => {
    const connection = await upgraded();
    connection.send(bytes);
    await connection.until(() => closeFrameIn(connection.body) !== undefined);
    expect(closeFrameIn(connection.body)!.code).toBe(code);
    expect(node.sessions[0]!.received).toEqual([]);
    connection.socket.destroy();
    await connection.until(() => node.sessions[0]!.disconnects === 1);
  });

  test('attack 3: what a length claims is not set aside', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const claims = await Promise.all(Array.from({ length: 50 }, () => upgraded()));
    for (const claim of claims) claim.send(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 6, 0x40, 0, 0, 1, 2, 3, 4]));
    for (const claim of claims) await claim.until(() => closeFrameIn(claim.body) !== undefined);
    // 100 MiB each were claimed.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1_048_576);
  });

  test('attack 5: compression is not agreed to, and compressed frames are refused', async () => {
    const connection = await upgraded({ 'Sec-WebSocket-Extensions': 'permessage-deflate' });
    expect(connection.text).not.toMatch(/Sec-WebSocket-Extensions/i);
    connection.send(Buffer.from([0xc1, 0x80, 0, 0, 0, 0]));
    await connection.until(() => closeFrameIn(connection.body) !== undefined);
    expect(closeFrameIn(connection.body)!.code).toBe(1002);
  });

  test('attack 10: random bytes, in random pieces, harm nobody', async () => {
    const random = seededRandom(20_261_121);
    const witness = await upgraded();
    for (let round = 0; round < 60; round++) {
      const connection = raw();
      if (random.next() < 0.8) connection.upgrade();
      for (let piece = 0; piece < 5; piece++) {
        const bytes = random.bytes(Math.floor(random.next() * 300));
        // Often a plausible start, so that more than the first check is met.
        if (random.next() < 0.7 && bytes.length > 2)
          bytes.set([0x80 | [1, 2, 8, 9][piece % 4]!, 0x80 | (bytes[1]! % 126)]);
        connection.send(bytes);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
      connection.socket.destroy();
    }
    witness.send(clientFrame(1, 'still here'));
    await witness.until(() => node.sessions[0]!.received.length === 1);
    expect(node.sessions[0]!.disconnects).toBe(0);
    await expect.poll(() => node.sessions.slice(1).every(({ disconnects }) => disconnects === 1)).toBe(true);
  });

  test('attack 4: endless fragments close with 1008, at one above the bound', async () => {
    const connection = await upgraded();
    const parts = (count: number, fin: boolean) =>
      Buffer.concat(
        Array.from({ length: count }, (_, i) =>
          clientFrame(i === 0 ? 1 : 0, 'x', { fin: fin && i === count - 1 }),
        ),
      );
    connection.send(parts(gatewayLimits.fragmentsMax, true));
    await connection.until(() => node.sessions[0]!.received.length === 1);
    expect(node.sessions[0]!.received[0]).toHaveLength(gatewayLimits.fragmentsMax);
    expect(closeFrameIn(connection.body)).toBeUndefined();
    connection.send(parts(gatewayLimits.fragmentsMax + 1, false));
    await connection.until(() => closeFrameIn(connection.body) !== undefined);
    expect(closeFrameIn(connection.body)!.code).toBe(1008);
  });

  test('attack 4: a flood of pings closes with 1008', async () => {
    const connection = await upgraded();
    connection.send(Buffer.concat(Array.from({ length: 500 }, () => clientFrame(9, ''))));
    await connection.until(() => closeFrameIn(connection.body) !== undefined);
    expect(closeFrameIn(connection.body)!.code).toBe(1008);
    expect(serverFrames(connection.body).filter(({ opcode }) => opcode === 10).length).toBeLessThanOrEqual(
      20,
    );
  });

  test('a client that does not read is not read from either, and goes on when it does', async () => {
    const connection = await upgraded();
    connection.socket.pause();
    const session = node.sessions[0]!;
    const filler = frameOf('z'.repeat(200_000));
    for (let i = 0; i < 60; i++) session.request.sink.write([filler]);
    await connection.until(() => session.request.sink.bufferedBytes > limits.outboxSoftBytes);
    for (let i = 0; i < 20; i++) connection.send(clientFrame(1, 'q'.repeat(60_000)));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(session.received.length).toBeLessThan(20);
    connection.socket.resume();
    await connection.until(() => session.received.length === 20 && session.drains > 0);
    expect(session.request.sink.bufferedBytes).toBe(0);
  });

  test('attack 2: who must authenticate is not buffered before', async () => {
    await restart({ anonymousAllowed: false });
    const connection = await upgraded();
    connection.send(clientFrame(1, 'x'.repeat(1_000_000)).subarray(0, 100_000));
    await connection.until(() => closeFrameIn(connection.body) !== undefined);
    expect(closeFrameIn(connection.body)!.code).toBe(4413);
    const known = await upgraded({ Authorization: `Bearer ${userToken}` });
    known.send(clientFrame(1, 'x'.repeat(100_000)));
    await known.until(() => node.sessions[1]!.received.length === 1);
    expect(node.sessions[1]!.received[0]!.length).toBe(100_000);
  });
});

describe('upgrades that are refused', () => {
  const refused = async (path: string, headers: Record<string, string>, status: number) => {
    const connection = raw();
    connection.upgrade(path, headers);
    await connection.until(() => connection.ended);
    expect(connection.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(node.sessions).toEqual([]);
    return connection.body.toString();
  };

  test.each([
    ['another path', '/v1/other', 404],
    ['a hub name against the grammar', '/v1/hubs/UPPER/ws', 400],
    ['attack 12: a hub name with %2f', '/v1/hubs/a%2fb/ws', 400],
    ['attack 8: a token in the address', '/v1/hubs/default/ws?token=secret', 400],
  ])('%s', async (_, path, status) => {
    expect(await refused(path, {}, status)).not.toContain('secret');
  });

  test.each(['https://evil.example', 'null', 'http://127.0.0.1.evil.example', 'http://127.0.0.1:1'])(
    'attack 7: a page of %s',
    async (origin) => {
      expect(await refused('/v1/hubs/default/ws', { Origin: origin }, 403)).toContain('DENIED');
    },
  );

  test('attack 7: a name that was made to point here', async () => {
    const headers = { Host: 'evil.example', Origin: 'http://evil.example' };
    expect(await refused('/v1/hubs/default/ws', headers, 403)).toContain('DENIED');
  });

  test('attack 7: a cookie lets nobody in, whatever it holds', async () => {
    const Cookie = `token=${userToken}; authorization=Bearer ${userToken}; ticket=${userToken}`;
    expect(await refused('/v1/hubs/default/ws', { Cookie, Origin: 'https://evil.example' }, 403)).toContain(
      'DENIED',
    );
    await upgraded({ Cookie, Origin: `http://127.0.0.1:${front.port}`, Host: `127.0.0.1:${front.port}` });
    expect(node.sessions[0]!.request.principal).toMatchObject({ authenticated: false });
    const url = '/v1/hubs/default/channels/a/publish';
    expect((await front.fetch(url, { method: 'POST', body: 'x', headers: { Cookie } })).status).toBe(200);
    expect(node.published[0]!.principal).toMatchObject({ authenticated: false });
    expect((await front.fetch('/v1/admin/hubs', { headers: { Cookie } })).status).toBe(401);
  });

  test('a wrong token', async () => {
    const headers = { Authorization: 'Bearer nonsense' };
    expect(await refused('/v1/hubs/default/ws', headers, 401)).toContain('UNAUTHENTICATED');
  });

  test('a broken key, and no upgrade to WebSocket', async () => {
    const path = '/v1/hubs/default/ws';
    expect(await refused(path, { 'Sec-WebSocket-Key': 'short' }, 400)).toContain('Key');
    expect(await refused(path, { Upgrade: 'h2c' }, 400)).toContain('WebSocket');
  });

  test('the same host, and an origin of the list, are allowed', async () => {
    await upgraded({ Origin: `http://127.0.0.1:${front.port}`, Host: `127.0.0.1:${front.port}` });
    await restart({ origins: ['https://app.example'] });
    await upgraded({ Origin: 'https://app.example' });
    expect(node.sessions.length).toBe(2);
  });

  test('a session the node refuses ends with a close code that says whether to come back', async () => {
    node.refuseSession = failure('HUB_NOT_FOUND');
    const first = await upgraded();
    await first.until(() => closeFrameIn(first.body) !== undefined);
    expect(closeFrameIn(first.body)).toMatchObject({ code: 4404 });
    node.refuseSession = failure('TOO_MANY');
    const second = await upgraded();
    await second.until(() => closeFrameIn(second.body) !== undefined);
    expect(closeFrameIn(second.body)).toMatchObject({ code: 4500 });
  });
});

describe('tickets', () => {
  const ticketFor = async (headers: Record<string, string>) =>
    front.fetch('/v1/hubs/default/tickets', { method: 'POST', headers });

  test('one is asked for and shown with the hub and the page it is of', async () => {
    const page = { origin: `http://127.0.0.1:${front.port}` };
    const answer = await ticketFor({ authorization: `Bearer ${userToken}`, ...page });
    expect(answer.status).toBe(201);
    const { ticket } = (await answer.json()) as { ticket: string };
    expect(node.tickets.get(ticket)).toMatchObject({ hub: 'default', ...page });
    const headers = { Origin: page.origin, Host: `127.0.0.1:${front.port}` };
    await upgraded(headers, `/v1/hubs/default/ws?ticket=${ticket}`);
    expect(node.sessions[0]!.request.principal).toMatchObject({ actor: 'ada', authenticated: true });
    for (const address of [`/v1/hubs/other/ws?ticket=${ticket}`, '/v1/hubs/default/ws?ticket=made-up']) {
      const refusal = await upgraded(headers, address);
      await refusal.until(() => closeFrameIn(refusal.body) !== undefined);
      expect(closeFrameIn(refusal.body)!.code).toBe(4401);
    }
    expect(node.sessions.length).toBe(1);
  });

  test('nobody without a token gets one', async () => {
    expect((await ticketFor({})).status).toBe(401);
    expect((await ticketFor({ authorization: 'Bearer wrong' })).status).toBe(401);
  });
});

describe('the end', () => {
  test('the engine closes with code and reason, after what was written', async () => {
    const connection = await upgraded();
    const { sink } = node.sessions[0]!.request;
    sink.write([frameOf('before')]);
    sink.close(4501, `The node stops ${'é'.repeat(200)}`);
    sink.close(4500, 'again');
    sink.write([frameOf('after')]);
    await connection.until(() => closeFrameIn(connection.body) !== undefined);
    expect(serverFrames(connection.body).map(({ opcode }) => opcode)).toEqual([1, 8]);
    const close = closeFrameIn(connection.body)!;
    expect(close.code).toBe(4501);
    expect(Buffer.byteLength(close.reason)).toBeLessThanOrEqual(123);
    expect(close.reason).toMatch(/^The node stops é+…$/);
  });

  test('stopping closes open sessions with 4501 and waits for them', async () => {
    const client = new WebSocket(`ws://127.0.0.1:${front.port}/v1/hubs/default/ws`);
    const closed = new Promise<number>((resolve) => void client.on('close', resolve));
    await new Promise((resolve) => void client.on('open', resolve));
    await front.gateway.stop();
    expect(await closed).toBe(4501);
  });

  test('a connection that breaks is told to the session once', async () => {
    const connection = await upgraded();
    connection.socket.destroy();
    await connection.until(() => node.sessions[0]!.disconnects > 0);
    expect(node.sessions[0]!.disconnects).toBe(1);
  });
});
