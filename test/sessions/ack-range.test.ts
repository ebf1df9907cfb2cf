import { expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import { AckRange, type Accepted, type Reached } from '../../src/sessions/ack-range.js';

const writer = '0'.repeat(24) as WriterId;
const other = '1'.repeat(24) as WriterId;
const reached: Reached = { level: 'quorum', copies: 1 };
const first: Accepted = { requestId: 1, dot: { writer, seq: 5 }, timestamp: 100, duplicate: false };
const next: Accepted = { requestId: 2, dot: { writer, seq: 6 }, timestamp: 101, duplicate: false };

test('acks join while request id, seq and timestamp rise by one each', () => {
  const range = new AckRange();
  expect(range.extend(first, reached)).toBe(false);
  range.start(first, reached);
  expect(range.extend(next, { ...reached })).toBe(true);
  const { dot, timestamp } = first;
  const message = { type: 'ack', dot, timestamp, level: 'quorum', copies: 1, count: 2, duplicate: false };
  expect(range.take()).toEqual({ requestId: 1, message });
  expect([range.take(), range.isEmpty]).toEqual([undefined, true]);
});

test('an ack that does not follow, or repeats an older entry, stands alone', () => {
  const cases: [Accepted, Reached][] = [
    [{ ...next, requestId: 3 }, reached],
    [{ ...next, dot: { writer, seq: 7 } }, reached],
    [{ ...next, dot: { writer: other, seq: 6 } }, reached],
    [{ ...next, timestamp: 102 }, reached],
    [{ ...next, duplicate: true }, reached],
    [{ ...next, dot: undefined }, reached],
    [next, { level: 'owner', copies: 1 }],
    [next, { level: 'quorum', copies: 2 }],
  ];
  for (const [accepted, claim] of cases) {
    const range = new AckRange();
    range.start(first, reached);
    expect(range.extend(accepted, claim)).toBe(false);
  }
});
