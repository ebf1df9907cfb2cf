/** A node stood still, and others may have gone on without it. */
import { describe, expect, test } from 'vitest';
// First: it must be there before the code that it plants bugs in.
import { plant } from '../../simulations/replication/planting.js';
import type { WriterId } from '../../src/base/ids.js';
import { type Home, openingState, ownerOfThree, ref } from './cluster.js';

const above = { round: 5, writer: '88'.repeat(12) as WriterId };

/** An owner that has opened the channel. */
function owner(): Home {
  const home = ownerOfThree();
  home.replica.touch('i', ref, home.now);
  home.hear('b', openingState(home));
  home.said();
  return home;
}

function resume(home: Home, stalledMs: number): void {
  home.now += stalledMs;
  home.replica.resumed(stalledMs, home.now);
  home.drain();
}

const own = (home: Home) => ({ interval: 'i', claim: { round: 1, writer: home.writer } });
const stamping = (home: Home) => home.replica.stamping(ref, home.now).as;
const ready = (home: Home) => home.effects.filter(({ type }) => type === 'ready').length;

describe('an owner that stood still', () => {
  test('stamps again once another home says that the claim stands', () => {
    const home = owner();
    const before = ready(home);
    resume(home, 1_000);
    const asks = home.said().filter(({ type }) => type === 'ask');
    expect(asks).toEqual([
      { type: 'ask', claims: [own(home)] },
      { type: 'ask', claims: [own(home)] },
    ]);
    expect(stamping(home)).toBe('wait');
    expect(home.replica.releaseChannel(ref)).toBe(false);
    home.hear('b', { type: 'asked', answers: [own(home)] });
    expect(stamping(home)).toBe('owner');
    expect(ready(home)).toBe(before + 1);
  });

  test('learns that it was replaced before it stamps anything more', () => {
    const home = owner();
    resume(home, 1_000);
    expect(stamping(home)).toBe('wait');
    home.hear('b', { type: 'asked', answers: [{ ...own(home), promise: above }] });
    expect(home.effects).toContainEqual(expect.objectContaining({ type: 'claimLost' }));
    expect(stamping(home)).toBe('degraded');
  });

  test('stamps on at once where it does not ask (planted: pause-unheeded)', () => {
    const home = owner();
    plant('pause-unheeded');
    try {
      resume(home, 1_000);
    } finally {
      plant(undefined);
    }
    expect(stamping(home)).toBe('owner');
  });

  test('goes on after a while when nobody answers: losing contact costs no claim', () => {
    const home = owner();
    resume(home, 1_000);
    home.now += 150;
    home.replica.tick(home.now);
    home.drain();
    expect(stamping(home)).toBe('owner');
  });

  test('asks nobody after less than others take to notice', () => {
    const home = owner();
    resume(home, 499);
    expect(home.said()).toEqual([]);
    expect(stamping(home)).toBe('owner');
  });

  test('hears the acks that came meanwhile before it gives a publish up', () => {
    const home = owner();
    home.begin(true);
    home.finish();
    resume(home, 30_000);
    home.replica.tick(home.now);
    home.drain();
    expect(home.effects.some(({ type }) => type === 'outcome')).toBe(false);
    const channels = [{ ref, seq: 1 }];
    home.hear('b', { type: 'ack', interval: 'i', claim: own(home).claim, channels });
    expect(home.effects).toContainEqual(
      expect.objectContaining({ type: 'outcome', outcome: { type: 'acked', level: 'quorum', copies: 2 } }),
    );
  });
});
