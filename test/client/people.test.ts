/** The directory, as a client asks it. */
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { groupsOf, loginMessage, passwordToken, peopleOf, receiptsOf } from '../../src/client/people.js';
import { World, errorOf } from './world.js';

test('an action and its answer, and whoever logged in is that from then on', async () => {
  const world = new World();
  const client = world.connect();
  const loggedIn = peopleOf(client).login({ name: 'ada', password: 'correct horse' });
  await world.settle();
  expect(await loggedIn).toEqual({
    action: 'login',
    request: { name: 'ada', password: 'correct horse' },
    token: 'token of login',
  });
  await world.settle();
  expect(client.identity).toMatchObject({ authenticated: true });
});

test('what is signed to log in names its use, hub, account and challenge', () => {
  expect(new TextDecoder().decode(loginMessage('acme', 'ada', 'c'))).toBe('ringlog login v1\nacme\nada\nc');
});

test('who changes what lets one in signs a new challenge with the present key', async () => {
  const world = new World();
  const people = peopleOf(world.connect());
  const asked = people.change({ password: 'battery staple', sign: () => 'signed' });
  await world.settle();
  await world.settle();
  await world.settle();
  expect(await asked).toMatchObject({
    action: 'change',
    request: { password: 'battery staple', signature: 'signed' },
  });
});

test('what only reads, or comes to the same twice, is asked again where there was no answer', async () => {
  const world = new World();
  world.node.misbehaviour = { silent: true };
  const client = world.connect();
  const marked = receiptsOf(client).read({ channel: 'u:ada', timestamp: 5 });
  await world.settle();
  world.node.misbehaviour = {};
  world.cut();
  await world.pass(5_000);
  expect(await marked).toBeUndefined();
  await client.close();
});

test('a request without an answer may be done: it is not sent again', async () => {
  const world = new World();
  world.node.misbehaviour = { silent: true };
  const client = world.connect();
  const lost = errorOf(peopleOf(client).register({ name: 'ada', password: 'correct horse' }));
  await world.settle();
  world.cut();
  expect(await lost).toMatchObject({ code: 'UNREACHABLE', outcome: 'indeterminate' });
  await world.pass(1_000);
  const late = errorOf(peopleOf(client).change({ email: null }));
  await world.pass(31_000);
  expect(await late).toMatchObject({ code: 'TIMEOUT', outcome: 'indeterminate' });
  await client.close();
  expect(await errorOf(peopleOf(client).profile())).toMatchObject({ code: 'CLOSED' });
});

test('every question to the directory ends in the time it is given', async () => {
  const world = new World();
  world.node.misbehaviour = { silent: true };
  const client = world.connect();
  const options = { timeoutMs: 2_000 };
  const asked = [
    errorOf(peopleOf(client, options).profile()),
    errorOf(peopleOf(client, options).login({ name: 'ada', password: 'correct horse' })),
    errorOf(groupsOf(client, options).create('team')),
    errorOf(receiptsOf(client, options).read({ channel: 'u:ada', timestamp: 5 })),
  ];
  await world.settle();
  await world.pass(2_100);
  const outcomes = (await Promise.all(asked)).map(({ code, outcome }) => [code, outcome]);
  // What only reads, or may be said twice, has changed nothing that matters.
  expect(outcomes).toEqual([
    ['TIMEOUT', 'rejected'],
    ['TIMEOUT', 'indeterminate'],
    ['TIMEOUT', 'indeterminate'],
    ['TIMEOUT', 'rejected'],
  ]);
  await client.close();
});

test('a log-in for a token ends too, where a node takes the connection and says nothing', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = silent.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const token = passwordToken({ url, name: 'ada', password: 'correct horse', timeoutMs: 50 });
    await expect(token()).rejects.toMatchObject({ name: 'TimeoutError' });
  } finally {
    silent.close();
    silent.closeAllConnections();
  }
});

test('a token by a password comes from the next node where one is gone, silent or busy, and a wrong password is told once', async () => {
  const asked: string[] = [];
  const servers: Server[] = [];
  const serve = async (name: string, answer?: { status: number; body: object }): Promise<string> => {
    const server = createServer((_, response) => {
      asked.push(name);
      if (answer) response.writeHead(answer.status).end(JSON.stringify(answer.body));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  try {
    const gone = await serve('gone');
    await new Promise((resolve) => servers.pop()!.close(resolve));
    const silent = await serve('silent');
    const busy = await serve('busy', { status: 503, body: { code: 'OVERLOADED', retryAfterMs: 5 } });
    const well = await serve('well', { status: 200, body: { token: 'of ada' } });
    const wrong = await serve('wrong', { status: 401, body: { code: 'UNAUTHENTICATED' } });
    const account = { name: 'ada', password: 'correct horse', timeoutMs: 2_000 };
    const token = passwordToken({ url: [gone, silent, busy, well], ...account });
    expect(await token()).toBe('of ada');
    expect(asked.splice(0)).toEqual(['silent', 'busy', 'well']);
    // Who answered is asked first the next time.
    expect(await token()).toBe('of ada');
    expect(asked.splice(0)).toEqual(['well']);
    await expect(passwordToken({ url: [wrong, well], ...account })()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    expect(asked.splice(0)).toEqual(['wrong']);
    await expect(passwordToken({ url: [gone, busy], ...account })()).rejects.toMatchObject({
      code: 'OVERLOADED',
      retryAfterMs: 5,
    });
  } finally {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  }
});
