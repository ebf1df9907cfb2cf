/** Random changes of one document at random nodes, while nodes are cut off, die and come back: in the end all have one document,
 *  it is what a plain fold of the log gives, and whoever followed has it too. */
import { plant } from '../../../simulations/replication/planting.js';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Random } from '../../../src/base/random.js';
import { applyPatch } from '../../../src/documents/apply.js';
import { Fault } from '../../../src/documents/faults.js';
import { readJsonText } from '../../../src/documents/json-reader.js';
import { readPatch } from '../../../src/documents/patch.js';
import { type Json as Value, canonical } from '../../../src/documents/value.js';
import type { TestNode } from './cluster-world.js';
import { drawCluster, pick, seedsOf, turmoil } from './turmoil.js';
import { type Json, TestSession, anonymous } from '../harness.js';

const channel = 'doc:shared';
const seeds = seedsOf('DOCUMENT_SEEDS');

/** Changes that depend on each other: some apply only in one order. */
function someChange(random: Random, i: number): unknown[] {
  const at = Math.floor(random.next() * 4);
  return pick(random, [
    [{ op: 'add', path: '/list/0', value: i }],
    [{ op: 'add', path: '/names/big', value: `${i}`.repeat(20_000) }],
    [{ op: 'remove', path: `/list/${at}` }],
    [{ op: 'move', from: `/list/${at}`, path: '/list/0' }],
    [{ op: 'splice', path: '/text', at, remove: at, insert: `<${i}>` }],
    [{ op: 'add', path: `/names/${at}`, value: i }],
    [{ op: 'remove', path: `/names/${at}` }],
    [
      { op: 'test', path: `/names/${at}`, value: i - 1 },
      { op: 'add', path: '/seen', value: i },
    ],
  ]);
}

/** What a program makes of the frames it gets: patches, and what replaces its own. */
class Follower {
  readonly session: TestSession;
  #value: Value | undefined;
  #seen = 0;
  #isStale = false;
  rebases = 0;

  constructor(readonly node: TestNode) {
    this.session = new TestSession(node as never, { principal: anonymous });
  }

  async begin(): Promise<boolean> {
    const begun = await this.session.subscribe(channel);
    if (!begun.cursor) return false;
    const { document } = await this.session.ask({ documentGet: { channel, cursor: begun.cursor } });
    if (!document) return false;
    expect(document.hash).toBe(begun.document.hash);
    this.#value = valueOf(document.value);
    return true;
  }

  get document(): string {
    for (const { delivery, rebase } of this.session.messages.slice(this.#seen)) {
      if (rebase) {
        this.rebases++;
        this.#value = valueOf(rebase.value);
        this.#isStale = false;
      }
      for (const entry of delivery?.entries ?? []) {
        if (entry.kind !== 'patch') continue;
        this.#isStale ||= delivery.late === true;
        const patch = readPatch(JSON.stringify(entry.data));
        const next = patch instanceof Fault ? patch : applyPatch(this.#value!, patch);
        if (!(next instanceof Fault)) this.#value = next;
      }
    }
    this.#seen = this.session.messages.length;
    expect(this.#isStale).toBe(false);
    return canonical(this.#value!);
  }
}

/** For messages that can be read. */
function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function valueOf(json: unknown): Value {
  const value = readJsonText(JSON.stringify(json));
  if (value instanceof Fault) throw new Error(value.message);
  return value;
}

/** Of the raw log, snapshots passed over. */
function plainFold(entries: readonly Json[]): { document: string; version: number; voids: number } {
  let document: Value = valueOf({});
  let [version, voids] = [0, 0];
  for (const { kind, data } of entries) {
    if (kind !== 'patch') continue;
    const patch = readPatch(JSON.stringify(data));
    const next = patch instanceof Fault ? patch : applyPatch(document, patch);
    if (next instanceof Fault) voids++;
    else {
      document = next;
      version++;
    }
  }
  return { document: short(canonical(document)), version, voids };
}

async function wholeLog(session: TestSession): Promise<Json[]> {
  const entries: Json[] = [];
  for (let cursor: string | undefined, more = true; more;) {
    const { history } = await session.ask({
      history: { channel, limit: 1_000, ...(cursor ? { cursor } : {}) },
    });
    entries.push(...history.entries);
    ({ cursor, more } = history);
  }
  return entries;
}

async function search(seed: number): Promise<void> {
  const drawn = await drawCluster(seed);
  const { random, ack, world } = drawn;
  const sessions = new Map(
    world.nodes.map((node) => [node, new TestSession(node as never, { principal: anonymous })]),
  );
  await sessions
    .get(world.nodes[0]!)!
    .publish(channel, [{ op: 'replace', path: '', value: { list: [], names: {}, text: 'some text' } }], {
      kind: 'patch',
    });
  const followers: Follower[] = [];
  for (const node of world.nodes) {
    const follower = new Follower(node);
    if (await follower.begin()) followers.push(follower);
  }
  const died = await turmoil(drawn, {
    sessions: followers.map(({ session }) => session),
    act: (node, step) => {
      const session = new TestSession(node as never, { principal: anonymous });
      const publish = { channel, kind: 'patch', data: someChange(random, step) };
      session.sendText(JSON.stringify({ requestId: 1, publish }));
    },
  });
  const healed = new TestSession(world.nodes[0]! as never, { principal: anonymous });
  await healed.publish(channel, [{ op: 'add', path: '/end', value: true }], { kind: 'patch' });
  await world.pass(5_000);
  const states: Json[] = [];
  for (const node of world.nodes) {
    const session = new TestSession(node as never, { principal: anonymous });
    states.push((await session.ask({ documentGet: { channel } })).document);
    const [one, other] = [states.at(-1), states[0]].map(({ hash, version, voids, cursor }) => ({
      hash,
      version,
      voids,
      cursor,
    }));
    expect(one).toEqual(other);
  }
  const { version, voids, value } = states[0];
  const entries = await wholeLog(new TestSession(world.nodes[1]! as never, { principal: anonymous }));
  expect({ document: short(canonical(valueOf(value))), version, voids }).toEqual(plainFold(entries));
  for (const follower of followers) {
    if (died.has(follower.node) || follower.session.closed) continue;
    expect(short(follower.document)).toBe(short(canonical(valueOf(value))));
  }
  const seen = {
    voids,
    rebases: followers.reduce((sum, { rebases }) => sum + rebases, 0),
    snapshots: entries.filter(({ kind }: Json) => kind === 'snapshot').length,
  };
  if (process.env['DOCUMENT_SEEDS']) console.log(JSON.stringify({ seed, ack, version, ...seen }));
}

test.each(seeds)('seed %i', search);

/** With the seeds that show them; others do too. */
test.each([
  ['ahead-kept', 2],
  ['rebase-untold', 1],
] as const)('the planted bug "%s" is found at seed %i', async (bug, seed) => {
  plant(bug);
  try {
    await expect(search(seed)).rejects.toThrow('expected');
  } finally {
    plant(undefined);
  }
});
