/** Documents held by several nodes: judged by who orders, the same for all, whatever parts them. */
import { plant } from '../../../simulations/replication/planting.js';
import { expect, test } from 'vitest';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { type Json, TestSession, anonymous } from '../harness.js';

const channel = 'doc:plan';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

function change(session: TestSession, patch: unknown, more: Json = {}): Promise<Json> {
  return session.publish(channel, patch, { kind: 'patch', ...more });
}

async function get(session: TestSession): Promise<Json> {
  return (await session.ask({ documentGet: { channel } })).document;
}

const add = (path: string, value: unknown) => [{ op: 'add', path, value }];

function rebases(session: TestSession): Json[] {
  return session.messages.flatMap(({ rebase }) => rebase ?? []);
}

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

test('a change at any node is judged where it is ordered, and read at any', async () => {
  const world = await ClusterWorld.start({ nodes: 5 });
  const sessions = world.nodes.map(connect);
  for (const [i, session] of sessions.entries()) {
    const { ack } = await change(session, add(`/n${i}`, i));
    expect(ack).toMatchObject({ level: 'quorum', version: i + 1 });
    const refused = await change(session, [...add('/x', 1), { op: 'test', path: '/n0', value: 7 }]);
    expect(refused.error).toMatchObject({ code: 'PATCH_FAILED', operation: 1, reason: 'test-failed' });
    const other = await change(session, add('/x', 1), { headers: { 'if-version': '0' } });
    expect(other.error).toMatchObject({ code: 'VERSION_MISMATCH' });
  }
  await world.pass(500);
  const states = [];
  for (const session of sessions) states.push(await get(session));
  expect(states[0]).toMatchObject({ version: 5, voids: 0, value: { n0: 0, n1: 1, n2: 2, n3: 3, n4: 4 } });
  for (const state of states) expect(state).toEqual(states[0]);
  expect(alarms(world)).toEqual([]);
});

test('the owner dies: the next one goes on from what it holds', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const first = await change(connect(world.nodes[0]!), add('/list', [1]));
  const owner = world.nodes.find((node) => first.ack.id.startsWith(node.engine.status().writer))!;
  owner.kill();
  await world.pass(3_000);
  const alive = world.nodes.filter((node) => node !== owner).map(connect);
  expect((await change(alive[0]!, add('/list/-', 2))).ack).toMatchObject({ level: 'quorum', version: 2 });
  expect((await change(alive[1]!, add('/list/-', 3))).ack).toMatchObject({ level: 'quorum', version: 3 });
  await world.run(owner.start(false));
  await world.pass(8_000);
  for (const session of [...alive, connect(owner)])
    expect(await get(session)).toMatchObject({ version: 3, value: { list: [1, 2, 3] } });
  expect((await change(connect(owner), add('/list/-', 4))).ack.version).toBe(4);
  expect(alarms(world)).toEqual([]);
});

test('the owner stops: what it knows is written down before another takes over', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  await world.pass(1_000);
  const first = await change(connect(world.nodes[0]!), add('/n', 0));
  const owner = world.nodes.find((node) => first.ack.id.startsWith(node.engine.status().writer))!;
  const session = connect(owner);
  for (let i = 1; i < 80; i++) expect(await change(session, add('/n', i))).toHaveProperty('ack');
  await world.run(owner.engine.stop());
  await world.pass(1_000);
  const other = connect(world.nodes.find((node) => node !== owner)!);
  const { history } = await other.ask({ history: { channel, limit: 1_000 } });
  const written = history.entries.findIndex(({ kind }: Json) => kind === 'snapshot');
  expect(history.entries[written]).toMatchObject({ data: { n: 79 }, headers: { version: '80' } });
  expect(history.entries.slice(0, written).filter(({ kind }: Json) => kind === 'patch')).toHaveLength(80);
  expect((await change(other, add('/n', 80))).ack).toMatchObject({ level: 'quorum', version: 81 });
  expect(alarms(world)).toEqual([]);
});

