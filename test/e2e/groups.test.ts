/** Groups of people by the command, the SDK and a real node. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Client, type RinglogError, connect } from '../../src/client/index.js';
import { groupChannel, groupsOf, passwordToken, peopleOf, receiptsOf } from '../../src/client/people.js';
import { NodeProcess } from '../support/node-process.js';
import { type Ran, runProgram } from '../support/run-program.js';

let node: NodeProcess;
const clients: Client[] = [];
const password = 'correct horse';

beforeAll(async () => {
  node = await NodeProcess.start();
  expect(
    await run(['hub', 'set', 'providers', 'people', '{"type":"directory","registration":true}']),
  ).toMatchObject({
    code: 0,
  });
  for (const name of ['ada', 'bob'])
    expect(await run(['user', 'register', name], {}, password)).toMatchObject({ code: 0 });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => node.remove());

function run(args: readonly string[], more: NodeJS.ProcessEnv = {}, input = ''): Promise<Ran> {
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url, RINGLOG_DATA: node.dataPath, ...more };
  return runProgram('dist/cli/main.js', args, { env, input });
}

async function clientOf(name: string): Promise<Client> {
  const made = connect({ url: node.url, token: passwordToken({ url: node.url, name, password }) });
  clients.push(made);
  await made.ready();
  return made;
}

test('made, joined, written to, left, by the SDK; who leaves is cut', async () => {
  const [ada, bob] = [await clientOf('ada'), await clientOf('bob')];
  expect(await groupsOf(ada).create('team')).toEqual({ group: 'team' });
  await expect(groupsOf(bob).create('team')).rejects.toMatchObject({ code: 'NAME_TAKEN' });
  await expect(groupsOf(bob).join('team')).rejects.toMatchObject({ code: 'DENIED' });
  await groupsOf(ada).invite('team', 'bob');
  await groupsOf(bob).join('team');
  const heard: unknown[] = [];
  const subscription = bob.subscribe(groupChannel('team'));
  subscription.on('entry', ({ data }) => void heard.push(data));
  await new Promise((resolve) => void subscription.on('subscribed', resolve));
  const error = new Promise<RinglogError>((resolve) => void subscription.on('error', resolve));
  await ada.publish(groupChannel('team'), 'hello');
  await expect.poll(() => heard).toEqual(['hello']);
  expect(await groupsOf(bob).members('team')).toMatchObject({
    members: [
      { user: 'ada', role: 'owner' },
      { user: 'bob', role: 'member' },
    ],
  });
  expect(await groupsOf(bob).list()).toMatchObject({ groups: [{ group: 'team', role: 'member' }] });
  await groupsOf(bob).leave('team');
  expect(await error).toMatchObject({ code: 'DENIED' });
  await expect(bob.publish(groupChannel('team'), 'x')).rejects.toMatchObject({ code: 'DENIED' });
  await expect(peopleOf(bob).list()).rejects.toMatchObject({ code: 'DENIED' });
  expect(await peopleOf(bob).channels()).toEqual({ channels: [] });
  await groupsOf(ada).change('team', { open: true });
  await groupsOf(bob).join('team');
  await groupsOf(ada).remove('team', 'bob');
  await groupsOf(ada).delete('team');
  expect(await groupsOf(ada).list()).toEqual({ groups: [] });
});

test('the command does it all too, for a user and for an administrator', async () => {
  const tokenOf = async (name: string) => {
    const { token } = JSON.parse((await run(['user', 'login', name], {}, password)).out) as { token: string };
    return { RINGLOG_TOKEN: token };
  };
  const [ada, bob] = [await tokenOf('ada'), await tokenOf('bob')];
  expect(await run(['group', 'create', 'crew', '--open'], ada)).toMatchObject({
    code: 0,
    out: '{"group":"crew"}\n',
  });
  expect(await run(['group', 'create', 'crew'], bob)).toMatchObject({ code: 1 });
  expect(await run(['group', 'join', 'crew'], bob)).toMatchObject({ code: 0 });
  expect(await run(['pub', 'g:crew', 'hello'], bob)).toMatchObject({ code: 0 });
  expect((await run(['group', 'members', 'crew'], bob)).out.match(/"user":"\w+"/g)).toEqual([
    '"user":"ada"',
    '"user":"bob"',
  ]);
  expect(await run(['group', 'invite', 'crew', 'nobody'], ada)).toMatchObject({ code: 1 });
  expect(await run(['group', 'remove', 'crew', 'bob'], ada)).toMatchObject({ code: 0 });
  expect(await run(['pub', 'g:crew', 'hello'], bob)).toMatchObject({ code: 4 });
  expect(await run(['group', 'change', 'crew', '--closed'], ada)).toMatchObject({ code: 0 });
  expect(await run(['group', 'join', 'crew'], bob)).toMatchObject({ code: 4 });
  expect(await run(['group', 'join', 'crew', '--user', 'bob'])).toMatchObject({ code: 0 });
  expect(await run(['group', 'leave', 'crew'], bob)).toMatchObject({ code: 0 });
  expect((await run(['group', 'list'])).out).toContain('"group":"crew"');
  expect((await run(['channels', '--names'])).out).toContain('{"channel":"g:crew"}');
  expect((await run(['channels', '--names'], bob)).out).toBe('');
  expect(await run(['group', 'delete', 'crew'])).toMatchObject({ code: 0 });
  expect((await run(['group', 'list', '--user', 'bob'])).out).toBe('');
});

test('who writes sees who has received and read it, by the SDK and the command', async () => {
  expect(await run(['hub', 'set', 'rules', 'told', '{"receipts":true}'])).toMatchObject({ code: 0 });
  for (const namespace of ['g', 'u'])
    expect(await run(['hub', 'set', 'namespaces', namespace, '"told"'])).toMatchObject({ code: 0 });
  const [ada, bob] = [await clientOf('ada'), await clientOf('bob')];
  await groupsOf(ada).create('readers', { open: true });
  await groupsOf(bob).join('readers');
  for (const channel of [groupChannel('readers'), 'u:bob']) {
    const published = await ada.publish(channel, 'hello');
    const receipts = await receiptsOf(ada).follow(channel);
    const heard: unknown[] = [];
    receipts.on('receipt', (receipt) => void heard.push(receipt));
    expect(receipts.of(published)).toEqual({ received: [], read: [] });
    const { timestamp } = published;
    await receiptsOf(bob).received({ channel, timestamp });
    await expect.poll(() => receipts.of(published)).toEqual({ received: ['bob'], read: [] });
    await receiptsOf(bob).read({ channel, timestamp });
    await expect.poll(() => receipts.of(published)).toEqual({ received: ['bob'], read: ['bob'] });
    expect(heard).toEqual([
      { user: 'bob', received: timestamp },
      { user: 'bob', received: timestamp, read: timestamp },
    ]);
    receipts.close();
    expect((await run(['receipts', channel])).out).toBe(
      `{"user":"bob","read":${timestamp},"received":${timestamp}}\n`,
    );
  }
  const admin = await run(['receipts', 'g:readers', '--read', '5']);
  expect(admin).toMatchObject({ code: 0, out: '{"channel":"g:readers"}\n' });
  expect(await run(['receipts', 'g:readers', '--read', 'x'])).toMatchObject({ code: 2 });
});

test('groups outlive a kill of the node', async () => {
  const ada = await clientOf('ada');
  await groupsOf(ada).create('lasting');
  await node.kill();
  await node.start();
  expect((await run(['group', 'members', 'lasting'])).out).toContain('"user":"ada","role":"owner"');
});
