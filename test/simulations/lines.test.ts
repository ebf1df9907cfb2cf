/** What a client must know that it surfaced: what it is promised to know, and no more. */
import { expect, test } from 'vitest';
import { Lines } from '../../simulations/cluster/checkers/lines.js';
import { ClusterRecord } from '../../simulations/cluster/record.js';

test.each([
  ['of a publisher that numbers them is known for ever', true, 'known'],
  ['without a number may be forgotten behind 4,096 others', false, 'old'],
])('a line %s', (_, isNumbered, later) => {
  const record = new ClusterRecord();
  const details = {
    channel: 'room:1',
    publisher: 'p/1',
    level: 'quorum',
    degrade: false,
    sentMs: 0,
  } as const;
  for (let i = 0; i < 4_097; i++) record.publish({ ...details, isNumbered });
  const lines = new Lines(record);
  expect(lines.seen(1)).toBe('never');
  for (let line = 1; line <= 4_096; line++) lines.add(line);
  expect(lines.seen(1)).toBe('known');
  lines.add(4_097);
  expect(lines.seen(1)).toBe(later);
  lines.add(1);
  expect(lines.seen(1)).toBe('known');
});
