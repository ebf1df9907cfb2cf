import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HybridClock } from '../../src/log/hybrid-clock.js';
import { PhysicalClock } from '../../src/log/physical-clock.js';
import {
  counterOf,
  epochUnixMs,
  parseTimestamp,
  timestampFromUnixMs,
  timestampMax,
  timestampText,
  unixMsOf,
} from '../../src/log/timestamp.js';

const t0 = epochUnixMs + 1_000_000;
const endless = Number.MAX_SAFE_INTEGER;

describe('a timestamp', () => {
  test('is milliseconds and a counter, and comes back from its text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: timestampMax }), (timestamp) => {
        expect(timestampFromUnixMs(unixMsOf(timestamp), counterOf(timestamp))).toBe(timestamp);
        expect(parseTimestamp(timestampText(timestamp))).toBe(timestamp);
      }),
    );
    expect(timestampText(timestampFromUnixMs(Date.parse('2026-11-21T06:47:50.123Z'), 17))).toBe(
      '2026-11-21T06:47:50.123Z+17',
    );
    expect(timestampFromUnixMs(t0 + 0.9)).toBe(timestampFromUnixMs(t0));
    expect(timestampFromUnixMs(0)).toBe(0);
    expect(new Date(unixMsOf(timestampMax)).getUTCFullYear()).toBe(2093);
  });

  test.each([
    '2026-11-21T06:47:50.123Z',
    '2026-11-21T06:47:50.123Z+4096',
    '2026-11-21T06:47:50.123Z+07',
    '2026-02-31T06:47:50.123Z+7',
    '2023-12-31T23:59:59.999Z+7',
    '9999-12-31T23:59:59.999Z+7',
    '2026-11-21 06:47:50.123Z+7',
    '',
  ])('is not read from %j', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });
});

describe('the hybrid clock', () => {
  const clockAt = (last: number, bound = endless) => new HybridClock({ last, bound, offsetMsMax: 500 });

  test('only rises, stays within a step of physical time, and runs over into milliseconds', () => {
    const steps = fc.array(
      fc.record({ advanceMs: fc.integer({ min: -50, max: 50 }), count: fc.constantFrom(1, 1, 7, 5000) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (moves) => {
        const clock = clockAt(0);
        let physicalMs = t0;
        let last = 0;
        for (const { advanceMs, count } of moves) {
          physicalMs += advanceMs;
          const first = clock.stamp(physicalMs, count);
          expect(first).toBe(Math.max(last + 1, timestampFromUnixMs(physicalMs)));
          last = first + count - 1;
          expect(clock.last).toBe(last);
        }
      }),
    );
    const clock = clockAt(0);
    clock.stamp(t0, 4096);
    const carried = clock.stamp(t0);
    expect([unixMsOf(carried), counterOf(carried)]).toEqual([t0 + 1, 0]);
  });

  test('follows readings of others up to the limit, and nothing beyond it', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), fc.nat(4095), (aheadMs, counter) => {
        const clock = clockAt(timestampFromUnixMs(t0));
        const reading = timestampFromUnixMs(t0 + aheadMs, counter);
        const limit = timestampFromUnixMs(t0) + 500 * 4096;
        const before = clock.last;
        expect(clock.receive(reading, t0)).toBe(reading > limit ? 'ahead' : 'merged');
        expect(clock.last).toBe(reading > limit ? before : Math.max(before, reading));
        expect(clock.stamp(t0)).toBeGreaterThan(clock.last - 1);
      }),
    );
  });

  test('never stamps above its bound, asks for a new one in time, and a restart is above all before', () => {
    const advances = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(advances, fc.integer({ min: -10_000, max: 10_000 }), (advancesMs, restartMs) => {
        const clock = clockAt(0, 0);
        let physicalMs = t0;
        let persisted = 0;
        for (const advanceMs of advancesMs) {
          physicalMs += advanceMs;
          const bound = clock.boundNeeded(physicalMs);
          const left = persisted - Math.max(clock.last, timestampFromUnixMs(physicalMs));
          expect(bound !== undefined).toBe(left <= 1000 * 4096);
          if (bound !== undefined) clock.raiseBound((persisted = bound));
          expect(clock.stamp(physicalMs)).toBeLessThanOrEqual(persisted);
          expect(clock.boundNeeded(physicalMs)).toBeUndefined();
        }
        const restarted = clockAt(persisted, persisted);
        const needed = restarted.boundNeeded(physicalMs + restartMs);
        if (needed !== undefined) restarted.raiseBound(needed);
        expect(restarted.stamp(physicalMs + restartMs)).toBeGreaterThan(clock.last);
      }),
    );
    expect(() => clockAt(0, 5).stamp(t0)).toThrow('persisted bound');
    const clock = clockAt(0, endless);
    clock.raiseBound(5);
    expect(clock.bound).toBe(endless);
  });

  test('asks for a bound that has room for a whole commit', () => {
    const clock = clockAt(0, 0);
    const count = 10_000_000;
    clock.raiseBound(clock.boundNeeded(t0, count)!);
    expect(clock.stamp(t0, count)).toBe(timestampFromUnixMs(t0));
  });
});

