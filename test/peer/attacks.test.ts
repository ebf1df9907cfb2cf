/** A member that was taken over breaks into no other: what it can do over a connection that it may make (attacks 30, 33 and
 *  34 of peers; what strangers can do is in security.test.ts, and what members can say in cluster/membership.test.ts). */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { Hostile, endHeaders, field, frame, frameTypes, prefix } from './hostile.js';
import { becomes, openPort, sealed, someKey, someNode } from './support.js';

const { data, headers, reset, settings, ping, more } = frameTypes;
const paths = { link: '/ringlog.peer.v1.Peer/Link', ask: '/ringlog.peer.v1.Peer/Ask' };
/** Of HTTP/2. */
const endStream = 1;
const nothing = new Uint8Array(0);

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** One that is attacked, one that asks it meanwhile, and the attacker: all members. */
async function world() {
  const key = someKey();
  const openMember = async () => {
    const node = someNode();
    const port = await openPort(node, await sealed(key, node));
    const asked: number[] = [];
    port.start({
      linked: () => undefined,
      unlinked: () => undefined,
      received: () => undefined,
      packet: () => undefined,
      asked: (question) => (asked.push(question.length), question),
      pulse: () => undefined,
    });
    closers.push(() => port.stop());
    return { port, asked };
  };
  const [victim, other] = [await openMember(), await openMember()];
  const attack = async (): Promise<Hostile> => {
    const node = someNode();
    const hostile = await Hostile.connect(victim.port.port, node, await sealed(key, node));
    closers.push(() => hostile.close());
    return hostile;
  };
  /** A busy machine may be late, the connection of another member is not touched. */
  const othersAreServed = async (): Promise<void> => {
    for (let tries = 0; tries < 10; tries++) {
      const answer = await other.port.ask(victim.port.own.address, Uint8Array.of(1)).catch(() => undefined);
      if (answer?.length === 1) return;
    }
    throw new Error('another member gets no answer');
  };
  return { victim, attack, othersAreServed };
}