/** One node alone and two together change one document, and meet again. */
async function parted(ack: 'owner' | 'quorum') {
  const rules = { sets: { set: { ack } }, hubs: { default: { rules: 'set' } } };
  const world = await ClusterWorld.start({ nodes: 3, rules });
  const first = await change(connect(world.nodes[0]!), add('/list', ['a', 'b', 'c']));
  await world.pass(500);
  const owner = world.nodes.find((node) => first.ack.id.startsWith(node.engine.status().writer))!;
  const others = world.nodes.filter((node) => node !== owner);
  const [here, there] = [connect(owner), connect(others[0]!)];
  await here.subscribe(channel);
  await there.subscribe(channel);
  world.isolate(owner);
  await world.pass(3_000);
  const alone = [];
  for (const patch of [
    [{ op: 'remove', path: '/list/2' }],
    add('/here', 1),
    [{ op: 'test', path: '/list/1', value: 'b' }],
  ])
    alone.push((await change(here, patch)).ack);
  expect(alone.map(({ level, version }) => [level, version])).toEqual([
    ['owner', 2],
    ['owner', 3],
    ['owner', 4],
  ]);
  await change(there, [{ op: 'remove', path: '/list' }]);
  await change(there, add('/there', 2));
  world.mend();
  await world.pass(10_000);
  await change(there, add('/after', 3));
  await world.pass(3_000);
  const states = [];
  for (const node of world.nodes) states.push(await get(connect(node)));
  for (const state of states) expect(state).toEqual(states[0]);
  expect(states[0]).toMatchObject({ value: { after: 3, here: 1, there: 2 }, voids: 2 });
  expect([...(await world.digests(channel))]).toHaveLength(1);
  expect(alarms(world)).toEqual([]);
  return { world, owner, here, there };
}

test('both sides of a partition write: one document comes of it, and what is void is told with its reason', async () => {
  const { world, owner, here, there } = await parted('quorum');
  // What only one disk had was delivered to nobody before it was in the order.
  expect([...rebases(here), ...rebases(there)]).toEqual([]);
  const list = await world.run(owner.engine.documentChanges(anonymous, 'default', channel, {}));
  if (!list.ok) throw new Error(list.error.message);
  const voids = list.value.changes.filter(({ fault }) => fault);
  expect(voids.map(({ fault, patch }) => [fault?.code, patch])).toEqual([
    ['not-found', '[{"op":"remove","path":"/list/2"}]'],
    ['not-found', '[{"op":"test","path":"/list/1","value":"b"}]'],
  ]);
});

test('what a side of a partition called by the same number is not overwritten by who has that', async () => {
  const rules = { sets: { set: { ack: 'owner' as const } }, hubs: { default: { rules: 'set' } } };
  const world = await ClusterWorld.start({ nodes: 3, rules });
  const first = await change(connect(world.nodes[0]!), add('/n', 'first'));
  await world.pass(500);
  const owner = world.nodes.find((node) => first.ack.id.startsWith(node.engine.status().writer))!;
  const sides = [owner, world.nodes.find((node) => node !== owner)!].map(connect);
  world.isolate(owner);
  await world.pass(3_000);
  const had = [];
  for (const [i, side] of sides.entries()) {
    const { ack } = await change(side, add('/n', i), { headers: { 'if-version': '1' } });
    expect(ack.version).toBe(2);
    had.push(await get(side));
  }
  world.mend();
  await world.pass(10_000);
  const [now] = await Promise.all(world.nodes.map((node) => get(connect(node))));
  expect(now).toMatchObject({ version: 2, voids: 1 });
  const lost = had.find(({ hash }) => hash !== now.hash);
  const lasting = had.find(({ hash }) => hash === now.hash);
  const overwrite = (session: TestSession, { version, hash }: Json) =>
    change(session, add('/n', 'next'), {
      headers: { 'if-version': String(version), 'if-hash': hash.slice(0, 16) },
    });
  for (const node of world.nodes)
    expect((await overwrite(connect(node), lost)).error).toMatchObject({ code: 'VERSION_MISMATCH' });
  expect((await overwrite(sides[0]!, lasting)).ack.version).toBe(3);
  expect(alarms(world)).toEqual([]);
});

