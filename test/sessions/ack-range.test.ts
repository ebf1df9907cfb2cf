import { expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import { AckRange } from '../../src/sessions/ack-range.js';

const writer = '0'.repeat(24) as WriterId;

test('acks join while request id, seq and timestamp rise by one each', () => {
  const range = new AckRange();
  expect(range.extend(1, { writer, seq: 5 }, 100, 'quorum', 1, false)).toBe(false);
  range.start(1, { writer, seq: 5 }, 100, 'quorum', 1, false);
  expect(range.extend(2, { writer, seq: 6 }, 101, 'quorum', 1, false)).toBe(true);
  expect(range.take()).toEqual({
    requestId: 1,
    message: {
      type: 'ack',
      dot: { writer, seq: 5 },
      timestamp: 100,
      level: 'quorum',
      copies: 1,
      count: 2,
      duplicate: false,
    },
  });
  expect([range.take(), range.isEmpty]).toEqual([undefined, true]);
});

test('an ack that does not follow, or repeats an older entry, stands alone', () => {
  const other = '1'.repeat(24) as WriterId;
  const cases: Parameters<AckRange['extend']>[] = [
    [3, { writer, seq: 6 }, 101, 'quorum', 1, false],
    [2, { writer, seq: 7 }, 101, 'quorum', 1, false],
    [2, { writer: other, seq: 6 }, 101, 'quorum', 1, false],
    [2, { writer, seq: 6 }, 102, 'quorum', 1, false],
    [2, { writer, seq: 6 }, 101, 'owner', 1, false],
    [2, { writer, seq: 6 }, 101, 'quorum', 2, false],
    [2, { writer, seq: 6 }, 101, 'quorum', 1, true],
    [2, undefined, 101, 'memory', 1, false],
  ];
  for (const ack of cases) {
    const range = new AckRange();
    range.start(1, { writer, seq: 5 }, 100, 'quorum', 1, false);
    expect(range.extend(...ack)).toBe(false);
  }
});
