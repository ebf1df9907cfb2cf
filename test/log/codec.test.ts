/** The state of a log from bytes that are not what was written. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8, writeFixed32 } from '../../src/base/bytes.js';
import { crc32 } from '../../src/base/crc32.js';
import { type ChannelName, channelKey } from '../../src/base/ids.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { History, ref } from './history.js';

const states = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.boolean())
  .map(([seed, trims]) => History.run(seed, { trims, steps: 30 }).homes[0]!.log.encode());

test('with any bit flipped, cut anywhere, or of another channel it is refused', () => {
  fc.assert(
    fc.property(states, fc.nat(), (bytes, where) => {
      expect(ChannelLog.decode(ref, bytes).ok).toBe(true);
      expect(ChannelLog.decode({ ...ref, channel: 'room:2' as ChannelName }, bytes).ok).toBe(false);
      expect(ChannelLog.decode(ref, bytes.subarray(0, where % bytes.length)).ok).toBe(false);
      const bit = where % (8 * bytes.length);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(ChannelLog.decode(ref, bytes).ok).toBe(false);
    }),
    { numRuns: 100 },
  );
});

test('with a right checksum over nonsense it is still an answer, not a crash', () => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(states, edits, (bytes, changes) => {
      for (const [at, value] of changes) bytes[1 + (at % (bytes.length - 5))] = value;
      const end = bytes.length - 4;
      writeFixed32(bytes, end, crc32(bytes, 0, end, crc32(utf8(channelKey(ref)))));
      const decoded = ChannelLog.decode(ref, bytes);
      expect(typeof decoded.ok).toBe('boolean');
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(ChannelLog.decode(ref, bytes).ok).toBe(false);
    }),
  );
});