describe('physical time', () => {
  test('is the wall clock as long as that is steady, and never turns back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1000), fc.integer({ min: -90, max: 90 })), { maxLength: 50 }),
        (moves) => {
          const clock = new PhysicalClock(t0, 5);
          let monotonicMs = 5;
          let last = t0;
          for (const [elapsedMs, jitterMs] of moves) {
            monotonicMs += elapsedMs;
            const now = clock.read(t0 + monotonicMs - 5 + jitterMs, monotonicMs);
            expect(now - last).toBeGreaterThanOrEqual(elapsedMs * (1 - 501e-6) - 1e-3);
            expect(now - last).toBeLessThanOrEqual(elapsedMs * (1 + 501e-6) + 1e-3);
            last = now;
          }
          expect(clock.adoptedSteps).toBe(0);
        },
      ),
    );
  });

  test('slews half a millisecond a second towards a wall clock that differs a little', () => {
    const clock = new PhysicalClock(t0, 0);
    expect(clock.read(t0 + 10_000 + 60, 10_000)).toBeCloseTo(t0 + 10_000 + 5, 3);
    expect(clock.read(t0 + 200_000 + 60, 200_000)).toBeCloseTo(t0 + 200_060, 3);
  });

  test.each([
    ['forward', 21_600_000],
    ['back', -21_600_000],
  ])('of a node alone follows a step %s once it has persisted for two seconds', (_, stepMs) => {
    const clock = new PhysicalClock(t0, 0);
    expect(clock.read(t0 + 1000 + stepMs, 1000)).toBeCloseTo(t0 + 1000, 3);
    expect(clock.read(t0 + 2900 + stepMs, 2900)).toBeCloseTo(t0 + 2900, 3);
    expect(clock.read(t0 + 3000 + stepMs, 3000)).toBeCloseTo(t0 + 3000 + stepMs, 3);
    expect(clock.adoptedSteps).toBe(1);
  });

  test('does not follow a step that was taken back or changed meanwhile', () => {
    const clock = new PhysicalClock(t0, 0);
    clock.read(t0 + 1000 + 5000, 1000);
    clock.read(t0 + 2000, 2000);
    clock.read(t0 + 2500 + 5000, 2500);
    clock.read(t0 + 4000 + 9000, 4000);
    expect(clock.read(t0 + 5900 + 9000, 5900)).toBeCloseTo(t0 + 5900, 3);
    expect(clock.read(t0 + 6000 + 9000, 6000)).toBeCloseTo(t0 + 15_000, 3);
  });

  test('asks the others where there are any', () => {
    const asked: number[] = [];
    const agreeing = new PhysicalClock(t0, 0, (stepMs) => asked.push(Math.round(stepMs)) > 0);
    expect(agreeing.read(t0 + 1000 + 5000, 1000)).toBeCloseTo(t0 + 6000, 3);
    expect(asked).toEqual([5000]);
    const denying = new PhysicalClock(t0, 0, () => false);
    denying.read(t0 + 1000 + 5000, 1000);
    expect(denying.read(t0 + 9000 + 5000, 9000)).toBeCloseTo(t0 + 9000, 3);
  });
});
