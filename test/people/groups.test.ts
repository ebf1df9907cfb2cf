import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { type GroupChange, decodeGroupChange, encodeGroupChange } from '../../src/people/group-changes.js';
import { Groups } from '../../src/people/groups.js';

const folded = (change: GroupChange, unixMs = 0) => ({
  ...encodeGroupChange(change),
  unixMs,
  actor: undefined,
});
const apply = (groups: Groups, ...changes: GroupChange[]): (string | undefined)[] =>
  changes.map((change) => {
    const outcome = groups.apply(folded(change));
    return outcome.isVoid ? outcome.code : undefined;
  });
const of = (group: string, by?: string) => ({ group, ...(by === undefined ? {} : { by }) });
const create = (by: string, group = 'team', isOpen = false): GroupChange => ({
  type: 'create',
  ...of(group, by),
  owner: by,
  isOpen,
});
const join = (user: string, by: string | undefined = user): GroupChange => ({
  type: 'join',
  ...of('team', by),
  user,
});
const leave = (user: string, by = user): GroupChange => ({ type: 'leave', ...of('team', by), user });
const invite = (user: string, by: string): GroupChange => ({ type: 'invite', ...of('team', by), user });
const roles = (groups: Groups, group = 'team') =>
  Object.fromEntries(groups.members(group, '', 100).map(({ user, role }) => [user, role]));

test('the first to make a name has it, for ever', () => {
  const groups = new Groups();
  expect(apply(groups, create('ada'), create('bob'))).toEqual([undefined, 'NAME_TAKEN']);
  expect(roles(groups)).toEqual({ ada: 'owner' });
  expect(apply(groups, { type: 'delete', ...of('team', 'bob') })).toEqual(['DENIED']);
  expect(apply(groups, { type: 'delete', ...of('team', 'ada') }, create('bob'))).toEqual([
    undefined,
    'NAME_TAKEN',
  ]);
  expect(groups.find('team')).toBeUndefined();
  expect(groups.isIn('team', 'ada')).toBe(false);
});

test('who is invited may join, and nobody else, unless the group is open or an administrator says so', () => {
  const groups = new Groups();
  apply(groups, create('ada'));
  expect(apply(groups, join('bob'), invite('bob', 'eve'), invite('bob', 'ada'))).toEqual([
    'DENIED',
    'DENIED',
    undefined,
  ]);
  expect(groups.isIn('team', 'bob')).toBe(false);
  expect(apply(groups, join('bob'), join('bob'), join('eve'))).toEqual([undefined, undefined, 'DENIED']);
  expect(apply(groups, { type: 'join', ...of('team'), user: 'eve' })).toEqual([undefined]);
  expect(apply(groups, { type: 'change', ...of('team', 'bob'), isOpen: true })).toEqual(['DENIED']);
  expect(apply(groups, { type: 'change', ...of('team', 'ada'), isOpen: true }, join('carol'))).toEqual([
    undefined,
    undefined,
  ]);
  expect(roles(groups)).toEqual({ ada: 'owner', bob: 'member', carol: 'member', eve: 'member' });
});

test('a member leaves, an owner removes; without an owner the longest there becomes one; without anybody it is gone', () => {
  const groups = new Groups();
  apply(groups, create('zoe', 'team', true), join('bob'), join('ada'), invite('eve', 'zoe'));
  expect(apply(groups, leave('ada', 'bob'), leave('zoe'))).toEqual(['DENIED', undefined]);
  expect(roles(groups)).toEqual({ ada: 'member', bob: 'owner', eve: 'invited' });
  expect(groups.losses).toBe(1);
  expect(apply(groups, leave('ada', 'bob'), leave('ada', 'bob'))).toEqual([undefined, undefined]);
  expect(groups.losses).toBe(2);
  // An invitation that is turned down is no loss of anything.
  expect(apply(groups, leave('eve'))).toEqual([undefined]);
  expect(groups.losses).toBe(2);
  expect(apply(groups, leave('bob'), join('bob'))).toEqual([undefined, 'NOT_FOUND']);
  expect(groups.list('', 10)).toEqual([]);
});

test('a member is made an owner by an owner', () => {
  const groups = new Groups();
  const promote = (owner: string, by: string): GroupChange => ({ type: 'change', ...of('team', by), owner });
  apply(groups, create('ada'), invite('bob', 'ada'));
  expect(apply(groups, promote('bob', 'ada'), join('bob'), promote('bob', 'bob'))).toEqual([
    'NOT_FOUND',
    undefined,
    'DENIED',
  ]);
  expect(apply(groups, promote('bob', 'ada'), leave('ada', 'bob'))).toEqual([undefined, undefined]);
  expect(roles(groups)).toEqual({ bob: 'owner' });
});

test('who is gone is in no group any more', () => {
  const groups = new Groups();
  apply(groups, create('ada'), create('ada', 'other'), create('bob', 'third', true));
  apply(groups, { type: 'join', ...of('third', 'ada'), user: 'ada' }, { type: 'gone', user: 'ada' });
  expect(groups.list('', 10).map(({ name }) => name)).toEqual(['third']);
  expect(groups.list('', 10, 'ada')).toEqual([]);
  expect(roles(groups, 'third')).toEqual({ bob: 'owner' });
});

