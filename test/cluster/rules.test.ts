/** The small rules by themselves: precedence, suspicion arithmetic, local health, dissemination, routing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LocalHealth } from '../../src/cluster/local-health.js';
import { Member, type MemberState, type Statement, memberStates } from '../../src/cluster/member.js';
import { encodePacket, statementFieldLength } from '../../src/cluster/membership-wire.js';
import { News, transmitLimit } from '../../src/cluster/news.js';
import { lan, scaled, wan } from '../../src/cluster/parameters.js';
import { type Weight, weigh } from '../../src/cluster/precedence.js';
import { isReachable } from '../../src/cluster/routes.js';
import { Suspicion, suspicionBounds, suspicionTimeoutMs } from '../../src/cluster/suspicion.js';
import { a, accusation, alive, b, bootOf, c, d, e, left, nodeOf, statements } from './support.js';

describe('precedence', () => {
  const say = (state: MemberState, incarnation: number): Statement => {
    if (state === 'alive') return alive(b, incarnation);
    return state === 'left' ? left(b, incarnation) : accusation(state, b, c, incarnation);
  };

  // Said at the incarnation held, for what is held: alive, suspect, dead, left.
  const atSameIncarnation: Record<MemberState, readonly Weight[]> = {
    alive: ['ignored', 'ignored', 'ignored', 'ignored'],
    suspect: ['taken', 'confirms', 'ignored', 'ignored'],
    dead: ['taken', 'confirms', 'ignored', 'ignored'],
    left: ['taken', 'taken', 'taken', 'ignored'],
  };
  const table = memberStates.flatMap((said) =>
    memberStates.map((held, i) => [said, held, atSameIncarnation[said][i]!] as const),
  );

  test.each(table)('"%s" about one held as %s at the same incarnation is %s', (said, held, weight) => {
    const row = { state: held, incarnation: 5, profileIncarnation: 5, boot: bootOf('b') };
    expect(weigh(say(said, 5), row)).toBe(weight);
  });

  test.each(table)(
    '"%s" about one held as %s is taken at a higher, ignored at a lower incarnation',
    (said, held) => {
      const row = { state: held, incarnation: 5, profileIncarnation: 5, boot: bootOf('b') };
      expect(weigh(say(said, 6), row)).toBe('taken');
      expect(weigh(say(said, 4), row)).toBe('ignored');
    },
  );

  test('an accusation that came before what it is about leaves the profile to be caught up', () => {
    for (const state of memberStates) {
      const row = { state, incarnation: 5, profileIncarnation: 3, boot: bootOf('b') };
      expect([3, 4, 5].map((incarnation) => weigh(alive(b, incarnation), row))).toEqual([
        'ignored',
        'profile',
        'profile',
      ]);
    }
  });

  test('of two boots at one incarnation everybody chooses the same', () => {
    const row = { state: 'alive' as const, incarnation: 5, profileIncarnation: 5, boot: bootOf('b') };
    expect(weigh(alive(b, 5, { boot: bootOf('c') }), row)).toBe('taken');
    expect(weigh(alive(b, 5, { boot: bootOf('a') }), row)).toBe('ignored');
  });
});

describe('suspicion', () => {
  test.each([
    // members, shortest, longest, confirmations that count
    [2, 800, 4_800, 0],
    [3, 800, 4_800, 1],
    [4, 800, 4_800, 2],
    [100, 800, 4_800, 2],
    [1_000, 960, 5_760, 2],
    [10_000, 1_280, 7_680, 2],
  ])('among %i members lasts %i to %i ms, with %i confirmations', (members, minMs, maxMs, confirmations) => {
    const bounds = suspicionBounds(members, lan);
    expect(bounds.minMs).toBeCloseTo(minMs, 6);
    expect(bounds.maxMs).toBeCloseTo(maxMs, 6);
    expect(bounds.confirmations).toBe(confirmations);
  });

  test.each([
    [0, 0, 800],
    [0, 1, 4_800],
    [1, 1, 800],
    [0, 2, 4_800],
    [1, 2, 2_276],
    [2, 2, 800],
    [3, 2, 800],
  ])('with %i confirmations of %i lasts %i ms', (confirmations, wanted, timeoutMs) => {
    const bounds = { minMs: 800, maxMs: 4_800, confirmations: wanted, busyMs: 5_000, freshMs: 250 };
    expect(Math.round(suspicionTimeoutMs(confirmations, bounds))).toBe(timeoutMs);
  });

  test('counts each accuser once and none beyond the useful', () => {
    const suspicion = new Suspicion(b, 1_000, suspicionBounds(10, lan), lan);
    expect([b, c, c, d, e].map((accuser) => suspicion.accuse(accuser))).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
    expect(suspicion.accusers).toEqual([b, c, d]);
    expect(suspicion.deadline).toBe(1_800);
    suspicion.extend(300);
    expect(suspicion.deadline).toBe(2_100);
  });

  test.each([
    // When the process answered beside its loop, when the loop had last run, and when it is dead of that.
    [1_000, 900, 1_800],
    [1_500, 900, 2_300],
    [5_800, 900, 5_900],
    [9_000, 900, 5_900],
    [1_500, 1_250, 2_300],
    // It could have spoken.
    [1_500, 1_251, 1_800],
  ])('of one whose pulse came at %i, the loop having run at %i, is over at %i', (heardAt, ranAt, deadAt) => {
    const suspicion = new Suspicion(b, 1_000, suspicionBounds(2, lan), lan);
    suspicion.pulsed(ranAt, heardAt);
    expect(suspicion.deadline).toBe(deadAt);
    suspicion.extend(100);
    expect(suspicion.deadline).toBe(deadAt + 100);
  });
});

test('local health stays within 0 and its highest score', () => {
  const health = new LocalHealth(7);
  health.change(-1);
  expect(health.multiplier).toBe(1);
  for (let i = 0; i < 20; i++) health.change(1);
  expect([health.score, health.multiplier]).toEqual([7, 8]);
});

test('one factor scales all times and nothing else', () => {
  for (const preset of [lan, wan]) {
    const slow = scaled(preset, 10);
    for (const [key, value] of Object.entries(preset) as [keyof typeof lan, number][]) {
      expect([key, slow[key]]).toEqual([key, key.endsWith('Ms') ? value * 10 : value]);
    }
  }
});

describe('news', () => {
  test.each([
    [1, 4],
    [9, 4],
    [10, 8],
    [99, 8],
    [100, 12],
    [999, 12],
    [1_000, 16],
  ])('of a cluster of %i are told %i times', (members, times) => {
    expect(transmitLimit(members, 4)).toBe(times);
  });

  test('are told no more often than the limit, the least told first', () => {
    const news = new News();
    news.add(alive(b));
    expect(news.take(1_000, 3)).toEqual([alive(b)]);
    news.add(alive(c));
    expect(news.take(statementFieldLength(alive(c)), 3)).toEqual([alive(c)]);
    expect(news.take(1_000, 3)).toHaveLength(2);
    expect(news.take(1_000, 3)).toHaveLength(2);
    expect(news.take(1_000, 3)).toEqual([]);
    expect(news.waiting).toBe(0);
  });

  test('that are overruled are not told on', () => {
    const news = new News();
    news.add(accusation('suspect', b, c));
    news.add(accusation('suspect', b, d));
    news.replace(b, alive(b, 2));
    expect(news.waiting).toBe(1);
    expect(news.take(1_000, 4)).toEqual([alive(b, 2)]);
  });

  test('fill a packet up to its budget and never beyond', () => {
    fc.assert(
      fc.property(fc.array(statements, { maxLength: 30 }), fc.nat(1_400), (all, budget) => {
        const news = new News();
        for (const statement of all) news.add(statement);
        const taken = news.take(budget, 4);
        const bytes = taken.reduce((sum, statement) => sum + statementFieldLength(statement), 0);
        expect(bytes).toBeLessThanOrEqual(budget);
        const rest = all.filter((statement) => !taken.includes(statement));
        for (const statement of rest) expect(bytes + statementFieldLength(statement)).toBeGreaterThan(budget);
      }),
    );
  });

  test('take as many bytes as they say', () => {
    fc.assert(
      fc.property(statements, (statement) => {
        const packet = {
          from: a,
          boot: bootOf('a'),
          incarnation: 1,
          to: b,
          message: { type: 'gossip' },
        } as const;
        const [empty, full] = [[], [statement]].map((news) => encodePacket({ ...packet, news }).length);
        expect(full! - empty!).toBe(statementFieldLength(statement));
      }),
    );
  });
});

describe('a route', () => {
  const held = (changes: Partial<Member>, accusers = 0): Member => {
    const member = Object.assign(new Member(alive(b), 0), changes);
    if (accusers > 0) {
      member.state = 'suspect';
      member.suspicion = new Suspicion(nodeOf('0'), 1_000, suspicionBounds(10, lan), lan);
      if (accusers > 1) member.suspicion.accuse(nodeOf('1'));
    }
    return member;
  };

  test.each([
    ['of a member nobody accuses stays, even while its link fails', held({ linkFails: true }), true],
    ['of one accused once stays while our link works', held({}, 1), true],
    ['of one accused once goes when our link fails too', held({ linkFails: true }, 1), false],
    ['of one accused twice goes', held({}, 2), false],
    ['of one accused twice stays if it spoke to us since', held({ heardAt: 1_001 }, 2), true],
    ['does not come back by hearsay after our own probe failed', held({ probeFailed: true }), false],
    ['of the dead goes', held({ state: 'dead' }), false],
    ['of one who left goes', held({ state: 'left' }), false],
  ])('%s', (_, member, reachable) => {
    expect(isReachable(member)).toBe(reachable);
  });
});