test('who was given patches in an order that is none is told what the document is, once, and goes on from there', async () => {
  const { here, there } = await parted('owner');
  expect(rebases(there)).toEqual([]);
  const told = rebases(here);
  expect(told).toHaveLength(1);
  const { cursor, value, hash } = told[0];
  const again = (await here.ask({ documentGet: { channel, cursor } })).document;
  expect(again).toMatchObject({ value, hash });
  const at = here.messages.findIndex(({ rebase }) => rebase);
  const later = here.messages.slice(at).flatMap(({ delivery }) => delivery?.entries ?? []);
  const patches = later.filter(({ kind }: Json) => kind === 'patch').map(({ data }: Json) => data);
  expect(value).toMatchObject({ here: 1, there: 2 });
  expect(patches).toEqual([add('/after', 3)]);
});

test('of a cursor that covers what is not in the order yet no document is told; then one that has all of it', async () => {
  const rules = { sets: { set: { ack: 'owner' as const } }, hubs: { default: { rules: 'set' } } };
  const world = await ClusterWorld.start({ nodes: 3, rules });
  const first = await change(connect(world.nodes[0]!), add('/list', []));
  await world.pass(500);
  const owner = world.nodes.find((node) => first.ack.id.startsWith(node.engine.status().writer))!;
  const here = connect(owner);
  await here.subscribe(channel);
  world.isolate(owner);
  await world.pass(3_000);
  await change(here, add('/list/-', 'here'));
  await world.pass(500);
  const { cursor, entries } = here.messages.flatMap(({ delivery }) => delivery ?? []).at(-1);
  expect(entries.at(-1).data).toEqual(add('/list/-', 'here'));
  const asked = { documentGet: { channel, cursor } };
  // Not the list of before: who applies what follows to that has none of its versions.
  expect((await connect(owner).ask(asked)).error).toMatchObject({ code: 'UNAVAILABLE' });
  await change(connect(world.nodes.find((node) => node !== owner)!), add('/list/-', 'there'));
  world.mend();
  await world.pass(10_000);
  await change(here, add('/list/-', 'after'));
  for (const node of world.nodes) {
    const { value, version } = (await connect(node).ask(asked)).document;
    expect({ value, version }).toEqual({ value: { list: ['there', 'here'] }, version: 3 });
  }
});

/** An owner that is cut off writes so much that it writes a snapshot too, which no other order has in that place. */
async function snapshotAside(): Promise<void> {
  const world = await ClusterWorld.start({ nodes: 3 });
  const first = await change(connect(world.nodes[0]!), add('/log', []));
  await world.pass(500);
  const owner = world.nodes.find((node) => first.ack.id.startsWith(node.engine.status().writer))!;
  const other = world.nodes.find((node) => node !== owner)!;
  world.isolate(owner);
  await world.pass(3_000);
  await change(connect(other), add('/there', true));
  const here = connect(owner);
  for (let i = 0; i < 12; i++) await change(here, add('/big', `${i}`.repeat(30_000).slice(0, 30_000)));
  world.mend();
  await world.pass(12_000);
  await change(connect(other), add('/end', true));
  await world.pass(3_000);
  const { history } = await connect(other).ask({ history: { channel, limit: 1_000 } });
  const kinds: string[] = history.entries.map(({ kind }: Json) => kind);
  expect(kinds).toContain('snapshot');
  const behind = { channel, limit: kinds.indexOf('snapshot') + 2 };
  const { cursor } = (await connect(other).ask({ history: behind })).history;
  // Nobody remembers what it was.
  for (const node of world.nodes) node.kill();
  await world.run(Promise.all(world.nodes.map((node) => node.start(false))));
  await world.pass(8_000);
  // Whoever asks first may be told to come back: what is committed is found out anew.
  for (const node of world.nodes) await get(connect(node));
  await world.pass(3_000);
  for (const node of world.nodes) {
    const then = (await connect(node).ask({ documentGet: { channel, cursor } })).document;
    expect({ ...then.value, big: then.value.big.length }).toEqual({ big: 30_000, log: [], there: true });
  }
  for (const node of world.nodes) {
    const { value, voids } = await get(connect(node));
    expect({ ...value, big: value.big.length, voids }).toEqual({
      big: 30_000,
      end: true,
      log: [],
      there: true,
      voids: 0,
    });
  }
}

