import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { lossesAccepted } from '../../src/people/losses.js';
import { type UserChange, Users, encodeUserChange } from '../../src/people/users.js';

const id = (n: number) => String(n).padStart(24, '0');
const folded = (change: UserChange, unixMs = 0) => ({
  ...encodeUserChange(change),
  unixMs,
  actor: undefined,
});
const names = ['ada', 'bob', 'eve'];

const anyChange: fc.Arbitrary<UserChange> = fc.oneof(
  fc.record({
    type: fc.constant('register' as const),
    name: fc.constantFrom(...names),
    id: fc.nat(5).map(id),
    sealed: fc.constantFrom('QQ', 'Qg'),
  }),
  fc.record({
    type: fc.constant('change' as const),
    name: fc.constantFrom(...names),
    id: fc.nat(5).map(id),
    version: fc.integer({ min: 1, max: 3 }),
    sealed: fc.constantFrom('QQ', 'Qg'),
    ends: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('delete' as const),
    name: fc.constantFrom(...names),
    id: fc.nat(5).map(id),
  }),
);

test('whatever is asked in whatever order, a name has one owner for ever', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 40 }), (changes) => {
      const users = new Users();
      const owners = new Map<string, string>();
      const gone = new Set<string>();
      for (const change of changes) {
        const { isVoid } = users.apply(folded(change));
        if (change.type === 'key') continue;
        const isOwner = owners.get(change.name) === change.id && !gone.has(change.name);
        const isFree = !owners.has(change.name);
        const mayCount = change.type === 'register' ? isFree : isOwner;
        // A change is void also where its version is another.
        expect([isVoid || mayCount, change.type === 'change' || isVoid !== mayCount]).toEqual([true, true]);
        if (isVoid) continue;
        if (change.type === 'register') owners.set(change.name, change.id);
        if (change.type === 'delete') gone.add(change.name);
        for (const [name, owner] of owners) {
          const user = users.find(name);
          expect([user?.id, user?.sealed === undefined]).toEqual([owner, gone.has(name)]);
        }
      }
      expect(users.list('', 10).map(({ name }) => name)).toEqual(
        [...owners.keys()].filter((name) => !gone.has(name)).sort(),
      );
    }),
  );
});

test('of two changes from one version one counts', () => {
  const users = new Users();
  users.apply(folded({ type: 'register', name: 'ada', id: id(1), sealed: 'QQ' }));
  const change = { type: 'change', name: 'ada', id: id(1), version: 1, sealed: 'Qg', ends: true } as const;
  expect([users.apply(folded(change)).isVoid, users.apply(folded(change)).isVoid]).toEqual([false, true]);
  expect(users.find('ada')).toMatchObject({ version: 2, generation: 2 });
});

test('keys that sign tokens: the newest first, a few of before', () => {
  const users = new Users();
  for (let i = 0; i < 9; i++) users.apply(folded({ type: 'key', id: id(i), secret: 'QQ' }, i));
  expect(users.keys.map(({ sinceMs }) => sinceMs)).toEqual([8, 7, 6, 5]);
});

test('of keys that nodes make at once the first in the order of the log is one', () => {
  const users = new Users();
  const key = (number: number, after: string) =>
    users.apply(folded({ type: 'key', id: id(number), secret: 'QQ', after })).isVoid;
  expect([key(1, ''), key(2, ''), key(3, id(1)), key(4, id(1))]).toEqual([false, true, false, true]);
  expect(users.keys.map((each) => each.id)).toEqual([id(3), id(1)]);
});

test('what is lost counts as never written once that is accepted, and ends the tokens of all', () => {
  const users = new Users();
  const accepted = { ...lossesAccepted, unixMs: 0, actor: 'root' };
  const register = folded({ type: 'register', name: 'ada', id: id(1), sealed: 'QQ' });
  users.apply(register);
  expect(users.apply(accepted)).toMatchObject({ isVoid: true });
  users.lacks();
  users.apply(folded({ type: 'register', name: 'bob', id: id(2), sealed: 'QQ' }));
  expect([users.isWhole, users.apply(accepted), users.isWhole]).toEqual([false, { isVoid: false }, true]);
  expect(['ada', 'bob'].map((name) => users.find(name)?.generation)).toEqual([2, 2]);
  users.lacks();
  expect(users.isWhole).toBe(false);
});

test('entries that nobody wrote change nothing', () => {
  const events = fc.constantFrom('register', 'change', 'delete', 'key', undefined);
  fc.assert(
    fc.property(events, fc.oneof(fc.string(), fc.json()), (event, text) => {
      const users = new Users();
      expect(users.apply({ event, payload: utf8(text), unixMs: 0, actor: undefined }).isVoid).toBe(true);
    }),
  );
});

test('who is gone: the deleted, and those of whom the name is not; nobody whose record is there', () => {
  const users = new Users();
  const gone = () => [1, 2, 3, 4].filter((n) => users.isGone(id(n)));
  const register = (name: string, n: number) =>
    users.apply(folded({ type: 'register', name, id: id(n), sealed: 'QQ' }));
  register('ada', 1);
  register('ada', 2);
  // The same once more.
  register('ada', 1);
  expect(gone()).toEqual([2]);
  register('bob', 3);
  users.apply(folded({ type: 'delete', name: 'ada', id: id(1) }));
  users.apply(folded({ type: 'delete', name: 'bob', id: id(4) }));
  expect(gone()).toEqual([1, 2]);
  // What takes a record is there, whatever came before.
  register('eve', 2);
  expect(gone()).toEqual([1]);
});

test('who is there counts, and names in all; entries of before mean what they meant', () => {
  const bounds = { users: 2, names: 4 };
  const change = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    what: fc.constantFrom('before' as const, 'living' as const, 'delete' as const),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const users = new Users(bounds);
      const there = new Map<string, string>();
      const taken = new Set<string>();
      const verdicts: unknown[] = [];
      const expected: unknown[] = [];
      for (const [n, { name, what }] of changes.entries()) {
        const isRegistration = what !== 'delete';
        const outcome = users.apply(
          folded(
            isRegistration
              ? {
                  type: 'register',
                  name,
                  id: id(n),
                  sealed: 'QQ',
                  ...(what === 'living' && { living: true }),
                }
              : { type: 'delete', name, id: there.get(name) ?? id(n) },
          ),
        );
        verdicts.push(outcome.isVoid ? (outcome.code ?? 'void') : 'done');
        const count = what === 'living' ? there.size : taken.size;
        if (!isRegistration) expected.push(there.delete(name) ? 'done' : 'void');
        else if (taken.has(name)) expected.push('NAME_TAKEN');
        else if (count >= bounds.users || taken.size >= bounds.names) expected.push('TOO_MANY');
        else {
          expected.push('done');
          taken.add(name);
          there.set(name, id(n));
        }
      }
      expect(verdicts).toEqual(expected);
      expect(users.list('', 10).map(({ name }) => name)).toEqual([...there.keys()].sort());
    }),
    { numRuns: 500 },
  );
});
