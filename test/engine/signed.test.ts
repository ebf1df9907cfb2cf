/** Channels whose rules want every message signed by its author's key. */
import { type KeyObject, generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { toBase64Url, utf8 } from '../../src/base/bytes.js';
import type { Principal } from '../../src/engine/api.js';
import type { Change } from '../../src/hubs/change.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import { type SignedMessage, signedBytes } from '../../src/protocol/signed-message.js';
import { TestSecrets } from '../people/secrets.js';
import { type Json, type TestSession, World, admin, anonymous } from './harness.js';

const pairOf = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { publicKey: publicKey.export({ format: 'jwk' }).x!, privateKey };
};
const [adas, bobs] = [pairOf(), pairOf()];
const password = 'correct horse';

async function ask(world: World, action: string, request: object, who = anonymous): Promise<Json> {
  const answer = await world.run(world.engine.people(who, 'default', action, request, ''));
  return answer.ok ? answer.value : answer.error.code;
}

async function start(): Promise<World> {
  const world = await World.start({ hubs: { createOnUse: false }, secrets: new TestSecrets().secrets });
  for (const [section, name, value] of [
    ['providers', 'people', { type: 'directory', registration: true }],
    ['rules', 'sealed', { signed: true }],
    ['namespaces', 'ledger', 'sealed'],
  ] as const) {
    const change: Change = { type: 'put', section, name, value };
    expect(await world.run(world.engine.changeSettings('default', change, 'root'))).toMatchObject({
      ok: true,
    });
  }
  await world.settle();
  await ask(world, 'register', { name: 'ada', password, publicKey: adas.publicKey });
  await ask(world, 'register', { name: 'bob', password, publicKey: bobs.publicKey });
  await ask(world, 'register', { name: 'eve', password });
  return world;
}

async function who(world: World, name: string): Promise<Principal> {
  const { token } = await ask(world, 'login', { name, password });
  const entered = await world.run(world.engine.enter('default', token));
  if (!entered.ok) throw new Error(entered.error.code);
  return entered.value;
}

const genuine: SignedMessage = {
  hub: 'default',
  channel: 'ledger:1',
  user: 'ada',
  publicKey: adas.publicKey,
  idempotencyKey: 'k1',
  content: { payload: utf8('five') },
};

function signatureOf(message: Partial<SignedMessage> = {}, key: KeyObject = adas.privateKey): Buffer {
  return sign(null, signedBytes({ ...genuine, ...message }), key);
}

/** The code of the refusal, or the level. */
async function publish(
  session: TestSession,
  signature: Uint8Array | undefined,
  more: object = {},
): Promise<Json> {
  const message = {
    channel: 'ledger:1',
    data: 'five',
    idempotencyKey: 'k1',
    ...(signature && { signature: toBase64Url(signature) }),
    ...more,
  };
  const answer = await session.ask({ publish: message });
  return answer.ack?.level ?? answer.error.code;
}

test('what is signed by its author is taken, and everybody reads the signature', async () => {
  const world = await start();
  const session = world.connect({ principal: await who(world, 'ada') });
  // The key is looked for with the first message.
  expect(await publish(session, signatureOf())).toBe('UNAVAILABLE');
  await world.settle();
  expect(await publish(session, signatureOf())).toBe('quorum');
  const reader = world.connect({ principal: await who(world, 'eve') });
  await reader.subscribe('ledger:1', { beginning: true });
  expect(reader.entries()).toMatchObject([
    { actor: 'ada', data: 'five', idempotencyKey: 'k1', signature: toBase64Url(signatureOf()) },
  ]);
  expect(await ask(world, 'key', { name: 'ada' }, await who(world, 'eve'))).toEqual({
    name: 'ada',
    publicKey: adas.publicKey,
  });
  expect(await ask(world, 'key', { name: 'eve' }, await who(world, 'eve'))).toBe('NOT_FOUND');
  expect(await ask(world, 'key', { name: 'ada' })).toBe('UNAUTHENTICATED');
  // Other channels of the hub take what they took.
  expect((await session.publish('chat', 'unsigned')).ack).toBeDefined();
});

