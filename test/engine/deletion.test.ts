/** Deletion of channels on a node alone. */
import { describe, expect, test } from 'vitest';
import type { HubName } from '../../src/base/ids.js';
import { type TestSession, World, admin, anonymous } from './harness.js';

async function deleteChannel(world: World, channel: string) {
  return await world.run(world.engine.deleteChannel(admin, 'default', channel));
}

async function historyOf(session: TestSession, channel: string) {
  const { history } = await session.ask({ history: { channel } });
  return { data: history.entries.map((entry: { data: unknown }) => entry.data), gaps: history.gaps };
}

async function chat(): Promise<{ world: World; session: TestSession }> {
  const world = await World.start();
  const session = world.connect();
  for (const text of ['a', 'b', 'c']) await session.publish('chat', text, { retain: text === 'b' });
  return { world, session };
}

test('a deleted channel holds nothing, and goes on as a new one', async () => {
  const { world, session } = await chat();
  expect((await deleteChannel(world, 'chat')).ok).toBe(true);
  expect(await historyOf(session, 'chat')).toEqual({ data: [], gaps: [] });
  const page = await world.run(world.engine.channels('default', { limit: 10 }));
  expect(page.ok && page.value).toEqual([]);
  await session.publish('chat', 'new');
  expect(await historyOf(session, 'chat')).toEqual({ data: ['new'], gaps: [] });
  const fresh = world.connect();
  await fresh.subscribe('chat', { beginning: true });
  await world.settle();
  expect([fresh.data('chat'), fresh.gaps()]).toEqual([['new'], []]);
});

test('live and resumed readers are told, and go on behind it', async () => {
  const { world, session } = await chat();
  const live = world.connect();
  await live.subscribe('chat');
  const behind = world.connect();
  await behind.subscribe('chat', { beginning: true });
  await world.settle();
  const cursor = behind.cursor('chat');
  behind.handle.disconnected();
  await deleteChannel(world, 'chat');
  await session.publish('chat', 'new');
  await world.settle();
  expect(live.gaps().map(({ reason }) => reason)).toEqual(['deleted']);
  expect(live.data('chat')).toEqual(['new']);
  const resumed = world.connect();
  await resumed.subscribe('chat', { cursor });
  await world.settle();
  expect(resumed.gaps().map(({ reason }) => reason)).toEqual(['deleted']);
  expect(resumed.data('chat')).toEqual(['new']);
  const again = world.connect();
  await again.subscribe('chat', { cursor: resumed.cursor('chat') });
  await world.settle();
  expect([again.gaps(), again.data('chat')]).toEqual([[], []]);
});

test('a key of an older generation is not remembered, and a document starts from nothing', async () => {
  const { world, session } = await chat();
  await session.publish('chat', 'once', { idempotencyKey: 'k' });
  await deleteChannel(world, 'chat');
  const again = await session.publish('chat', 'once', { idempotencyKey: 'k' });
  expect(again.ack.duplicate ?? false).toBe(false);
  const repeated = await session.publish('chat', 'once', { idempotencyKey: 'k' });
  expect(repeated.ack).toMatchObject({ duplicate: true });
  expect((await historyOf(session, 'chat')).data).toEqual(['once']);
  const patch = (value: unknown) => [{ op: 'add', path: '', value }];
  await session.publish('doc:d', patch({ old: 1 }), { kind: 'patch' });
  await deleteChannel(world, 'doc:d');
  expect((await session.ask({ documentGet: { channel: 'doc:d' } })).document).toMatchObject({ version: 0 });
  await session.publish('doc:d', patch({ now: 1 }), { kind: 'patch' });
  await world.restart();
  const after = world.connect();
  const { document } = await after.ask({ documentGet: { channel: 'doc:d' } });
  expect([document.version, document.value]).toEqual([1, { now: 1 }]);
});

test('notifications of an older generation are none: not unread, not listed, not to be read', async () => {
  const { world } = await chat();
  const channel = 'notification:alerts';
  const service = world.connect({ principal: admin });
  const reader = world.connect();
  await reader.subscribe(channel);
  const create = (title: string) => service.publish(channel, { title }, { kind: 'notification' });
  const old = await create('old');
  await create('older');
  await world.settle();
  await deleteChannel(world, channel);
  await world.settle();
  const unread = reader.messages.flatMap(({ notificationInfo }) => notificationInfo?.unread ?? []);
  expect(unread).toEqual([1, 2, 0]);
  const late = await service.publish(channel, { ids: [old.ack.id] }, { kind: 'read' });
  expect(late.error.code).toBe('NOT_FOUND');
  await create('new');
  for (const session of [reader, world.connect()]) {
    const { notifications } = await session.ask({ notifications: { channel } });
    expect(notifications).toMatchObject({
      info: { unread: 1, total: 1 },
      notifications: [{ notification: { title: 'new' } }],
    });
  }
});

