/** What many readers of one channel get is made once for each encoding. */
import { expect, test } from 'vitest';
import { encodeClientFrame } from '../../src/protocol/client-encoder.js';
import type { Encoding } from '../../src/protocol/messages.js';
import { World } from './harness.js';

const readers = 1_000;

test.each([
  ['a publish', 'x', { data: 1 }],
  ['a change of a document', 'doc:x', { kind: 'patch', data: [{ op: 'add', path: '/a', value: 1 }] }],
])('%s to a thousand readers costs one encode for each encoding', async (_, channel, message) => {
  const world = await World.start();
  const sessions = Array.from({ length: readers }, (_, i) =>
    world.connect({ encoding: i % 2 === 0 ? 'json' : 'protobuf' }),
  );
  const channels = [{ channel, start: { type: 'live' as const } }];
  const frameIn = (encoding: Encoding) =>
    encodeClientFrame(encoding, [{ requestId: 1, message: { type: 'subscribe', channels } }]);
  const frames = { json: frameIn('json'), protobuf: frameIn('protobuf') };
  for (const [i, { handle }] of sessions.entries())
    handle.receive((i % 2 === 0 ? frames.json : frames.protobuf).slice());
  await world.settle();
  const before = sessions.map(({ raw }) => raw.length);
  expect((await world.connect().publish(channel, undefined, message)).ack).toMatchObject({ level: 'quorum' });
  const delivered = sessions.map(({ raw }, i) => raw.slice(before[i]));
  // Every one got one frame, and each is one of two pieces of memory.
  expect(new Set(delivered.map(({ length }) => length))).toEqual(new Set([1]));
  expect(new Set(delivered.flat()).size).toBe(2);
  expect(sessions[0]!.entries(channel)).toHaveLength(1);
});
