/** Random notifications and readings at random nodes, while nodes are cut off, die and come back: in the end every node lists
 *  and counts the same, it is what a plain reading of the log gives, and whoever is subscribed was told so. */
import { expect, test } from 'vitest';
import { plant } from '../../../simulations/replication/planting.js';
import type { Random } from '../../../src/base/random.js';
import { type Json, TestSession, admin, anonymous } from '../harness.js';
import type { ClusterWorld, TestNode } from './cluster-world.js';
import { drawCluster, pick, seedsOf, turmoil } from './turmoil.js';

const channel = 'notification:shared';
const seeds = seedsOf('NOTIFICATION_SEEDS');
/** Until an entry says that something has expired. */
const expiryLagMs = 5_000;

function connect(node: TestNode, principal = anonymous): TestSession {
  return new TestSession(node as never, { principal });
}

async function whole(node: TestNode, request: (cursor: object) => Json, name: string): Promise<Json[]> {
  const session = connect(node);
  const items: Json[] = [];
  for (let cursor: string | undefined, more = true; more;) {
    const answer = (await session.ask(request(cursor ? { cursor } : {})))[name];
    items.push(...(answer.entries ?? answer.notifications));
    ({ cursor, more } = answer);
  }
  return items;
}

const unixMs = (timestamp: number): number => Math.floor(timestamp / 4_096) + Date.UTC(2024, 0, 1);

/** From the raw log, by the words of the documentation. */
function plainly(entries: readonly Json[]): [id: string, state: string][] {
  const states = new Map<string, { state: string; entry: Json }>();
  const pasts = new Map<string, Map<string, number>>();
  for (const entry of entries) {
    const [writer, seq] = [entry.id.slice(0, 24), Number(entry.id.slice(25))];
    const past = new Map<string, number>();
    for (const id of [`${writer}-${seq - 1}`, ...(entry.parents ?? [])])
      for (const [each, through] of pasts.get(id) ?? [])
        past.set(each, Math.max(through, past.get(each) ?? 0));
    if (entry.kind === 'notification') states.set(entry.id, { state: 'unread', entry });
    for (const [id, item] of states) {
      const isSeen = Number(id.slice(25)) <= (past.get(id.slice(0, 24)) ?? 0);
      const isNamed =
        entry.kind === 'read' &&
        (entry.data.ids?.includes(id) || (entry.data.until >= unixMs(item.entry.timestamp) && isSeen));
      if (isNamed && item.state === 'unread') item.state = 'read';
      if (unixMs(entry.timestamp) >= (item.entry.data.expiresAt ?? Infinity)) item.state = 'expired';
    }
    pasts.set(entry.id, past.set(writer, seq));
  }
  return Array.from(states, ([id, { state }]) => [id, state]);
}

async function search(seed: number): Promise<void> {
  const drawn = await drawCluster(seed);
  const { random, ack, world } = drawn;
  const followers: { node: TestNode; session: TestSession }[] = [];
  for (const node of world.nodes) {
    const session = connect(node);
    expect((await session.subscribe(channel)).cursor).toBeDefined();
    followers.push({ node, session });
  }
  const known: string[] = [];
  const died = await turmoil(drawn, {
    sessions: followers.map(({ session }) => session),
    act: (node, step) => act(random, node, world, known, step),
    afterStep: () => {
      for (const { session } of followers)
        for (const { id, kind } of session.entries(channel)) if (kind === 'notification') known.push(id);
      known.splice(0, known.length - 20);
    },
  });
  await connect(world.nodes[0]!, admin).publish(channel, { title: 'end' }, { kind: 'notification' });
  await world.pass(expiryLagMs);
  const entries = await whole(
    world.nodes[1]!,
    (cursor) => ({ history: { channel, limit: 1_000, ...cursor } }),
    'history',
  );
  const expected = plainly(entries);
  const infos: Json[] = [];
  for (const node of world.nodes) {
    const listed = await whole(
      node,
      (cursor) => ({ notifications: { channel, forward: true, limit: 500, ...cursor } }),
      'notifications',
    );
    expect(listed.map(({ id, state }) => [id, state])).toEqual(expected);
    const isPast = ({ notification }: Json): boolean =>
      notification.expiresAt < world.clock.wallMs() - expiryLagMs;
    expect(listed.filter((each) => isPast(each) && each.state !== 'expired')).toEqual([]);
    infos.push((await connect(node).ask({ notifications: { channel, limit: 1 } })).notifications.info);
  }
  const [unread, counted] = ['unread', 'read'].map(
    (name) => expected.filter(([, state]) => state === name).length,
  );
  expect(infos[0]).toMatchObject({ unread, total: unread! + counted! });
  for (const info of infos) expect(info).toEqual(infos[0]);
  for (const { node, session } of followers) {
    if (died.has(node) || session.closed) continue;
    const told = session.messages.findLast((each) => each.notificationInfo).notificationInfo;
    expect(told).toMatchObject({ unread, total: infos[0].total });
  }
  if (process.env['NOTIFICATION_SEEDS'])
    console.log(JSON.stringify({ seed, ack, entries: entries.length, unread, total: infos[0].total }));
}

function act(random: Random, node: TestNode, world: ClusterWorld, known: readonly string[], i: number): void {
  const now = Math.floor(world.clock.wallMs());
  const chance = random.next();
  const send = (principal: typeof admin, publish: Json): void =>
    connect(node, principal).sendText(JSON.stringify({ requestId: 1, publish: { channel, ...publish } }));
  if (chance < 0.6) {
    const expiresAt = random.next() < 0.2 ? now + Math.floor(random.next() * 20_000) : undefined;
    const data = random.next() < 0.3 ? 'x'.repeat(30_000) : i;
    send(admin, { kind: 'notification', data: { title: `${i}`, data, expiresAt } });
  } else if (chance < 0.85 && known.length > 0)
    send(anonymous, { kind: 'read', data: { ids: [pick(random, known), pick(random, known)] } });
  else send(anonymous, { kind: 'read', data: { until: now - pick(random, [0, 0, 2_000]) } });
}

test.each(seeds)('seed %i', search);

/** With the seeds that show them; others do too. */
test.each([
  ['read-unseen', 1],
  ['expiry-unwritten', 1],
] as const)('the planted bug "%s" is found at seed %i', async (bug, seed) => {
  plant(bug);
  try {
    await expect(search(seed)).rejects.toThrow('expected');
  } finally {
    plant(undefined);
  }
});
