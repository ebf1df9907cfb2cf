/**
 * One notification channel with very many notifications, on one node:
 *   node dist-tools/bench/inbox.js [count]
 * Says how long each step takes, and how much memory the node has then.
 */
import { readFileSync } from 'node:fs';
import { connect } from '../src/client/index.js';
import { NotificationChannel, notify } from '../src/client/notifications.js';
import { NodeProcess } from '../test/support/node-process.js';
import { tokenOf } from '../test/support/rings.js';

const channel = 'notification:many';
const inFlight = 512;
const count = Number(process.argv[2] ?? 1_000_000);
const node = await NodeProcess.start();
const token = tokenOf(node);
const open = () => connect({ url: node.url, token });

function residentMiB(): number {
  const status = readFileSync(`/proc/${node.pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
}

async function step<T>(name: string, work: () => Promise<T>, told: (value: T) => string): Promise<T> {
  const begun = performance.now();
  const value = await work();
  const ms = (performance.now() - begun).toFixed(1);
  console.log(`${name}: ${ms} ms, node ${residentMiB()} MiB; ${told(value)}`);
  return value;
}

try {
  let client = open();
  await client.ready();
  console.log(`begin: node ${residentMiB()} MiB`);
  const begun = Date.now();
  const create = async () => {
    let left = count;
    const lane = async () => {
      while (left-- > 0)
        await notify(client, channel, { title: `Notification ${left}`, body: 'x'.repeat(64) });
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
  };
  await step(
    `create ${count}`,
    create,
    () => `${Math.round((count * 1_000) / (Date.now() - begun))} a second`,
  );
  const middle = begun + (Date.now() - begun) / 2;
  const read = async (name: string) => {
    const opened = await step(
      `open, ${name}`,
      () => NotificationChannel.open(client, channel),
      ({ unread, total }) => `${unread} unread of ${total}`,
    );
    const told = ({ notifications, more }: Awaited<ReturnType<typeof opened.list>>) =>
      `${notifications.length} listed, first ${notifications[0]?.title ?? 'none'} ${notifications[0]?.state ?? ''}, more ${more}`;
    await step('first page', () => opened.list(), told);
    await step('first page again', () => opened.list(), told);
    await step('first page of unread', () => opened.list({ unread: true }), told);
    await step('first page of 500 unread', () => opened.list({ unread: true, limit: 500 }), told);
    await step('page in the middle, newest first', () => opened.list({ until: middle }), told);
    await step(
      'page in the middle, oldest first',
      () => opened.list({ since: middle, order: 'oldest' }),
      told,
    );
    await step('oldest page', () => opened.list({ order: 'oldest' }), told);
    return opened;
  };
  const opened = await read('as it was written');
  await step(
    'mark all read',
    () => opened.readUntil(Date.now()),
    ({ level }) => level,
  );
  await step(
    'count',
    () => opened.list({ limit: 1 }),
    ({ unread, total }) => `${unread} unread of ${total}`,
  );
  await step(
    'page of unread',
    () => opened.list({ unread: true }),
    ({ notifications }) => `${notifications.length}`,
  );
  await client.close();
  for (const end of ['stop', 'kill'] as const) {
    await step(
      `${end} and start`,
      async () => {
        await node[end]();
        await node.start();
      },
      () => 'serves',
    );
    client = open();
    await client.ready();
    const again = await read(`after a ${end}`);
    again.close();
    await client.close();
  }
} finally {
  await node.remove();
}
