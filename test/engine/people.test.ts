/** The directory of a hub: accounts, log-ins, and what becomes of them. */
import { type KeyObject, generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { toHex, utf8Text } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { challengeText } from '../../src/people/requests.js';
import { type Json, type TestSession, admin, anonymous } from './harness.js';
import { ada, ask, register, set, start, who } from './directory-world.js';

test('who registered logs in by password, and is known at the hub with what its directory grants', async () => {
  const { world } = await start();
  await set(world, { type: 'put', section: 'rules', name: 'closed', value: { clientPublish: false } });
  await set(world, { type: 'put', section: 'hub', name: 'rules', value: 'closed' });
  expect(await register(world)).toEqual({ name: 'ada' });
  const loggedIn = await ask(world, 'login', ada);
  expect(loggedIn).toMatchObject({ user: 'ada', token: expect.stringMatching(/^rl1\./) as string });
  const session = world.connect();
  const { auth } = await session.ask({ auth: { token: loggedIn.token } });
  expect(auth).toMatchObject({
    actor: 'ada',
    publish: ['inbox:ada'],
    rpc: ['of:ada:*'],
    expiresAt: loggedIn.expiresAt,
  });
  expect((await session.publish('inbox:ada', 'x')).ack).toBeDefined();
  expect((await session.publish('inbox:bob', 'x')).error).toMatchObject({ code: 'DENIED' });
});

test('the first registration of a name wins, and the other is told', async () => {
  const { world } = await start();
  const both = await world.run(
    Promise.all(
      ['one', 'two'].map((email) =>
        world.engine.people(anonymous, 'default', 'register', { ...ada, email: `${email}@example.org` }, ''),
      ),
    ),
  );
  expect(both.map((each) => (each.ok ? 'ok' : each.error.code)).sort()).toEqual(['NAME_TAKEN', 'ok']);
  expect(await register(world)).toBe('NAME_TAKEN');
  await world.restart();
  await world.run(world.engine.enter('default', undefined));
  expect(await register(world)).toBe('NAME_TAKEN');
  const won = both[0]!.ok ? 'one' : 'two';
  const self = await who(world);
  expect(await ask(world, 'profile', {}, self)).toMatchObject({ email: `${won}@example.org` });
});

test('attack 26: a wrong password, an unknown user and one without a password are refused alike', async () => {
  const { world, secrets } = await start();
  await register(world);
  for (const request of [
    { ...ada, password: 'wrong password' },
    { name: 'nobody', password: ada.password },
  ])
    expect(await ask(world, 'login', request)).toBe('UNAUTHENTICATED');
  // As much is computed for who is not there.
  expect(secrets.checks).toHaveLength(2);
});

const pair = generateKeyPairSync('ed25519');
const publicKey = pair.publicKey.export({ format: 'jwk' }).x!;
const signed = (name: string, challenge: string, hub = 'default', key: KeyObject = pair.privateKey) =>
  sign(null, challengeText(hub, name, challenge), key).toString('base64url');

test('who registered a key logs in by signing a challenge, once', async () => {
  const { world } = await start();
  await ask(world, 'register', { name: 'ada', publicKey });
  const { challenge } = await ask(world, 'challenge', { name: 'ada' });
  const proof = { name: 'ada', challenge, signature: signed('ada', challenge) };
  expect(await ask(world, 'login', proof)).toMatchObject({ user: 'ada' });
  // Attack: the same again.
  expect(await ask(world, 'login', proof)).toBe('UNAUTHENTICATED');
});

test('a stolen token of an account that has a key alone changes neither key nor password', async () => {
  const { world } = await start();
  await ask(world, 'register', { name: 'ada', publicKey });
  const prove = async (): Promise<object> => {
    const { challenge } = await ask(world, 'challenge', { name: 'ada' });
    return { challenge, signature: signed('ada', challenge) };
  };
  const self = await who(world, { name: 'ada', ...(await prove()) });
  const other = generateKeyPairSync('ed25519');
  const next = { publicKey: other.publicKey.export({ format: 'jwk' }).x! };
  for (const change of [next, { password: 'of the thief' }]) {
    expect(await ask(world, 'change', change, self)).toBe('DENIED');
    expect(await ask(world, 'change', { ...change, currentPassword: 'of the thief' }, self)).toBe('DENIED');
    const { challenge } = await ask(world, 'challenge', { name: 'ada' });
    const forged = { challenge, signature: signed('ada', challenge, 'default', other.privateKey) };
    expect(await ask(world, 'change', { ...change, ...forged }, self)).toBe('DENIED');
  }
  expect(await ask(world, 'change', { ...next, ...(await prove()) }, self)).toEqual({ name: 'ada' });
  expect(await ask(world, 'login', { name: 'ada', ...(await prove()) })).toBe('UNAUTHENTICATED');
});

test('attack 26: the password is not guessed by changing it, one after another or all at once', async () => {
  const guess = { password: 'of the thief', currentPassword: 'wrong password' };
  for (const isAtOnce of [false, true]) {
    const { world } = await start();
    await register(world);
    const self = await who(world);
    const asked = [];
    for (let i = 0; i < 20; i++) {
      asked.push(ask(world, 'change', guess, self));
      if (!isAtOnce) await asked[i];
    }
    const codes = await Promise.all(asked);
    expect(codes.filter((code) => code !== 'RATE_LIMITED')).toEqual(Array(5).fill('DENIED'));
  }
});

test('attack 26: asking many times at once guesses no faster', async () => {
  const { world, secrets } = await start();
  await register(world);
  const guess = { ...ada, password: 'wrong password' };
  const codes = await Promise.all(Array.from({ length: 120 }, () => ask(world, 'login', guess)));
  expect(codes.filter((code) => code !== 'RATE_LIMITED')).toEqual(Array(5).fill('UNAUTHENTICATED'));
  expect(secrets.checks).toHaveLength(5);
  // Who is right is not held for one who fails: several at once, again and again.
  await world.pass(5_000);
  expect(await ask(world, 'login', ada)).toMatchObject({ user: 'ada' });
  for (let i = 0; i < 20; i++) {
    const right = await Promise.all(Array.from({ length: 4 }, () => ask(world, 'login', ada)));
    expect(right).toMatchObject(Array(4).fill({ user: 'ada' }));
  }
});

test('attack 25: signatures for something else, somebody else, of another key, or too late', async () => {
  const { world } = await start();
  await ask(world, 'register', { name: 'ada', publicKey });
  await ask(world, 'register', { name: 'bob', password: ada.password });
  const other = generateKeyPairSync('ed25519').privateKey;
  const attempts: ((challenge: string) => object)[] = [
    (challenge) => ({ name: 'ada', challenge, signature: signed('ada', challenge, 'other') }),
    (challenge) => ({ name: 'ada', challenge, signature: signed('bob', challenge) }),
    (challenge) => ({ name: 'ada', challenge, signature: signed('ada', challenge, 'default', other) }),
    (challenge) => ({
      name: 'ada',
      challenge,
      signature: sign(null, Buffer.from(challenge), pair.privateKey).toString('base64url'),
    }),
    (challenge) => ({ name: 'ada', challenge, signature: Buffer.alloc(64).toString('base64url') }),
    (challenge) => ({ name: 'bob', challenge, signature: signed('bob', challenge) }),
    () => ({ name: 'ada', challenge: 'made up', signature: signed('ada', 'made up') }),
    (challenge) => ({ name: 'ada', challenge }),
  ];
  for (const [i, attempt] of attempts.entries()) {
    const { challenge } = await ask(world, 'challenge', { name: 'ada' });
    expect(await ask(world, 'login', attempt(challenge), anonymous, `10.1.0.${i}`)).toBe('UNAUTHENTICATED');
  }
  const { challenge } = await ask(world, 'challenge', { name: 'ada' });
  await world.pass(limits.challengeMs + limits.nodeClocksDifferMs);
  const late = { name: 'ada', challenge, signature: signed('ada', challenge) };
  expect(await ask(world, 'login', late, anonymous, '10.1.1.1')).toBe('UNAUTHENTICATED');
});

test('attack 26: a flood of challenges crowds nobody’s out', async () => {
  const { world } = await start();
  await ask(world, 'register', { name: 'ada', publicKey });
  const { challenge } = await ask(world, 'challenge', { name: 'ada' });
  for (let i = 0; i < 12_000; i += 200) {
    const asked = Array.from({ length: 200 }, () => ask(world, 'challenge', { name: 'bob' }));
    expect((await Promise.all(asked)).filter((answer) => !answer.challenge)).toEqual([]);
  }
  const proof = { name: 'ada', challenge, signature: signed('ada', challenge) };
  expect(await ask(world, 'login', proof)).toMatchObject({ user: 'ada' });
});

test('attack 26: who fails again and again waits, and so do those behind one address', async () => {
  const { world, secrets } = await start();
  await register(world);
  const codes = [];
  for (let i = 0; i < 20; i++) codes.push(await ask(world, 'login', { ...ada, password: 'wrong password' }));
  expect(codes.filter((code) => code === 'UNAUTHENTICATED')).toHaveLength(5);
  expect(secrets.checks).toHaveLength(5);
  expect(await ask(world, 'login', ada)).toBe('RATE_LIMITED');
  // Not from elsewhere: nobody can lock somebody else out.
  expect(await ask(world, 'login', ada, anonymous, '10.0.0.2')).toMatchObject({ user: 'ada' });
  await world.pass(61_000);
  expect(await ask(world, 'login', ada)).toMatchObject({ user: 'ada' });
  for (let i = 0; i < 100; i++) await ask(world, 'login', { name: `user-${i}`, password: 'wrong password' });
  expect(secrets.checks.length).toBeLessThan(70);
  secrets.isFull = true;
  expect(await ask(world, 'login', ada, anonymous, '10.0.0.3')).toBe('OVERLOADED');
});

test('attack 26: a hash of older days is made anew when its owner logs in, and nobody is put out', async () => {
  const { world, secrets } = await start();
  await register(world, { email: 'ada@example.org' });
  const self = await who(world);
  secrets.recipe = 'better hash';
  for (let i = 0; i < 2; i++) expect(await ask(world, 'login', ada)).toMatchObject({ user: 'ada' });
  expect(secrets.checks.at(-1)).toMatch(/^better hash/);
  expect(await ask(world, 'profile', {}, self)).toMatchObject({ email: 'ada@example.org' });
});

test('profile, e-mail and metadata are one’s own to read and change', async () => {
  const { world } = await start();
  await register(world, { email: 'ada@example.org', metadata: { likes: 'engines' } });
  await ask(world, 'register', { name: 'bob', password: 'correct horse' });
  const [self, bob] = [await who(world), await who(world, { name: 'bob', password: 'correct horse' })];
  expect(await ask(world, 'profile', {}, self)).toEqual({
    name: 'ada',
    since: expect.any(String) as string,
    hasPassword: true,
    email: 'ada@example.org',
    metadata: { likes: 'engines' },
  });
  expect(await ask(world, 'change', { email: null, metadata: 1 }, self)).toEqual({ name: 'ada' });
  const profile = await ask(world, 'profile', {}, self);
  expect([profile.email, profile.metadata]).toEqual([undefined, 1]);
  for (const action of ['profile', 'change', 'delete']) {
    expect(await ask(world, action, { name: 'ada' }, bob)).toBe('DENIED');
    expect(await ask(world, action, {})).toBe('UNAUTHENTICATED');
  }
  expect(await ask(world, 'profile', { name: 'ada' }, admin)).toMatchObject({ name: 'ada' });
});

test('a password is changed by who knows it, and what was let in by the old one is out at once', async () => {
  const { world } = await start();
  await register(world);
  const self = await who(world);
  const session: TestSession = world.connect({ principal: self });
  const next = { password: 'battery staple' };
  expect(await ask(world, 'change', next, self)).toBe('DENIED');
  expect(await ask(world, 'change', { ...next, currentPassword: 'wrong password' }, self)).toBe('DENIED');
  expect(await ask(world, 'change', { ...next, currentPassword: ada.password }, self)).toEqual({
    name: 'ada',
  });
  await world.pass(1_100);
  expect(session.closed).toMatchObject({ code: 4401 });
  expect(await ask(world, 'profile', {}, self)).toBe('UNAUTHENTICATED');
  expect(await ask(world, 'login', ada)).toBe('UNAUTHENTICATED');
  expect(await ask(world, 'login', { ...ada, ...next })).toMatchObject({ user: 'ada' });
  // Who forgot it asks an administrator.
  expect(await ask(world, 'change', { name: 'ada', password: 'a third one' }, admin)).toEqual({
    name: 'ada',
  });
  expect(await ask(world, 'login', { ...ada, password: 'a third one' })).toMatchObject({ user: 'ada' });
});

test('an account that is deleted is gone with all that was known of it, and its name is not given away', async () => {
  const { world } = await start();
  await register(world, { email: 'ada@example.org' });
  const self = await who(world);
  const session = world.connect({ principal: self });
  expect(await ask(world, 'delete', {}, self)).toEqual({ name: 'ada' });
  await world.pass(1_100);
  expect(session.closed).toMatchObject({ code: 4401 });
  expect(await ask(world, 'login', ada)).toBe('UNAUTHENTICATED');
  expect(await ask(world, 'profile', { name: 'ada' }, admin)).toBe('NOT_FOUND');
  expect(await register(world)).toBe('NAME_TAKEN');
  expect(await ask(world, 'list', {}, admin)).toEqual({ users: [] });
  // The key it was sealed under is trimmed.
  await world.pass(20_000);
  const channels = await world.run(world.engine.channels('default', { limit: 100 }));
  const keys = channels.ok ? channels.value.filter(({ ref }) => ref.channel.startsWith('$keys:')) : [];
  expect(keys).toHaveLength(1);
  const page = await world.run(world.engine.queryLog('default', keys[0]!.ref.channel, {}));
  const events = page.ok ? page.value.entries.flatMap(({ entry }) => entry.content?.event ?? []) : [];
  expect(events).not.toContain('key');
});

test('attack 27: nothing of a person stands in the log readable: neither address, nor hash, nor key', async () => {
  const { world } = await start();
  await register(world, { email: 'ada@example.org', publicKey, metadata: { note: 'confidential' } });
  const page = await world.run(world.engine.queryLog('default', '$users', {}));
  const text = page.ok
    ? page.value.entries.map(({ entry }) => utf8Text(entry.content?.payload ?? new Uint8Array()))
    : [];
  expect(text.join()).toContain('"ada"');
  for (const secret of ['example', 'hash of', publicKey, 'confidential'])
    expect(text.join()).not.toContain(secret);
});

test('attacks 13 and 27: a token is good in its hub, unchanged, until it ends, and nowhere else', async () => {
  const { world } = await start();
  await register(world);
  const { token } = await ask(world, 'login', ada);
  const enter = async (sent: string, hub = 'default'): Promise<string> => {
    const entered = await world.run(world.engine.enter(hub, sent));
    return entered.ok ? entered.value.actor : entered.error.code;
  };
  expect(await enter(token)).toBe('ada');
  expect(await enter(token, 'other')).toBe('UNAUTHENTICATED');
  const [, key, body, mac] = token.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const forged = Buffer.from(JSON.stringify({ ...claims, name: 'root' })).toString('base64url');
  for (const sent of [
    `rl1.${key}.${forged}.${mac}`,
    `rl1.${toHex(new Uint8Array(12))}.${body}.${mac}`,
    `rl1.${key}.${body}.`,
    `rl1.${key}.${body}.${mac}a`,
    `rl1.${key}.${body}`,
    'rl1....',
    'rl1.__proto__.e30.e30',
  ])
    expect(await enter(sent), sent).toBe('UNAUTHENTICATED');
  await world.pass(15 * 60_000);
  expect(await enter(token)).toBe('UNAUTHENTICATED');
});

test('tokens outlive restarts, and keys that sign them are changed every day', async () => {
  const { world } = await start();
  await register(world);
  const { token } = await ask(world, 'login', ada);
  await world.restart();
  expect(await world.run(world.engine.enter('default', token))).toMatchObject({ value: { actor: 'ada' } });
  const keyOf = async (): Promise<string> => (await ask(world, 'login', ada)).token.split('.')[1];
  const before = await keyOf();
  expect(await keyOf()).toBe(before);
  world.clock.stepWall(25 * 3_600_000);
  expect(await keyOf()).not.toBe(before);
});

test('a direct message reaches all sessions of a user, waits while there are none, and is for nobody else', async () => {
  const { world } = await start();
  await register(world);
  await ask(world, 'register', { name: 'bob', password: 'battery staple' });
  const [toAda, asBob] = [await who(world), await who(world, { name: 'bob', password: 'battery staple' })];
  const bob = world.connect({ principal: asBob });
  expect((await bob.publish('u:ada', 'early')).ack).toBeDefined();
  const sessions = [world.connect({ principal: toAda }), world.connect({ principal: toAda })];
  for (const session of sessions) await session.subscribe('u:ada', { beginning: true });
  expect((await bob.publish('u:ada', 'hello')).ack).toBeDefined();
  await world.settle();
  for (const session of sessions)
    expect(session.entries().map(({ data, actor }: Json) => [data, actor])).toEqual([
      ['early', 'bob'],
      ['hello', 'bob'],
    ]);
  expect((await bob.publish('u:carol', 'x')).error).toMatchObject({ code: 'USER_NOT_FOUND' });
  expect((await bob.publish('u:', 'x')).error).toMatchObject({ code: 'BAD_NAME' });
  expect((await world.connect().publish('u:ada', 'x')).error).toMatchObject({ code: 'UNAUTHENTICATED' });
  const spied = await bob.subscribe('u:ada', { beginning: true });
  expect(JSON.stringify(spied)).toContain('DENIED');
  expect(await ask(world, 'delete', { name: 'bob' }, admin)).toBeDefined();
  expect((await sessions[0]!.publish('u:bob', 'x')).error).toMatchObject({ code: 'USER_NOT_FOUND' });
});

test('where registration is closed administrators register people', async () => {
  const { world } = await start({ registration: false });
  expect(await register(world)).toBe('DENIED');
  expect(await ask(world, 'register', ada, admin)).toEqual({ name: 'ada' });
  expect(await ask(world, 'login', ada)).toMatchObject({ user: 'ada' });
  await set(world, { type: 'remove', section: 'providers', name: 'people' });
  expect(await ask(world, 'login', ada)).toBe('UNSUPPORTED');
});

test('over a session the same, also where nobody else is served without a token', async () => {
  const { world } = await start();
  await set(world, { type: 'put', section: 'hub', name: 'anonymous', value: false });
  const session = world.connect();
  const user = async (action: string, request: object): Promise<Json> => {
    const requestId = 100 + session.messages.length;
    session.sendText(JSON.stringify({ requestId, user: { action, request } }));
    await world.pass(200);
    const found = session.messages.find((m) => m.requestId === requestId);
    return found.user?.answer ?? found.error.code;
  };
  expect(await user('register', ada)).toEqual({ name: 'ada' });
  expect(await user('register', ada)).toBe('NAME_TAKEN');
  expect(await user('nothing', {})).toBe('INVALID');
  expect(await user('login', [])).toBe('INVALID');
  const { token } = await user('login', ada);
  expect((await session.ask({ auth: { token } })).auth).toMatchObject({ actor: 'ada' });
  expect(await user('profile', {})).toMatchObject({ name: 'ada' });
});

test.each<[string, object]>([
  ['no name', { password: 'correct horse' }],
  ['a name in capitals', { ...ada, name: 'Ada' }],
  ['a name that looks like another', { ...ada, name: 'аda' }],
  ['a name that is long', { ...ada, name: 'a'.repeat(65) }],
  ['a name of the system', { ...ada, name: '$users' }],
  ['the name of administrators', { ...ada, name: '$admin' }],
  ['neither password nor key', { name: 'ada' }],
  ['a short password', { ...ada, password: '1234567' }],
  ['attack 26: a password of a megabyte', { ...ada, password: 'x'.repeat(1_000_000) }],
  ['a key that is short', { name: 'ada', publicKey: 'AAAA' }],
  ['attack 25: a key of small order', { name: 'ada', publicKey: Buffer.alloc(32).toString('base64url') }],
  ['an address that is none', { ...ada, email: 'ada' }],
  ['an address of two lines', { ...ada, email: 'a@b\nBcc: c@d' }],
  ['too much metadata', { ...ada, metadata: 'x'.repeat(5_000) }],
  ['what is not known', { ...ada, admin: true }],
])('a registration with %s is refused', async (_, request) => {
  const { world } = await start();
  expect(await ask(world, 'register', request)).toBe('INVALID');
});