test('one user makes so many groups, and is in so many', () => {
  const groups = new Groups();
  for (let i = 0; i < limits.groupsMadePerUserMax; i++) {
    apply(groups, create('ada', `g${i}`));
    if (i < 10) apply(groups, { type: 'delete', ...of(`g${i}`, 'ada') });
  }
  expect(apply(groups, create('ada', 'more'))).toEqual(['TOO_MANY']);
  expect(apply(groups, create('bob', 'team', true))).toEqual([undefined]);
  for (let i = 0; i < 10; i++) {
    apply(groups, create('bob', `b${i}`, true));
    apply(groups, { type: 'join', ...of(`b${i}`, 'ada'), user: 'ada' });
  }
  expect(apply(groups, join('ada'))).toEqual(['TOO_MANY']);
});

const users = ['ada', 'bob', 'eve'];
const names = ['team', 'other'];
const by = fc.option(fc.constantFrom(...users), { nil: undefined });
const target = fc.record({ group: fc.constantFrom(...names), by }).map(({ group, by }) => of(group, by));
const user = fc.constantFrom(...users);
const anyChange: fc.Arbitrary<GroupChange> = fc.oneof(
  fc
    .tuple(target, user, fc.boolean())
    .map(([of, owner, isOpen]): GroupChange => ({ type: 'create', ...of, owner: of.by ?? owner, isOpen })),
  fc
    .tuple(fc.constantFrom('join' as const, 'leave' as const, 'invite' as const), target, user)
    // A user joins for itself: the engine writes no other.
    .map(([type, of, user]): GroupChange => ({
      type,
      ...of,
      user: type === 'join' ? (of.by ?? user) : user,
    })),
  fc.tuple(target, user).map(([of, owner]): GroupChange => ({ type: 'change', ...of, owner })),
  fc.tuple(target, fc.boolean()).map(([of, isOpen]): GroupChange => ({ type: 'change', ...of, isOpen })),
  target.map((of): GroupChange => ({ type: 'delete', ...of })),
  user.map((each): GroupChange => ({ type: 'gone', user: each })),
);

/** The same, plainly: a list of members in the order in which they came. */
class Plain {
  groups = new Map<string, { isOpen: boolean; members: [user: string, role: string][] } | undefined>();

  apply(change: GroupChange): void {
    if (change.type === 'gone') {
      for (const name of this.groups.keys()) this.#leave(name, change.user);
      return;
    }
    const { group: name, by } = change;
    const group = this.groups.get(name);
    if (change.type === 'create') {
      if (!this.groups.has(name))
        this.groups.set(name, { isOpen: change.isOpen, members: [[change.owner, 'owner']] });
      return;
    }
    if (!group) return;
    const roleOf = (user: string) => group.members.find(([each]) => each === user)?.[1];
    const isOwn = by === undefined || roleOf(by) === 'owner';
    if (change.type === 'join') {
      const before = roleOf(change.user);
      if (before === 'owner' || before === 'member') return;
      if (!(by === undefined || group.isOpen || before === 'invited')) return;
      group.members = [...group.members.filter(([each]) => each !== change.user), [change.user, 'member']];
    } else if (change.type === 'leave') {
      if (isOwn || by === change.user) this.#leave(name, change.user);
    } else if (!isOwn) {
      return;
    } else if (change.type === 'invite') {
      if (roleOf(change.user) === undefined) group.members.push([change.user, 'invited']);
    } else if (change.type === 'delete') {
      this.groups.set(name, undefined);
    } else {
      const { owner, isOpen } = change;
      if (isOpen !== undefined) group.isOpen = isOpen;
      for (const each of group.members) if (each[0] === owner && each[1] === 'member') each[1] = 'owner';
    }
  }

  #leave(name: string, user: string): void {
    const group = this.groups.get(name);
    if (!group) return;
    group.members = group.members.filter(([each]) => each !== user);
    const inside = group.members.filter(([, role]) => role !== 'invited');
    if (inside.length === 0) this.groups.set(name, undefined);
    else if (!inside.some(([, role]) => role === 'owner')) inside[0]![1] = 'owner';
  }
}

test('whatever is asked in whatever order, it comes to what a plain list comes to', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 60 }), (changes) => {
      const [groups, plain] = [new Groups(), new Plain()];
      for (const change of changes) {
        groups.apply(folded(change));
        plain.apply(change);
        for (const name of names) {
          const expected = plain.groups.get(name);
          expect(roles(groups, name)).toEqual(Object.fromEntries(expected?.members ?? []));
          expect([groups.find(name)?.isOpen, groups.find(name)?.count]).toEqual([
            expected?.isOpen,
            expected?.members.filter(([, role]) => role !== 'invited').length,
          ]);
        }
        for (const each of users)
          expect(groups.list('', 10, each).map(({ name }) => name)).toEqual(
            names
              .filter((name) => plain.groups.get(name)?.members.some(([user]) => user === each))
              .toSorted(),
          );
      }
    }),
  );
});

test('what is written is read as it was; entries that nobody wrote change nothing', () => {
  fc.assert(
    fc.property(anyChange, (change) => {
      const { event, payload } = encodeGroupChange(change);
      expect(decodeGroupChange(event, payload)).toEqual(change);
    }),
  );
  const events = fc.constantFrom('create', 'join', 'leave', 'invite', 'change', 'delete', 'gone', undefined);
  const noise = fc.oneof(
    fc.json(),
    fc.constantFrom('{"group":"Team"}', '{"group":"team","by":1}', 'null', ''),
  );
  fc.assert(
    fc.property(events, noise, (event, text) => {
      const groups = new Groups();
      groups.apply({ event, payload: utf8(text), unixMs: 0, actor: 'eve' });
      expect(groups.list('', 10)).toEqual([]);
    }),
  );
});