test('a snapshot from the side that lost is passed over', snapshotAside);

test('a snapshot that is believed anywhere is found', async () => {
  plant('snapshot-anywhere');
  try {
    await expect(snapshotAside()).rejects.toThrow('expected');
  } finally {
    plant(undefined);
  }
});

test('a node whose own entries stand beside the head of its claim judges patches behind both', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
  await change(connect(a), add('/list', []));
  for (let i = 0; i < 6; i++) {
    const alone = world.nodes[i % 3]!;
    world.isolate(alone);
    await world.pass(2_500);
    const here = connect(alone);
    here.sendText(
      JSON.stringify({ publish: { channel, kind: 'patch', data: add('/list/-', `alone ${i}`) } }),
    );
    await world.pass(100);
    const there = connect(world.nodes[(i + 1) % 3]!);
    there.sendText(
      JSON.stringify({ publish: { channel, kind: 'patch', data: add('/list/-', `both ${i}`) } }),
    );
    await world.pass(400);
    // Who may merge it is gone as it comes back.
    const gone = world.nodes[(i + 2) % 3]!;
    gone.kill();
    world.mend();
    await world.pass(3_000);
    const again = connect(alone);
    const publish = { channel, kind: 'patch', data: add('/list/-', `after ${i}`) };
    const isTaken = () => again.messages.some(({ requestId, ack }) => requestId === 7 && ack);
    // How soon the two that are left own it again is not the matter here.
    for (let tries = 0; tries < 10 && !isTaken(); tries++) {
      again.sendText(JSON.stringify({ requestId: 7, publish }));
      await world.pass(1_000);
    }
    expect(isTaken()).toBe(true);
    await world.run(gone.start(false));
    await world.pass(7_000);
  }
  const states = [];
  for (const node of [a, b, c]) states.push(await get(connect(node)));
  for (const state of states) expect(state.hash).toBe(states[0].hash);
  for (let i = 0; i < 6; i++) expect(states[0].value.list).toContain(`after ${i}`);
});

test('a document that was trimmed is changed again after a restart, also by who asks at once', async () => {
  // What is behind the trim, the snapshot too, is not known to be committed then.
  const rules = { sets: { short: { retention: { maxCount: 1 } } }, hubs: { default: { rules: 'short' } } };
  const world = await ClusterWorld.start({ nodes: 1, rules, trimGraceMs: 1_000 });
  const session = connect(world.nodes[0]!);
  for (let i = 1; i <= 20; i++) {
    expect(await change(session, add('/n', i))).toHaveProperty('ack');
    await world.pass(1_500);
  }
  const { history } = await session.ask({ history: { channel, limit: 100 } });
  expect(history.entries[0].kind).toBe('snapshot');
  for (const node of world.nodes) node.kill();
  await world.run(Promise.all(world.nodes.map((node) => node.start(false))));
  const again = world.nodes.map(connect);
  let versions: unknown[] = [];
  for (let i = 0; i < 200 && !versions.includes(21); i++) {
    const answers = await Promise.all(again.map((each) => change(each, add('/n', 21))));
    versions = answers.map(({ ack }) => ack?.version);
    await world.pass(20);
  }
  expect(versions).toContain(21);
  await world.pass(1_000);
  for (const each of again) expect(await get(each)).toMatchObject({ value: { n: 21 } });
  expect(alarms(world)).toEqual([]);
});