test('over HTTP it is looked for before', async () => {
  const world = await start();
  const content = encodeContent({ payload: utf8('five'), signature: signatureOf() });
  const message = { type: 'publish', channel: 'ledger:1', content, idempotencyKey: 'k1' } as const;
  const principal = await who(world, 'ada');
  const accepted = await world.run(world.engine.publish(principal, 'default', [message]));
  expect(accepted).toMatchObject([{ ok: true }]);
});

const order = 2n ** 252n + 27742317777372353535851937790883648493n;

function malleated(signature: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}

test.each<[string, Uint8Array | undefined, object?]>([
  ['none', undefined],
  ['zeros', Buffer.alloc(64)],
  ['a short one', signatureOf().subarray(0, 63)],
  ['that of another key', signatureOf({}, bobs.privateKey)],
  ['that of another key, which it names', signatureOf({ publicKey: bobs.publicKey }, bobs.privateKey)],
  ['that of another hub', signatureOf({ hub: 'other' })],
  ['that of another channel', signatureOf({ channel: 'ledger:2' })],
  ['that of another author', signatureOf({ user: 'bob' })],
  ['that of another use', signatureOf({ kind: 'patch' })],
  ['that of another event', signatureOf({ content: { payload: utf8('five'), event: 'paid' } })],
  ['that of another payload', signatureOf({ content: { payload: utf8('fifty') } })],
  ['that of another time it was said', signatureOf({ idempotencyKey: 'k0' })],
  ['that of a log-in', sign(null, utf8('ringlog login v1\ndefault\nada\nk1'), adas.privateKey)],
  ['a second form of the right one', malleated(signatureOf())],
  ['the right one for a payload that was changed', signatureOf(), { data: 'six' }],
  ['the right one with a header that was added', signatureOf(), { headers: { to: 'eve' } }],
  ['the right one in another channel', signatureOf(), { channel: 'ledger:2' }],
  ['the right one without the key of the publish', signatureOf(), { idempotencyKey: undefined }],
  ['the right one, and it is to be a signal', signatureOf(), { store: false, idempotencyKey: undefined }],
])('attack 25: %s is no signature', async (_, signature, more = {}) => {
  const world = await start();
  const principal = await who(world, 'ada');
  const session = world.connect({ principal });
  await publish(session, signatureOf({ idempotencyKey: 'warm' }), { idempotencyKey: 'warm' });
  await world.settle();
  expect(await publish(session, signature, more)).toBe('BAD_SIGNATURE');
  const history = { type: 'history', channel: 'ledger:1', backward: false } as const;
  expect(await world.run(world.engine.history(principal, 'default', history))).toMatchObject({
    value: { deliveries: [] },
  });
});

test('attack 25: nobody else publishes what somebody signed, and nobody without a key', async () => {
  const world = await start();
  for (const name of ['bob', 'eve']) {
    const session = world.connect({ principal: await who(world, name) });
    await publish(session, signatureOf());
    await world.settle();
    expect(await publish(session, signatureOf())).toBe('BAD_SIGNATURE');
    expect(await publish(session, signatureOf({ user: name }, bobs.privateKey))).toBe('BAD_SIGNATURE');
  }
  expect(await publish(world.connect(), signatureOf())).toBe('BAD_SIGNATURE');
  expect(await publish(world.connect({ principal: admin }), signatureOf())).toBe('BAD_SIGNATURE');
});

test('a key that was changed signs no more, and the new one does', async () => {
  const world = await start();
  const next = pairOf();
  const change = { publicKey: next.publicKey, currentPassword: password };
  const before = world.connect({ principal: await who(world, 'ada') });
  await publish(before, signatureOf());
  await world.settle();
  expect(await ask(world, 'change', change, await who(world, 'ada'))).toEqual({ name: 'ada' });
  const session = world.connect({ principal: await who(world, 'ada') });
  await publish(session, signatureOf());
  await world.settle();
  expect(await publish(session, signatureOf())).toBe('BAD_SIGNATURE');
  expect(await publish(session, signatureOf({ publicKey: next.publicKey }, next.privateKey))).toBe('quorum');
});
