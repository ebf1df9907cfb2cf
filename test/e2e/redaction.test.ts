/** `ringlog redact` and its route over real processes and their disks: the content goes everywhere, and readers are told. */
import { randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { type Message, connect } from '../../src/client/index.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/node-process.js';
import { ringlogAt } from '../support/ringlog-at.js';

/** Starts of real processes: on a busy machine each takes its time. */
const limitMs = 400_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const nodes: NodeProcess[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});

const secret = `the number of my account is ${randomBytes(6).toString('hex')}`;

/** Files of a data directory in which the text is. */
async function filesWith(directory: string, text: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = await Promise.all(
    paths.map(async (path) => ((await readFile(path)).includes(text) ? path : '')),
  );
  return read.filter((path) => path !== '');
}

async function within(check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await check())) {
    if (Date.now() > end) throw new Error('it did not come about in time');
    await pause(200);
  }
}

test('a message is redacted at all three homes and on their disks; readers are told, and a refusal says why', async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const found = ports.map((port) => `127.0.0.1:${port}`).join();
  const cluster = `test-${randomBytes(6).toString('hex')}`;
  nodes.push(
    ...(await Promise.all(
      ports.map((port) =>
        NodeProcess.start({ cluster, args: ['--join', found, '--peer-listen', `127.0.0.1:${port}`] }),
      ),
    )),
  );
  const [a, b, c] = nodes as [NodeProcess, NodeProcess, NodeProcess];
  const writing = connect(a.url);
  const reading = connect(c.url);
  const seen: Message[] = [];
  const told: Message[] = [];
  try {
    await within(async () => (await ringlogAt(a, 'verify')).code === 0);
    const subscription = reading.subscribe('chat', {
      start: 'beginning',
      onEntry: (message) => void seen.push(message),
    });
    subscription.on('redacted', (notice) => void told.push(notice));
    await writing.publish('chat', 'before');
    const { id } = await writing.publish('chat', secret);
    await writing.publish('chat', 'after');
    await within(async () => seen.length === 3);
    expect(seen[1]).toMatchObject({ id, data: secret, redacted: false });
    // Two of three have it by now.
    for (const { dataPath } of nodes)
      await within(async () => (await filesWith(dataPath, secret)).length > 0);

    expect(await ringlogAt(b, 'redact', 'chat', id!)).toMatchObject({ code: 2 });
    const unknown = await ringlogAt(b, 'redact', 'chat', `${id}000`, '--yes');
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('There is no message')]);
    const done = await ringlogAt(b, 'redact', 'chat', id!, '--yes', '--json');
    expect([done.code, done.err]).toEqual([0, '']);
    const by = (JSON.parse(done.out) as { id: string }).id;
    const again = await ringlogAt(c, 'redact', 'chat', id!, '--yes', '--json');
    expect(JSON.parse(again.out)).toEqual({ redacted: true, id: by });

    await within(async () => told.length > 0);
    expect(told).toMatchObject([{ redacts: id, id: by }]);
    for (const node of nodes) {
      const client = connect(node.url);
      const { entries } = await client.history('chat', { including: by }).page();
      expect(entries.map(({ data, redacted }) => (redacted ? 'redacted' : data))).toEqual([
        'before',
        'redacted',
        'after',
      ]);
      expect([entries[1]!.id, entries[1]!.bytes.length]).toEqual([id, 0]);
      await client.close();
    }
    const log = await ringlogAt(a, 'log', 'chat', '--json');
    expect(log.out).not.toContain(secret);
    expect(log.out).toContain(`"redacts":"${id}"`);
    await within(async () => (await ringlogAt(a, 'verify')).code === 0);
    await within(async () => (await filesWith(a.dataPath, secret)).length === 0);
  } finally {
    await writing.close();
    await reading.close();
  }
  for (const node of nodes) {
    await within(async () => (await filesWith(node.dataPath, secret)).length === 0);
    await node.stop();
    expect(await filesWith(node.dataPath, secret)).toEqual([]);
  }
});
