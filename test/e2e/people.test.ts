/** The directory of a hub by the command, the SDK and a real node. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Client, type ConnectOptions, type RinglogError, connect } from '../../src/client/index.js';
import { passwordToken, peopleOf } from '../../src/client/people.js';
import { NodeProcess } from '../support/node-process.js';
import { type Ran, runProgram } from '../support/run-program.js';

let node: NodeProcess;
const clients: Client[] = [];

beforeAll(async () => {
  node = await NodeProcess.start();
  const directory = '{"type":"directory","registration":true,"permissions":{"publish":["inbox:{user}"]}}';
  for (const args of [
    ['set', 'providers', 'people', directory],
    ['set', 'rules', 'closed', '{"clientPublish":false}'],
    ['set', 'hub', 'rules', '"closed"'],
  ])
    expect(await run(['hub', ...args])).toMatchObject({ code: 0 });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => node.remove());

function run(args: readonly string[], input = ''): Promise<Ran> {
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url, RINGLOG_DATA: node.dataPath };
  return runProgram('dist/cli/main.js', args, { env, input });
}

function client(token?: ConnectOptions['token']): Client {
  const made = connect({ url: node.url, ...(token === undefined ? {} : { token }) });
  clients.push(made);
  return made;
}

test('register, log in, publish as who one is, change and delete, by the SDK', async () => {
  const ada = client();
  await ada.ready();
  expect(await peopleOf(ada).register({ name: 'ada', password: 'correct horse' })).toEqual({ name: 'ada' });
  await expect(peopleOf(ada).register({ name: 'ada', password: 'another one' })).rejects.toMatchObject({
    code: 'NAME_TAKEN',
  });
  await expect(ada.publish('inbox:ada', 'x')).rejects.toMatchObject({ code: 'DENIED' });
  await expect(peopleOf(ada).login({ name: 'ada', password: 'wrong password' })).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
  });
  expect(await peopleOf(ada).login({ name: 'ada', password: 'correct horse' })).toMatchObject({
    user: 'ada',
  });
  await ada.publish('inbox:ada', 'hello');
  expect(ada.identity).toMatchObject({ user: 'ada', permissions: { publish: ['inbox:ada'] } });
  await peopleOf(ada).change({ email: 'ada@example.org' });
  expect(await peopleOf(ada).profile()).toMatchObject({
    name: 'ada',
    email: 'ada@example.org',
    hasPassword: true,
  });
  const error = new Promise<RinglogError>((resolve) => void ada.on('error', resolve));
  await peopleOf(ada).delete();
  expect(await error).toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('log in by a signature, and by a token function that does it by password', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = publicKey.export({ format: 'jwk' }).x!;
  const bob = client();
  await peopleOf(bob).register({ name: 'bob', publicKey: key, password: 'correct horse' });
  const signed = (message: Uint8Array) => sign(null, message, privateKey).toString('base64url');
  expect(await peopleOf(bob).login({ name: 'bob', sign: signed })).toMatchObject({ user: 'bob' });
  const again = client(passwordToken({ url: node.url, name: 'bob', password: 'correct horse' }));
  await again.ready();
  expect(again.identity).toMatchObject({ user: 'bob', authenticated: true });
});

test('the command does it all too', async () => {
  const word = 'battery staple\n';
  expect(await run(['user', 'register', 'eve', '--email', 'eve@example.org'], word)).toMatchObject({
    code: 0,
    out: '{"name":"eve"}\n',
  });
  const loggedIn = await run(['user', 'login', 'eve'], word);
  const { token } = JSON.parse(loggedIn.out) as { token: string };
  expect((await run(['pub', 'inbox:eve', 'hello', '--token', token])).code).toBe(0);
  expect((await run(['pub', 'inbox:ada', 'hello', '--token', token])).code).toBe(4);
  expect((await run(['user', 'passwd', 'eve'], 'a new password\n')).code).toBe(0);
  expect(await run(['user', 'login', 'eve'], word)).toMatchObject({ code: 4 });
  expect(JSON.parse((await run(['user', 'show', 'eve'])).out)).toMatchObject({ email: 'eve@example.org' });
  expect((await run(['user', 'list'])).out).toContain('"name":"eve"');
  expect((await run(['user', 'delete', 'eve'])).code).toBe(0);
  expect((await run(['user', 'list'])).out).not.toContain('"name":"eve"');
  expect(await run(['user', 'register', 'eve'], word)).toMatchObject({
    code: 1,
    err: expect.stringContaining('NAME_TAKEN') as string,
  });
  expect(await run(['user', 'register', 'mallory'])).toMatchObject({ code: 2 });
});

test('by the command a user with a key, and no administrator, logs in, changes and deletes its own account', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ringlog-user-'));
  try {
    const [pem, other] = [join(directory, 'a.pem'), join(directory, 'b.pem')];
    const made = await run(['user', 'key', 'new', pem]);
    const { publicKey } = JSON.parse(made.out) as { publicKey: string };
    expect((await stat(pem)).mode & 0o777).toBe(0o600);
    // A key that is there stays.
    expect(await run(['user', 'key', 'new', pem])).toMatchObject({ code: 2 });
    expect((await run(['user', 'key', 'new', other])).code).toBe(0);
    const registering = ['user', 'register', 'dan', '--key-file', pem, '--metadata', '{"team":"blue"}'];
    expect(await run(registering)).toMatchObject({ code: 0 });
    const as = async (key: string, args: readonly string[], input = ''): Promise<Ran> => {
      const { out } = await run(['user', 'login', 'dan', '--key-file', key]);
      return run([...args, '--token', (JSON.parse(out) as { token: string }).token], input);
    };
    expect(await run(['user', 'login', 'dan', '--key-file', other])).toMatchObject({ code: 4 });
    expect(JSON.parse((await as(pem, ['user', 'show', 'dan'])).out)).toMatchObject({
      publicKey,
      hasPassword: false,
      metadata: { team: 'blue' },
    });
    const changed = ['--email', 'dan@example.org', '--metadata', '{"team":"red"}'];
    expect(await as(pem, ['user', 'change', 'dan', ...changed])).toMatchObject({ code: 0 });
    expect(JSON.parse((await as(pem, ['user', 'show', 'dan'])).out)).toMatchObject({
      email: 'dan@example.org',
      metadata: { team: 'red' },
    });
    expect((await as(pem, ['user', 'change', 'dan', '--no-email'])).code).toBe(0);
    expect((await as(pem, ['user', 'show', 'dan'])).out).not.toContain('email');
    expect(await as(pem, ['user', 'change', 'dan'])).toMatchObject({ code: 2 });
    expect(await as(pem, ['user', 'change', 'dan', '--metadata', 'red'])).toMatchObject({ code: 2 });

    // A token alone gives no new password or key.
    const passwd = ['user', 'passwd', 'dan'];
    expect(await as(pem, passwd, 'first password\n')).toMatchObject({ code: 4 });
    expect((await as(pem, [...passwd, '--key-file', pem], 'first password\n')).code).toBe(0);
    const proven = [...passwd, '--current-password'];
    expect(await as(pem, proven, 'wrong password\nsecond password\n')).toMatchObject({ code: 4 });
    expect((await as(pem, proven, 'first password\nsecond password\n')).code).toBe(0);
    expect((await run(['user', 'login', 'dan'], 'second password\n')).code).toBe(0);
    const renewed = ['user', 'change', 'dan', '--new-key-file', other];
    expect(await as(pem, renewed)).toMatchObject({ code: 4 });
    expect((await as(pem, [...renewed, '--current-password'], 'second password\n')).code).toBe(0);
    expect(await run(['user', 'login', 'dan', '--key-file', pem])).toMatchObject({ code: 4 });
    expect((await run(['user', 'key', 'show', 'dan'])).out).not.toContain(publicKey);

    // Of others nothing, and no list where the rules allow none.
    expect(await as(other, ['user', 'delete', 'ada'])).toMatchObject({ code: 4 });
    expect(await as(other, ['user', 'list'])).toMatchObject({ code: 4 });
    expect((await as(other, ['user', 'delete', 'dan'])).code).toBe(0);
    expect(await run(['user', 'show', 'dan'])).toMatchObject({
      err: expect.stringContaining('NOT_FOUND') as string,
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}, 120_000);

test('accounts outlive a kill of the node', async () => {
  const carol = client();
  await peopleOf(carol).register({ name: 'carol', password: 'correct horse' });
  await node.kill();
  await node.start();
  expect(await run(['user', 'login', 'carol'], 'correct horse')).toMatchObject({ code: 0 });
});
