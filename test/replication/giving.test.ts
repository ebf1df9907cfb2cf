/** Which reads for other homes can wait: those that nobody waits for but a home that catches up. */
import { expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import type { PeerMessage } from '../../src/replication/messages.js';
import { Home, nodeId, openingState, ownerOfThree, ref, runOf } from './cluster.js';

const other = '77'.repeat(12) as WriterId;
const nothing = new Map<WriterId, number>();

/** What is to be read, since the last time. */
function readsOf(home: Home) {
  return home.effects.splice(0).flatMap((effect) => (effect.type === 'read' ? [effect] : []));
}

function pulled(home: Home, from: string, terms: object = {}) {
  home.hear(from, { type: 'pull', interval: 'i', ref, have: nothing, ...terms } as PeerMessage);
  home.sync();
  return readsOf(home);
}

/** One that holds an entry and does not own the interval. */
function holder(): Home {
  const home = new Home('b', 'abc');
  home.replica.touch('i', ref, home.now);
  const have = new Map([[other, 1]]);
  home.hear('a', { type: 'state', interval: 'i', ref, have, runs: [runOf(other, 0, 1).bytes] });
  home.sync();
  home.effects.splice(0);
  home.said();
  return home;
}

test('what a home lacks can wait, and is read once however often it is asked for before', () => {
  const home = holder();
  const [first] = pulled(home, 'c');
  const [second] = pulled(home, 'c');
  expect(first?.catchUp).toBeDefined();
  expect(second?.catchUp).toBe(first!.catchUp);
  // Another home's, or of which the asker takes no more than a page.
  expect(pulled(home, 'a')[0]?.catchUp).not.toBe(first!.catchUp);
  expect(pulled(home, 'c', { limited: true })[0]?.catchUp).not.toBe(first!.catchUp);
  home.said();
  home.replica.loaded(first!.id, undefined, false, home.now);
  home.drain();
  expect(home.said()).toEqual([]);
  home.replica.loaded(second!.id, [], false, home.now);
  home.drain();
  expect(home.said()).toMatchObject([{ type: 'state', runs: [] }]);
});

test('what an owner asks for under its claim cannot wait', () => {
  const home = holder();
  const claim = { round: 3, writer: '61'.repeat(12) as WriterId };
  const [read] = pulled(home, 'a', { claim });
  expect(read).toBeDefined();
  expect(read).not.toHaveProperty('catchUp');
});

test('what an owner sends cannot wait while a publish does, and then it can', () => {
  const home = ownerOfThree();
  home.replica.touch('i', ref, home.now);
  home.hear('b', openingState(home));
  home.sync();
  home.begin(true);
  home.finish();
  home.effects.splice(0);
  home.replica.connected(nodeId('c'), home.now);
  const lacking = { type: 'state', interval: 'i', ref, have: nothing, runs: [] } as const;
  home.hear('c', lacking);
  const [live] = readsOf(home);
  expect(live).toBeDefined();
  expect(live).not.toHaveProperty('catchUp');
  home.replica.loaded(live!.id, [], true, home.now);
  const claim = { round: 1, writer: home.writer };
  home.hear('b', { type: 'ack', interval: 'i', claim, channels: [{ ref, seq: 1 }] });
  home.replica.disconnected(nodeId('c'), home.now);
  home.replica.connected(nodeId('c'), home.now);
  readsOf(home);
  home.hear('c', lacking);
  expect(readsOf(home)[0]?.catchUp).toBeDefined();
});
