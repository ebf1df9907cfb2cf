/** A directory of which something is lost, or that is full. */
import { expect, test, vi } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { Settings } from '../../src/hubs/settings.js';
import { Groups } from '../../src/people/groups.js';
import { Users } from '../../src/people/users.js';
import { ada, ask, provider, register, start, who } from './directory-world.js';
import { admin } from './harness.js';

test.each([
  ['people', Users],
  ['settings', Settings],
])(
  'where entries of %s are lost, whom the directory let in is told to come back with its token',
  async (of, fold) => {
    const { world } = await start();
    await register(world);
    const self = await who(world);
    const session = world.connect({ principal: self });
    expect((await session.publish('lobby', 'x')).ack).toBeDefined();
    const losing = vi.spyOn(fold.prototype, 'apply').mockImplementation(function (this: Users | Settings) {
      this.lacks();
      return { isVoid: false };
    });
    if (of === 'people') await ask(world, 'register', { ...ada, name: 'bob' });
    else await world.run(world.engine.changeSettings('default', provider({ registration: false }), 'root'));
    await world.pass(3_000);
    expect(session.closed?.code).toBe(4500);
    expect(session.messages.at(-1)).toMatchObject({ close: { reason: 'UNAVAILABLE' } });
    const publish = { channel: 'lobby', event: 'x', content: undefined } as never;
    expect(await world.run(world.engine.publish(self, 'default', [publish]))).toMatchObject([
      { error: { code: 'UNAVAILABLE', outcome: 'rejected' } },
    ]);
    losing.mockRestore();
  },
);

test('an administrator goes on without entries of people and groups that are lost, and nobody else does', async () => {
  const { world } = await start();
  await register(world);
  await ask(world, 'groups/create', { group: 'team', owner: 'ada' }, admin);
  const self = await who(world);
  const losing = [Users, Groups].map((fold) =>
    vi.spyOn(fold.prototype, 'apply').mockImplementation(function (this: Users | Groups) {
      this.lacks();
      return { isVoid: false };
    }),
  );
  await ask(world, 'groups/create', { group: 'other', owner: 'ada' }, admin);
  await ask(world, 'register', { ...ada, name: 'bob' });
  for (const each of losing) each.mockRestore();
  expect(await ask(world, 'register', { ...ada, name: 'eve' })).toBe('UNAVAILABLE');
  expect(await ask(world, 'groups/list', {}, admin)).toBe('UNAVAILABLE');
  expect(await ask(world, 'losses/accept', {})).toBe('DENIED');
  expect(await ask(world, 'losses/accept', {}, admin)).toEqual({ users: true, groups: true });
  expect(await ask(world, 'losses/accept', {}, admin)).toEqual({ users: false, groups: false });
  // Its token may have been ended in what is lost.
  expect(await world.run(world.engine.people(self, 'default', 'profile', {}, ''))).toMatchObject({
    ok: false,
    error: { code: 'UNAUTHENTICATED' },
  });
  expect(await ask(world, 'login', { name: 'ada', password: ada.password })).toMatchObject({ user: 'ada' });
  expect(await ask(world, 'register', { ...ada, name: 'eve' })).toEqual({ name: 'eve' });
  expect(await ask(world, 'groups/list', {}, admin)).toMatchObject({ groups: [{ group: 'team' }] });
});

test('a hub that is full refuses whoever registers before anything is written, and takes one more once an account is deleted', async () => {
  const { usersPerHubMax, namesPerHubMax } = limits;
  Object.assign(limits, { usersPerHubMax: 1, namesPerHubMax: 2 });
  try {
    const { world } = await start();
    await register(world);
    const held = async () => {
      const channels = await world.run(world.engine.channels('default', { limit: 100 }));
      return channels.ok ? channels.value.map(({ ref, entries }) => [ref.channel, entries]) : [];
    };
    const before = await held();
    const bob = { ...ada, name: 'bob' };
    expect(await ask(world, 'register', bob)).toBe('TOO_MANY');
    expect(await held()).toEqual(before);
    expect(await ask(world, 'delete', { name: 'ada' }, admin)).toEqual({ name: 'ada' });
    expect(await ask(world, 'register', bob)).toEqual({ name: 'bob' });
    expect(await ask(world, 'delete', { name: 'bob' }, admin)).toEqual({ name: 'bob' });
    // Names stay taken.
    expect(await ask(world, 'register', { ...ada, name: 'eve' })).toBe('TOO_MANY');
  } finally {
    Object.assign(limits, { usersPerHubMax, namesPerHubMax });
  }
});
