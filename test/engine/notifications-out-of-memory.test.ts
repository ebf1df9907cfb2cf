/** Inboxes of which no more than one is in memory at a time. */
import { expect, test, vi } from 'vitest';
import { type Json, type TestSession, World, admin } from './harness.js';

vi.mock(import('../../src/base/fold-limits.js'), async (original) => {
  const { foldLimits } = await original();
  return { foldLimits: { ...foldLimits, inboxCacheBytes: 1 as never } };
});

const told = (session: TestSession, channel: string): number[] =>
  session.messages.flatMap(({ notificationInfo: info }: Json) =>
    info?.channel === channel ? [info.unread as number] : [],
  );

test('whoever is subscribed is told what has expired, also of an inbox that left memory', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const bob = world.connect();
  const channels = ['notification:a', 'notification:b', 'notification:c'];
  const expiresAt = Math.floor(world.clock.wallMs()) + 5_000;
  for (const channel of channels) {
    await bob.subscribe(channel);
    for (const notification of [{ title: 'Brief', expiresAt }, { title: 'Lasting' }])
      await service.publish(channel, notification, { kind: 'notification' });
  }
  await world.pass(3_000);
  for (const channel of channels) expect(told(bob, channel)).toEqual([1, 2]);
  await world.pass(4_500);
  for (const channel of channels) expect(told(bob, channel)).toEqual([1, 2, 1]);
  // Once for all.
  await world.pass(5_000);
  for (const channel of channels) {
    const { history } = await service.ask({ history: { channel } });
    expect(history.entries.filter(({ kind }: Json) => kind === 'read')).toHaveLength(1);
  }
});