describe('attack 33: a member that', () => {
  test('opens streams without end gets a few, and its connection is ended', async () => {
    const { attack, othersAreServed } = await world();
    const hostile = await attack();
    const call = hostile.callOf(paths.link);
    for (let stream = 1; await hostile.write(frame(headers, endHeaders, stream, call)); stream += 2)
      if (stream > 200_000) throw new Error('100,000 streams were let pass');
    expect(hostile.seen.get('headers') ?? 0).toBeLessThanOrEqual(limits.peerStreamsMax);
    await othersAreServed();
  });

  test('opens streams and resets them at once is read no more, and its connection is ended', async () => {
    const { attack, othersAreServed } = await world();
    const hostile = await attack();
    const call = hostile.callOf(paths.link);
    const cancel = Buffer.of(0, 0, 0, 8);
    for (let stream = 1; !hostile.has('goAway'); stream += 2) {
      if (stream > 100_000) throw new Error('50,000 resets were let pass');
      if (!(await hostile.write(frame(headers, endHeaders, stream, call), frame(reset, 0, stream, cancel))))
        break;
    }
    await othersAreServed();
    // What pings the connection finds nobody who reads.
    await becomes(() => hostile.isClosed, limits.peerKeepaliveMs + limits.peerKeepaliveTimeoutMs + 20_000);
    expect(hostile.isClosed).toBe(true);
  });

  test.each<[string, (hostile: Hostile) => Buffer]>([
    ['a megabyte of headers', (hostile) => hostile.callOf(paths.ask, fields(1_000, 1_000))],
    ['headers in frames without end', (hostile) => hostile.callOf(paths.ask, fields(40_000, 100))],
  ])('sends %s is refused', async (_name, blockOf) => {
    const { victim, attack, othersAreServed } = await world();
    const hostile = await attack();
    const block = blockOf(hostile);
    for (let at = 0; at < block.length; at += 16_000) {
      const flags = at + 16_000 >= block.length ? endHeaders : 0;
      const part = block.subarray(at, at + 16_000);
      if (!(await hostile.write(frame(at === 0 ? headers : more, flags, 1, part)))) break;
    }
    await becomes(() => hostile.has('goAway') || hostile.isClosed);
    await othersAreServed();
    expect(victim.asked).toEqual([1]);
  });

  test('names one large field again and again is refused', async () => {
    const { victim, attack, othersAreServed } = await world();
    const hostile = await attack();
    // Remembered by the first one, and then a byte each (RFC 7541 §6.1, §6.2.1).
    const remembered = Buffer.concat([Buffer.of(0x40), field('x', 'y'.repeat(3_900)).subarray(1)]);
    const block = Buffer.concat([hostile.callOf(paths.ask), remembered, Buffer.alloc(10_000, 0xbe)]);
    await hostile.write(frame(headers, endHeaders, 1, block), frame(data, endStream, 1, prefix(0)));
    await becomes(() => hostile.has('reset') || hostile.isClosed);
    await othersAreServed();
    expect(victim.asked).toEqual([1]);
  });

  test('says that its letter is longer than any may be is refused before it comes', async () => {
    const { victim, attack, othersAreServed } = await world();
    const hostile = await attack();
    await hostile.write(
      frame(headers, endHeaders, 1, hostile.callOf(paths.ask)),
      frame(data, 0, 1, prefix(limits.peerFrameBytesMax + 1)),
    );
    await becomes(() => hostile.has('headers') || hostile.has('reset') || hostile.isClosed);
    await othersAreServed();
    expect(victim.asked).toEqual([1]);
  });

  test('sends a little that inflates to more than a letter may have is refused', async () => {
    const { victim, attack, othersAreServed } = await world();
    const hostile = await attack();
    const bomb = gzipSync(Buffer.alloc(4 * limits.peerFrameBytesMax));
    const message = Buffer.concat([prefix(bomb.length, true), bomb]);
    await hostile.write(
      frame(headers, endHeaders, 1, hostile.callOf(paths.ask, [field('grpc-encoding', 'gzip')])),
    );
    for (let at = 0; at < message.length; at += 16_000)
      await hostile.write(frame(data, 0, 1, message.subarray(at, at + 16_000)));
    await becomes(() => hostile.has('headers') || hostile.has('reset') || hostile.isClosed);
    await othersAreServed();
    expect(victim.asked).toEqual([1]);
  });

  test('sends its letter a byte a frame is cut off before it fills the memory', async () => {
    const { victim, attack, othersAreServed } = await world();
    const hostile = await attack();
    await hostile.write(
      frame(headers, endHeaders, 1, hostile.callOf(paths.ask)),
      frame(data, 0, 1, prefix(1_000_000)),
    );
    const crumbs = Buffer.concat(Array.from({ length: 100 }, () => frame(data, 0, 1, Buffer.of(1))));
    let sent = 0;
    while (await hostile.write(crumbs)) {
      sent += 100;
      if (sent >= 900_000) throw new Error('it was never cut off');
    }
    await othersAreServed();
    expect(victim.asked).toEqual([1]);
  });

  test('sends many small letters, or a large one as nodes do, is heard', async () => {
    const { victim, attack } = await world();
    const many = await attack();
    const count = 4 * limits.peerPiecesMax;
    const call = frame(headers, endHeaders, 1, many.callOf(paths.link));
    await many.write(call, ...Array.from({ length: count }, () => frame(data, 0, 1, prefix(0))));
    const large = await attack();
    const letter = Buffer.concat([prefix(4_000_000), randomBytes(4_000_000)]);
    await large.write(frame(headers, endHeaders, 1, large.callOf(paths.ask)));
    for (let at = 0; at < letter.length; at += 16_384) {
      const part = letter.subarray(at, at + 16_384);
      await large.write(frame(data, at + 16_384 >= letter.length ? endStream : 0, 1, part));
    }
    await becomes(() => victim.asked.length > 0);
    expect(victim.asked).toEqual([4_000_000]);
    expect([many.isClosed, large.isClosed]).toEqual([false, false]);
  });

  test.each([
    ['empty frames', frame(data, 0, 1, nothing)],
    ['pings', frame(ping, 0, 0, new Uint8Array(8))],
    ['settings', frame(settings, 0, 0, nothing)],
  ])('sends %s without end and reads nothing is ended', async (_name, one) => {
    const { attack, othersAreServed } = await world();
    const hostile = await attack();
    await hostile.write(frame(headers, endHeaders, 1, hostile.callOf(paths.link)));
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => one));
    let sent = 0;
    while ((await hostile.write(many)) && !hostile.has('goAway') && sent < 2_000) sent++;
    expect(sent).toBeLessThan(2_000);
    await othersAreServed();
  });
});

describe('attack 34: a peer port', () => {
  test.each([
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    '/grpc.channelz.v1.Channelz/GetServers',
    '/grpc.health.v1.Health/Check',
    '/metrics',
    '/ringlog.peer.v1.Peer/Repair',
  ])('has no %s, not even for a member', async (path) => {
    const { victim, attack } = await world();
    const hostile = await attack();
    const call = frame(headers, endHeaders, 1, hostile.callOf(path));
    await hostile.write(call, frame(data, endStream, 1, prefix(0)));
    await becomes(() => hostile.has('headers') || hostile.has('reset'));
    expect(hostile.has('data')).toBe(false);
    expect(victim.asked).toEqual([]);
  });
});

/** So many fields of so many bytes. */
function fields(count: number, bytes: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => field(`x-${i}`, 'y'.repeat(bytes)));
}
