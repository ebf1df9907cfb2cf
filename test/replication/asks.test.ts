/** How much a home asks of another one at a time, and how often. */
import { describe, expect, test } from 'vitest';
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { askedChannelsMax } from '../../src/replication/asks.js';
import { homeSet } from '../../src/replication/quorum.js';
import { gathersMax } from '../../src/replication/recovering.js';
import { timing } from '../../src/replication/timing.js';
import { Window } from '../../src/replication/window.js';
import { Home, nodeId, ownerOfThree, ref, runOf } from './cluster.js';

const other = '77'.repeat(12) as WriterId;
const have = new Map([[other, 1]]);

describe('a window', () => {
  test('has room for few questions; what waits has its turn in its order', () => {
    const window = new Window<string>(2);
    for (const key of ['a', 'b']) expect(window.begin(key, key, 0, 100)).toBe(true);
    for (const key of ['c', 'd', 'c']) expect(window.begin(key, key, 0, 100)).toBe(false);
    expect(window.isWaitedFor).toBe(true);
    expect(window.next(99)).toBeUndefined();
    window.end('a');
    expect(window.next(99)).toBe('c');
    expect(window.begin('c', 'c', 99, 100)).toBe(true);
    expect(window.next(99)).toBeUndefined();
    // b was not answered by then.
    expect(window.next(100)).toBe('d');
    expect(window.isWaitedFor).toBe(false);
  });

  test('asks the same again only once it counts as lost, and at once where all is forgotten', () => {
    const window = new Window<string>(2);
    expect(window.begin('a', 'a', 0, 100)).toBe(true);
    expect(window.begin('a', 'a', 99, 100)).toBe(false);
    expect(window.isWaitedFor).toBe(false);
    expect(window.begin('a', 'a', 100, 100)).toBe(true);
    window.forgetAsked();
    expect(window.begin('a', 'a', 101, 100)).toBe(true);
  });
});

const many = askedChannelsMax + 10;
const refs = Array.from({ length: many }, (_, i) => ({ ...ref, channel: `c${i}` }) as ChannelRef);

function pullsOf(home: Home): string[] {
  home.drain();
  return home.said().flatMap((message) => (message.type === 'pull' ? [message.ref.channel] : []));
}

test('a home asks another of few channels at a time what it has, and of the next as it answers', () => {
  const home = new Home('a', 'ab');
  for (const each of refs) {
    home.replica.touch('i', each, home.now);
    home.replica.compare(each, nodeId('b'), home.now);
  }
  expect(pullsOf(home)).toHaveLength(askedChannelsMax);
  home.hear('b', { type: 'state', interval: 'i', ref: refs[3]!, have: new Map(), runs: [] });
  expect(pullsOf(home)).toEqual([refs[askedChannelsMax]!.channel]);
  // What is not answered makes room by and by, without anything that comes.
  home.now += timing.hedgeMs;
  expect(home.replica.nextDeadline()).toBeLessThanOrEqual(home.now);
  home.replica.tick(home.now);
  expect(pullsOf(home)).toEqual(refs.slice(askedChannelsMax + 1).map(({ channel }) => channel));
});

test('a home that does not answer is asked later and later, and at once when it is there again', () => {
  const home = new Home('a', 'ab');
  home.replica.touch('i', ref, home.now);
  const asked: number[] = [];
  for (const begun = home.now; home.now < begun + 20_000; home.now += 50) {
    home.replica.compare(ref, nodeId('b'), home.now);
    if (pullsOf(home).length > 0) asked.push(home.now - begun);
  }
  expect(asked).toEqual([0, 250, 750, 1_750, 3_750, 7_750, 11_750, 15_750, 19_750]);
  home.replica.disconnected(nodeId('b'), home.now);
  home.replica.connected(nodeId('b'), home.now);
  expect(pullsOf(home)).toHaveLength(1);
});

describe('a home that gathers', () => {
  test('asks another of few intervals at a time for all it holds, and of the next once it has that', () => {
    const home = new Home('a', 'ab');
    home.said();
    for (let i = 0; i < gathersMax + 5; i++)
      home.replica.addInterval(`k${i}`, [homeSet(['a', 'b'].map(nodeId))], 'recovering', home.now);
    home.sync();
    for (const effect of home.effects.splice(0))
      if (effect.type === 'list') home.replica.listed(effect.id, []);
    const questions = () => {
      home.replica.tick(home.now);
      home.drain();
      return home.said().flatMap((message) => (message.type === 'recover' ? [message] : []));
    };
    const first = questions();
    expect(first).toHaveLength(gathersMax);
    const { interval, session } = first[0]!;
    const whole = { recovering: false, part: 0, parts: 1 };
    const answer = { type: 'recovery', interval, session, ...whole } as const;
    home.hear('b', { ...answer, channels: [{ ref, have }] });
    // It does not have the channel yet.
    expect(questions()).toEqual([]);
    const second = first[1]!;
    home.hear('b', { ...answer, interval: second.interval, session: second.session, channels: [] });
    expect(home.said().filter(({ type }) => type === 'recover')).toHaveLength(1);
  });

  test('is answered once, however often it asks before that', () => {
    const home = new Home('a', 'ab');
    home.effects.splice(0);
    const ask = (session: number) => {
      home.hear('b', { type: 'recover', interval: 'i', session });
      home.sync();
      return home.effects.splice(0).flatMap((effect) => (effect.type === 'list' ? [effect.id] : []));
    };
    const [listing] = ask(1);
    expect(listing).toBeDefined();
    expect(ask(1)).toEqual([]);
    expect(ask(2)).toHaveLength(1);
    home.replica.listed(listing!, []);
    home.drain();
    expect(home.said().filter(({ type }) => type === 'recovery')).toHaveLength(1);
    expect(ask(1)).toHaveLength(1);
  });
});

test('an owner that has sent what others wrote asks at once what is held of it: no ack says so', () => {
  const home = ownerOfThree();
  const { bytes } = runOf(other, 0, 1);
  home.replica.touch('i', ref, home.now);
  const claim = { round: 1, writer: home.writer };
  home.hear('b', { type: 'state', interval: 'i', ref, have, runs: [bytes], claim });
  home.sync();
  home.replica.connected(nodeId('c'), home.now);
  home.drain();
  home.effects.splice(0);
  home.said();
  home.hear('c', { type: 'pull', interval: 'i', ref, have: new Map() });
  home.sync();
  const read = home.effects.find((effect) => effect.type === 'read');
  const slice = { writer: other, round: 0, firstSeq: 1, count: 1, records: bytes };
  home.replica.loaded(read!.id, [slice], false, home.now);
  home.drain();
  const said = home.said().map(({ type }) => type);
  expect(said.sort()).toEqual(['append', 'pull']);
});
