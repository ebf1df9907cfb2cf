/** How much is on its way to a home that lacks much. */
import { expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import type { Channel } from '../../src/replication/channel.js';
import { Pages } from '../../src/replication/pages.js';
import { timing } from '../../src/replication/timing.js';

const [home, other] = ['a', 'b'] as unknown as [NodeId, NodeId];
const channels = Array.from({ length: limits.pushedPagesMax + 2 }, (_, i) => ({ key: `c${i}` }) as Channel);
const [first, second] = channels as [Channel, Channel];
const [waiting, last] = channels.slice(-2) as [Channel, Channel];

function full(): Pages {
  const pages = new Pages();
  for (const channel of channels.slice(0, -2)) expect(pages.begin(channel, home, 0)).toBe(true);
  return pages;
}

test('there are few at a time for each home; what waits has its turn in its order', () => {
  const pages = full();
  for (const channel of [waiting, last, waiting]) expect(pages.begin(channel, home, 0)).toBe(false);
  expect(pages.begin(waiting, other, 0)).toBe(true);
  expect(pages.next(home, 0)).toBeUndefined();
  expect(pages.end(first, home)).toBe(true);
  expect(pages.end(first, home)).toBe(false);
  expect(pages.next(home, 0)).toBe(waiting);
  expect(pages.begin(waiting, home, 0)).toBe(true);
  expect(pages.next(home, 0)).toBeUndefined();
  pages.end(second, home);
  expect(pages.next(home, 0)).toBe(last);
});

test('of one channel the next follows once the last is acked, or at once what came since all of it was read', () => {
  const pages = full();
  expect(pages.begin(first, home, 0)).toBe(false);
  pages.sent(first, home, false);
  expect(pages.begin(first, home, 0)).toBe(false);
  pages.sent(first, home, true);
  expect(pages.begin(first, home, 0)).toBe(true);
  expect(pages.begin(first, home, 0)).toBe(false);
});

test('one that is not acked in time counts no more, and none does once the link is another one', () => {
  const pages = full();
  expect(pages.begin(waiting, home, timing.pageMs - 1)).toBe(false);
  expect(pages.begin(waiting, home, timing.pageMs)).toBe(true);
  const gone = full();
  gone.drop(home);
  for (const channel of channels.slice(2)) expect(gone.begin(channel, home, 0)).toBe(true);
});
