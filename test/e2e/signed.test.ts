/** Signed messages by the command, the SDK and a real node. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Client, type Message, connect } from '../../src/client/index.js';
import { passwordToken, peopleOf, signerOf, verifierOf } from '../../src/client/people.js';
import { NodeProcess } from '../support/node-process.js';
import { type Ran, runProgram } from '../support/run-program.js';

let node: NodeProcess;
let folder: string;
const clients: Client[] = [];
const password = 'correct horse';
const pair = generateKeyPairSync('ed25519');
const publicKey = pair.publicKey.export({ format: 'jwk' }).x!;
const signing = {
  user: 'ada',
  publicKey,
  sign: (message: Uint8Array) => sign(null, message, pair.privateKey).toString('base64url'),
};

beforeAll(async () => {
  node = await NodeProcess.start();
  folder = await mkdtemp(join(tmpdir(), 'ringlog-signed-'));
  await writeFile(
    join(folder, 'ada.pem'),
    pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  );
  for (const args of [
    ['set', 'providers', 'people', '{"type":"directory","registration":true}'],
    ['set', 'rules', 'sealed', '{"signed":true}'],
    ['set', 'namespaces', 'ledger', '"sealed"'],
  ])
    expect(await run(['hub', ...args])).toMatchObject({ code: 0 });
  const anybody = connect({ url: node.url });
  await peopleOf(anybody).register({ name: 'ada', password, publicKey });
  await peopleOf(anybody).register({ name: 'bob', password });
  await anybody.close();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(async () => {
  await node.remove();
  await rm(folder, { recursive: true });
});

function run(args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url, RINGLOG_DATA: node.dataPath, ...more };
  return runProgram('dist/cli/main.js', args, { env });
}

async function clientOf(name: string): Promise<Client> {
  const made = connect({ url: node.url, token: passwordToken({ url: node.url, name, password }) });
  clients.push(made);
  await made.ready();
  return made;
}

async function read(client: Client, channel: string): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of client.history(channel)) messages.push(message as Message);
  return messages;
}

test('signed by the SDK, in order, and checked by a reader', async () => {
  const [ada, bob] = [await clientOf('ada'), await clientOf('bob')];
  await expect(ada.publish('ledger:1', 'unsigned')).rejects.toMatchObject({ code: 'BAD_SIGNATURE' });
  const signer = signerOf(ada, signing);
  const all = [
    signer.publish('ledger:1', 'five'),
    signer.publish('ledger:1', { amount: 5 }, { event: 'paid', headers: { to: 'bob' } }),
    signer.publish('ledger:1', new Uint8Array([1, 2])),
    signer.publish('ledger:1'),
  ];
  for (const published of await Promise.all(all)) expect(published.level).toBe('quorum');
  const messages = await read(bob, 'ledger:1');
  expect(messages.map(({ data }) => data)).toEqual(['five', { amount: 5 }, new Uint8Array([1, 2]), '']);
  const verifier = verifierOf(bob);
  for (const message of messages) expect(await verifier.check(message)).toBe('valid');
  // Where the rules do not ask for it, it says what it is all the same.
  await ada.publish('chat', 'plain');
  await signer.publish('chat', 'signed');
  await ada.publish('chat', 'forged', { signature: new Uint8Array(64).fill(1) });
  await bob.publish('chat', 'without a key', { signature: new Uint8Array(64).fill(1) });
  const verdicts = (await read(bob, 'chat')).map((message) => verifier.check(message));
  expect(await Promise.all(verdicts)).toEqual(['unsigned', 'valid', 'forged', 'unknown']);
  // A key that the application was given counts, whatever the directory says.
  const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x!;
  for (const [keyOf, verdict] of [
    [() => publicKey, 'valid'],
    [() => other, 'forged'],
    [() => undefined, 'unknown'],
    // Of small order: for which anybody makes signatures.
    [() => Buffer.alloc(32).toString('base64url'), 'forged'],
  ] as const)
    expect(await verifierOf(bob, { keyOf }).check(messages[0]!)).toBe(verdict);
});

test('the command signs and verifies, and so does whoever posts', async () => {
  const { token } = (await (
    await fetch(`${node.url}/v1/hubs/default/users/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'ada', password }),
    })
  ).json()) as { token: string };
  const ada = { RINGLOG_TOKEN: token };
  const key = join(folder, 'ada.pem');
  expect(await run(['pub', 'ledger:2', 'five', '--sign', key], ada)).toMatchObject({ code: 0 });
  expect(await run(['pub', 'ledger:2', 'five'], ada)).toMatchObject({ code: 4 });
  expect(await run(['pub', 'ledger:2', 'five', '--sign', join(folder, 'none')], ada)).toMatchObject({
    code: 2,
  });
  const text = (...parts: string[]) => parts.map((part) => `${Buffer.byteLength(part)}:${part},`).join('');
  const signed = text(
    'ringlog message v1',
    'default',
    'ledger:2',
    'ada',
    publicKey,
    'k1',
    'publish',
    '',
    'text/plain',
    'six',
  );
  const post = (signature: string) =>
    fetch(`${node.url}/v1/hubs/default/channels/ledger:2/publish`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'text/plain',
        'idempotency-key': 'k1',
        'x-ringlog-signature': signature,
      },
      body: 'six',
    });
  expect((await post('AAAA')).status).toBe(403);
  expect((await post(signing.sign(Buffer.from(signed)))).status).toBe(200);
  const heard = await run(['sub', 'ledger:2', '--from', 'beginning', '--limit', '2', '--verify'], ada);
  expect(heard.out.match(/"signed":"\w+"/g)).toEqual(['"signed":"valid"', '"signed":"valid"']);
});
