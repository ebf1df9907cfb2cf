import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { Outbox } from '../../src/sessions/outbox.js';
import { RateLimit } from '../../src/sessions/rate-limit.js';

const frame = (length: number) => ({ bytes: new Uint8Array(length) });

test('a session is behind above the soft bound, counting what the network has not taken', () => {
  const outbox = new Outbox();
  outbox.push(frame(limits.outboxSoftBytes));
  expect(outbox.isBehind(0)).toBe(false);
  expect(outbox.isBehind(1)).toBe(true);
  expect(outbox.isOverflowing(limits.outboxHardBytes - limits.outboxSoftBytes)).toBe(false);
  expect(outbox.isOverflowing(limits.outboxHardBytes)).toBe(true);
});

test('frames come out once and in order', () => {
  const outbox = new Outbox<{ bytes: Uint8Array }>();
  const frames = [frame(1), frame(2), frame(3)];
  for (const f of frames) outbox.push(f);
  expect(outbox.take()).toEqual(frames);
  expect([outbox.take().length, outbox.queuedBytes, outbox.isEmpty]).toEqual([0, 0, true]);
});

test('a connection is stalled when bytes wait and none was taken for the whole time', () => {
  const outbox = new Outbox();
  outbox.push(frame(1000));
  outbox.take();
  expect(outbox.isStalled(1000, 5_000_000)).toBe(false);
  expect(outbox.isStalled(1000, 5_000_000 + limits.slowReaderMs - 1)).toBe(false);
  expect(outbox.isStalled(1000, 5_000_000 + limits.slowReaderMs)).toBe(true);
});

test('a slow connection that takes something is not stalled', () => {
  const outbox = new Outbox();
  outbox.push(frame(1000));
  outbox.take();
  let now = 0;
  for (let buffered = 1000; buffered > 0; buffered -= 10) {
    expect(outbox.isStalled(buffered, now)).toBe(false);
    now += limits.slowReaderMs - 1;
  }
});

test('an idle connection is never stalled', () => {
  const outbox = new Outbox();
  for (let now = 0; now < 10 * limits.slowReaderMs; now += 1000) expect(outbox.isStalled(0, now)).toBe(false);
});

test('a rate limit allows a burst, then its rate, and says how long to wait', () => {
  const rate = new RateLimit(10, 5);
  expect([0, 0, 0, 0, 0].map(() => rate.take(1000))).toEqual([0, 0, 0, 0, 0]);
  expect(rate.take(1000)).toBe(100);
  expect(rate.take(1099)).toBe(1);
  expect(rate.take(1100)).toBe(0);
  expect(rate.take(1100)).toBe(100);
  expect([0, 0, 0, 0, 0].map(() => rate.take(9999))).toEqual([0, 0, 0, 0, 0]);
});