test('it holds after a restart, a crash and with an index made anew; its bytes go from disk', async () => {
  const { world, session } = await chat();
  await deleteChannel(world, 'chat');
  await session.publish('chat', 'new');
  await world.restart();
  expect((await historyOf(world.connect(), 'chat')).data).toEqual(['new']);
  await world.crash();
  await world.pass(120_000);
  world.index.drop();
  await world.crash();
  expect(await historyOf(world.connect(), 'chat')).toEqual({ data: ['new'], gaps: [] });
  const page = await world.run(world.engine.channels('default', { limit: 10 }));
  expect(page.ok && page.value.find(({ ref }) => ref.channel === 'chat')?.entries).toBe(1);
});

test('only administrators, and who was granted it, may delete; never what is the system’s', async () => {
  const { world } = await chat();
  const denied = await world.run(world.engine.deleteChannel(anonymous, 'default', 'chat'));
  expect(denied.ok ? '' : denied.error.code).toBe('DENIED');
  const system = await deleteChannel(world, '$settings');
  expect(system.ok ? '' : system.error.code).toBe('DENIED');
  expect((await world.run(world.engine.hubs())) satisfies readonly HubName[]).toContain('default');
});

describe('a hub that is deleted', () => {
  const enter = (world: World, hub: string) => world.run(world.engine.enter(hub, undefined));

  async function acme(): Promise<World> {
    const world = await World.start({ hubs: { createOnUse: false } });
    await world.settle();
    expect(await world.run(world.engine.createHub('acme', 'root'))).toMatchObject({ value: true });
    expect(await enter(world, 'acme')).toMatchObject({ ok: true });
    const session = world.connect({ hub: 'acme' });
    for (const channel of ['a', 'b', 'doc:c']) await session.publish(channel, 'old');
    const rules = { type: 'put', section: 'rules', name: 'x', value: { ack: 'owner' } } as const;
    expect(await world.run(world.engine.changeSettings('acme', rules, 'root'))).toMatchObject({ ok: true });
    return world;
  }

  test('is of no use to anybody at once, loses all it holds, and starts empty when it is made again', async () => {
    const world = await acme();
    const session = world.connect({ hub: 'acme' });
    await session.subscribe('a');
    expect(await world.run(world.engine.deleteHub('acme', 'root'))).toMatchObject({ ok: true });
    expect(session.closed?.code).toBe(4404);
    for (const refused of [
      await enter(world, 'acme'),
      await world.run(world.engine.createHub('acme', 'root')),
      await world.run(world.engine.settings('acme')),
    ])
      expect(refused).toMatchObject({ ok: false, error: { code: 'HUB_NOT_FOUND' } });
    expect(await world.run(world.engine.hubs())).not.toContain('acme');
    await world.crash();
    await world.pass(10_000);
    expect(await world.run(world.engine.createHub('acme', 'root'))).toMatchObject({ value: true });
    expect(await enter(world, 'acme')).toMatchObject({ ok: true });
    expect(await world.run(world.engine.channels('acme', { limit: 10 }))).toMatchObject({ value: [] });
    expect(await world.run(world.engine.settings('acme'))).toEqual({ ok: true, value: {} });
    const again = world.connect({ hub: 'acme' });
    await again.subscribe('a', { beginning: true });
    await again.publish('a', 'new');
    await world.settle();
    expect([again.data('a'), again.gaps()]).toEqual([['new'], []]);
  });

  test('is one that was made: not of the configuration, not of the system, not one that is not there', async () => {
    const world = await acme();
    const codes = [];
    for (const hub of ['default', '$ringlog', 'nowhere', 'Not a name']) {
      const refused = await world.run(world.engine.deleteHub(hub, 'root'));
      codes.push(refused.ok ? '' : refused.error.code);
    }
    expect(codes).toEqual(['INVALID', 'BAD_NAME', 'HUB_NOT_FOUND', 'BAD_NAME']);
    expect(await enter(world, 'acme')).toMatchObject({ ok: true });
  });
});
