/** What is kept of sessions, folded from any beginning of the log, with nodes that are behind it. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { FoldedEntry, Outcome } from '../../src/hubs/fold.js';
import {
  type KeepChange,
  KeptSessions,
  type SessionChange,
  encodeSessionChange,
} from '../../src/hubs/kept-sessions.js';

const idOf = (number: number): string => number.toString(16).padStart(24, '0');
const minute = 60_000;

function entryOf(change: SessionChange, unixMs: number): FoldedEntry {
  return { ...encodeSessionChange(change), unixMs, actor: undefined };
}

function keep(number: number, more: Partial<KeepChange> = {}): KeepChange {
  const [identity, subscriptions] = [{ user: '' }, [['lobby'] as const]];
  return {
    type: 'keep',
    id: idOf(number),
    epoch: 0,
    revision: 1,
    key: `k${number}`,
    last: 0,
    identity,
    subscriptions,
    ...more,
  };
}

class Folded {
  readonly fold = new KeptSessions();

  say(change: SessionChange, unixMs = 1_000_000_000): Outcome {
    return this.fold.apply(entryOf(change, unixMs));
  }
}

describe('what is kept of sessions', () => {
  test('is what was written last, by the node that has the session', () => {
    const { fold, ...folded } = new Folded();
    const say = (change: SessionChange) => Folded.prototype.say.call({ fold, ...folded }, change).isVoid;
    expect(say(keep(1))).toBe(false);
    expect(say(keep(1, { revision: 3, subscriptions: [['a'], ['b', '{"x":1}']] }))).toBe(false);
    expect(say(keep(1, { revision: 2 }))).toBe(true);
    expect(fold.find(idOf(1))?.subscriptions).toEqual([['a'], ['b', '{"x":1}']]);
    expect(say({ type: 'restore', id: idOf(1), used: 'wrong', next: 'n' })).toBe(true);
    expect(say({ type: 'restore', id: idOf(1), used: 'k1', next: 'n' })).toBe(false);
    expect(say({ type: 'restore', id: idOf(1), used: 'k1', next: 'm' })).toBe(true);
    expect(fold.takeRestored()).toEqual([idOf(1)]);
    // The node it was restored away from.
    expect(say(keep(1, { revision: 4 }))).toBe(true);
    expect(say({ type: 'end', id: idOf(1), epoch: 0 })).toBe(true);
    expect(say({ type: 'end', id: idOf(1), epoch: 1 })).toBe(false);
    expect(say(keep(1, { revision: 5 }))).toBe(true);
    expect(fold.find(idOf(1))).toBeUndefined();
  });

  test('is bounded, and freed in time', () => {
    const folded = new Folded();
    const nowMs = 1_000_000_000;
    const ada = { user: 'ada', provider: 'p' };
    for (let i = 0; i < limits.keptPerUserMax; i++)
      expect(folded.say(keep(i, { identity: ada }), nowMs).isVoid).toBe(false);
    expect(folded.say(keep(999, { identity: ada }), nowMs).isVoid).toBe(true);
    expect(folded.say(keep(1, { identity: ada, revision: 2 }), nowMs).isVoid).toBe(false);
    for (let i = 1_000; i < 1_000 + limits.keptAnonymousMax; i++) folded.say(keep(i), nowMs);
    expect(folded.say(keep(99_999), nowMs).isVoid).toBe(true);
    expect(folded.say(keep(99_999, { identity: { user: 'bob', provider: 'p' } }), nowMs).isVoid).toBe(false);
    folded.say({ type: 'end', id: idOf(1_000), epoch: 0 }, nowMs);
    expect(folded.say(keep(99_998), nowMs).isVoid).toBe(false);
    expect(folded.say(keep(100_000), nowMs + limits.sessionKeptMs).isVoid).toBe(false);
    expect(folded.fold.size).toBe(1);
  });

  test('does not come back by a node that has not heard for longer than anybody remembers', () => {
    const folded = new Folded();
    const nowMs = 1_000_000_000;
    folded.say(keep(1), nowMs);
    folded.say({ type: 'restore', id: idOf(1), used: 'k1', next: 'n' }, nowMs + 1);
    folded.say({ type: 'end', id: idOf(1), epoch: 1 }, nowMs + 2);
    const late = keep(1, { revision: 2, last: nowMs });
    for (const afterMs of [limits.sessionKeptMs - 1, limits.sessionKeptMs, 2 * limits.sessionKeptMs]) {
      expect(folded.say(late, nowMs + afterMs).isVoid).toBe(true);
      expect(new Folded().say(late, nowMs + afterMs).isVoid).toBe(afterMs >= limits.sessionKeptMs);
    }
  });

  test('goes on, though a node that is behind ends what it was before the log begins', () => {
    const nowMs = 1_000_000_000;
    const log: SessionChange[] = [
      keep(1),
      { type: 'restore', id: idOf(1), used: 'k1', next: 'n' },
      // Of the node that it was restored away from.
      { type: 'end', id: idOf(1), epoch: 0 },
      keep(1, { epoch: 1, key: 'n', last: nowMs }),
    ];
    for (const start of [0, 2]) {
      const folded = new Folded();
      for (const change of log.slice(start)) folded.say(change, nowMs + 1);
      expect([start, folded.fold.find(idOf(1))?.epoch]).toEqual([start, 1]);
      expect(folded.say({ type: 'end', id: idOf(1), epoch: 1 }).isVoid).toBe(false);
      // An end that comes late takes nothing of that back.
      folded.say({ type: 'end', id: idOf(1), epoch: 0 });
      expect(folded.say(keep(1, { epoch: 1, revision: 2, key: 'n', last: nowMs })).isVoid).toBe(true);
    }
  });

  test('that may have been used where entries are missing restores nothing', () => {
    const folded = new Folded();
    folded.say(keep(1));
    folded.fold.lacks();
    expect(folded.say({ type: 'restore', id: idOf(1), used: 'k1', next: 'n' }).isVoid).toBe(true);
    expect(folded.say(keep(1, { revision: 2, last: 1_000_000_000 })).isVoid).toBe(true);
    expect(folded.say(keep(2)).isVoid).toBe(false);
  });

  test('is nothing of what cannot be read', () => {
    const { fold } = new Folded();
    const payloads = ['', '{', 'null', '{"id":"x"}', '{"id":"000000000000000000000001","epoch":-1}'];
    for (const event of ['keep', 'restore', 'end', 'other', undefined]) {
      for (const text of payloads) {
        const payload = new TextEncoder().encode(text);
        expect(fold.apply({ event, payload, unixMs: 1, actor: undefined }).isVoid).toBe(true);
      }
    }
    const many = Array.from({ length: limits.keptSubscriptionsMax + 1 }, (_, i) => [`c${i}`] as const);
    expect(fold.apply(entryOf(keep(1, { subscriptions: many }), 1)).isVoid).toBe(true);
  });
});

/** A log as nodes write it that know it only up to some entry, for hours. */
function written(random: Random, length: number): FoldedEntry[] {
  const log: FoldedEntry[] = [];
  const nodes = Array.from({ length: 3 }, () => ({ fold: new KeptSessions(), read: 0, cutUntil: 0 }));
  const keys: { id: string; key: string }[] = [];
  let nowMs = 1_000_000_000;
  let made = 0;
  const below = (most: number): number => Math.floor(random.next() * most);
  for (let i = 0; i < length; i++) {
    nowMs += random.next() < 0.1 ? below(30 * minute) : below(minute);
    const node = nodes[below(3)]!;
    // Some hear nothing for hours, and say what they knew.
    if (random.next() < 0.05) node.cutUntil = i + below(120);
    const reads = i >= node.cutUntil ? log.length : node.read;
    while (node.read < Math.min(reads, log.length)) node.fold.apply(log[node.read++]!);
    const known = keys[Math.max(0, keys.length - 1 - below(40))];
    const session = known && node.fold.find(known.id);
    const what = random.next();
    let change: SessionChange;
    if (!known || what < 0.2) {
      change = keep(++made, { key: `key ${made}` });
      keys.push({ id: idOf(made), key: `key ${made}` });
    } else if (what < 0.5) {
      const next = `key ${++made}`;
      keys.push({ id: known.id, key: next });
      change = { type: 'restore', id: known.id, used: known.key, next };
    } else if (session && what < 0.9) {
      const { epoch, key, atMs: last } = session;
      change = keep(0, { id: session.id, epoch, key, last, revision: i + 1 });
    } else change = { type: 'end', id: known.id, epoch: session?.epoch ?? 0 };
    log.push(entryOf(change, nowMs));
  }
  return log;
}

test('a key restores at most once, whoever judges it from whatever beginning retention has left', () => {
  let restored = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const log = written(seededRandom(seed), 250);
    const took = new Map<string, Set<number>>();
    for (let start = 0; start < log.length; start += 5) {
      const fold = new KeptSessions();
      for (let i = start; i < log.length; i++) {
        const entry = log[i]!;
        const outcome = fold.apply(entry);
        // A node that began there has read all that was not trimmed when this was written.
        const isJudge = start === 0 || entry.unixMs - log[start]!.unixMs >= limits.sessionLogMs;
        if (entry.event !== 'restore' || outcome.isVoid || !isJudge) continue;
        const { used } = JSON.parse(new TextDecoder().decode(entry.payload)) as { used: string };
        took.set(used, (took.get(used) ?? new Set()).add(i));
        restored++;
      }
    }
    for (const [key, entries] of took) expect([seed, key, entries.size]).toEqual([seed, key, 1]);
  }
  expect(restored).toBeGreaterThan(1_000);
});
