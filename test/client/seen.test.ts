import { describe, expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import { Seen } from '../../src/client/seen.js';
import type { Entry } from '../../src/log/entry.js';

const publish = (writer: string, seq: number, rest: Partial<Entry>): Entry => ({
  writer: writer as WriterId,
  seq,
  timestamp: seq,
  round: 0,
  kind: 'publish',
  checksum: 0,
  previous: 0,
  ...rest,
});
const numbered = (seq: number, id = 'alice') => ({
  publisher: { id, epoch: 1, seq },
  idempotencyKey: `${id}-${seq}`,
});

describe('a publish that two owners wrote', () => {
  test('surfaces once by the number of its publisher', () => {
    const seen = new Seen();
    expect(seen.add(publish('a', 1, numbered(1)))).toBe(true);
    expect(seen.add(publish('b', 1, numbered(1)))).toBe(false);
    expect(seen.add(publish('b', 2, numbered(2)))).toBe(true);
    expect(seen.add(publish('b', 3, numbered(1, 'bob')))).toBe(true);
  });

  test('surfaces once by its key where it has no number', () => {
    const unnumbered = (idempotencyKey: string, id = 'alice') => ({ ...numbered(0, id), idempotencyKey });
    const seen = new Seen();
    expect(seen.add(publish('a', 1, unnumbered('k')))).toBe(true);
    expect(seen.add(publish('a', 2, unnumbered('l')))).toBe(true);
    expect(seen.add(publish('b', 1, unnumbered('k')))).toBe(false);
    expect(seen.add(publish('b', 2, unnumbered('k', 'bob')))).toBe(true);
    expect(seen.add(publish('b', 3, { idempotencyKey: 'k' }))).toBe(true);
    expect(seen.add(publish('a', 3, { idempotencyKey: 'k' }))).toBe(false);
  });

  test('surfaces twice where nothing marks it', () => {
    const seen = new Seen();
    expect([seen.add(publish('a', 1, {})), seen.add(publish('b', 1, {}))]).toEqual([true, true]);
  });
});
