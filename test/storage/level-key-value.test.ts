/** What LevelDB says of a failed write, as the store understands it. */
import { expect, test } from 'vitest';
import { withSystemCode } from '../../src/storage/level-key-value.js';

test('a full disk under the index is told by its code, as one under the segments is', () => {
  const full = new Error('IO error: /data/store/index/000003.log: No space left on device');
  expect(withSystemCode(full)).toMatchObject({ code: 'ENOSPC', message: full.message, cause: full });
  const other = new Error('IO error: /data/store/index/000003.log: Input/output error');
  expect(withSystemCode(other)).toBe(other);
});
