/** Tickets: good once, for half a minute, in one hub, from one page; nothing is kept of those that were given. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { Principal } from '../../src/engine/api.js';
import type { Identity } from '../../src/engine/ports.js';
import { type World, admin, anonymous } from './harness.js';
import { set, twoHubs } from './known-clients.js';

const page = 'https://app.example';

async function start(identity: Partial<Identity> = {}): Promise<{ world: World; ada: Principal }> {
  const { world, known } = await twoHubs();
  const issuedAtMs = world.clock.wallMs();
  const expiresAtMs = issuedAtMs + 60_000;
  const permissions = { publish: ['room:#'] };
  known.tokens.set('t', { user: 'ada', permissions, issuedAtMs, expiresAtMs, ...identity });
  const entered = await world.run(world.engine.enter('default', 't'));
  if (!entered.ok) throw new Error(entered.error.code);
  return { world, ada: entered.value };
}

async function give(world: World, who: Principal, hub = 'default', origin?: string): Promise<string> {
  const given = await world.run(world.engine.ticket(who, hub, origin));
  return given.ok ? given.value : given.error.code;
}

async function redeem(world: World, ticket: string, hub = 'default', origin?: string): Promise<string> {
  const found = await world.run(world.engine.redeem(hub, ticket, origin));
  return found.ok ? found.value.actor : found.error.code;
}

test('attack 8: one lets in once, as whoever asked for it, until that one’s token ends', async () => {
  const { world, ada } = await start({ metadata: '{"name":"Ada"}' });
  const ticket = await give(world, ada);
  const found = await world.run(world.engine.redeem('default', ticket, undefined));
  const { grants, ...rest } = ada;
  expect(found).toMatchObject({ ok: true, value: { ...rest, grants: { permissions: grants?.permissions } } });
  expect(await redeem(world, ticket)).toBe('UNAUTHENTICATED');
  expect(await redeem(world, await give(world, admin))).toBe(admin.actor);
  expect(await give(world, anonymous)).toBe('UNAUTHENTICATED');
});

test('attack 8: of another hub, another page, too old, used or made up it opens nothing', async () => {
  const { world, ada } = await start();
  const outcomes = async (hub: string, origin: string | undefined, afterMs = 0): Promise<string[]> => {
    const ticket = await give(world, ada, 'default', page);
    await world.pass(afterMs);
    return [await redeem(world, ticket, hub, origin), await redeem(world, ticket, 'default', page)];
  };
  expect(await outcomes('default', page)).toEqual(['ada', 'UNAUTHENTICATED']);
  for (const origin of ['https://app.example.evil', 'null', undefined])
    expect(await outcomes('default', origin)).toEqual(['UNAUTHENTICATED', 'UNAUTHENTICATED']);
  expect((await outcomes('other', page))[0]).toBe('UNAUTHENTICATED');
  const late = limits.ticketMs + limits.nodeClocksDifferMs;
  expect(await outcomes('default', page, late)).toEqual(['UNAUTHENTICATED', 'UNAUTHENTICATED']);
  for (const made of ['', '__proto__', 'A'.repeat(32), 'A'.repeat(10_000), 'rlt1...', 'rlt1.k.e30.AAAA'])
    expect(await redeem(world, made)).toBe('UNAUTHENTICATED');
});

test('attack 8: what was altered in it, or signed for something else, counts for nothing', async () => {
  const { world, ada } = await start();
  const [use, key, body, code] = (await give(world, ada)).split('.') as [string, string, string, string];
  const read = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
  const written = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  for (const forged of [
    [use, key, written({ ...read, client: undefined, admin: '$admin' }), code],
    [use, key, written({ ...read, id: 'another' }), code],
    [use, 'another', body, code],
    [use, key, body, code.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))],
    ['rl1', key, body, code],
  ])
    expect(await redeem(world, forged.join('.'))).toBe('UNAUTHENTICATED');
  // A ticket is no token.
  const entered = await world.run(world.engine.enter('default', [use, key, body, code].join('.')));
  expect(entered).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
  expect(await redeem(world, [use, key, body, code].join('.'))).toBe('ada');
});

test('a ticket of somebody who was revoked since lets nobody in', async () => {
  const { world, ada } = await start();
  const ticket = await give(world, ada);
  await world.pass(1_000);
  await set(world, { type: 'put', section: 'revoked', name: 'ada', value: world.clock.wallMs() });
  expect(await redeem(world, ticket)).toBe('UNAUTHENTICATED');
});

test('attack 8: a flood of them crowds nobody’s out', async () => {
  const { world, ada } = await start();
  const first = await give(world, ada);
  for (let i = 0; i < 12_000; i++) void world.engine.ticket(ada, 'default', undefined);
  await world.settle();
  expect(await redeem(world, first)).toBe('ada');
});

test('what does not fit into an address is refused', async () => {
  const { world, ada } = await start({ metadata: JSON.stringify({ text: 'x'.repeat(4_000) }) });
  expect(await give(world, ada)).toBe('TOO_LARGE');
});
