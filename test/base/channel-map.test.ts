import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChannelMap } from '../../src/base/channel-map.js';
import { type ChannelName, type ChannelRef, type HubName, channelKey } from '../../src/base/ids.js';

const ref = fc.record({
  hub: fc.constantFrom('a', 'b', 'a-b') as fc.Arbitrary<HubName>,
  channel: fc.constantFrom('x', 'y', 'b:x', '-b') as fc.Arbitrary<ChannelName>,
}) as fc.Arbitrary<ChannelRef>;

test('a channel map is what a map by hub and name together would be', () => {
  const step = fc.record({ ref, value: fc.option(fc.nat(9), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const map = new ChannelMap<number>();
      const twin = new Map<string, number>();
      for (const { ref, value } of steps) {
        if (value === undefined) {
          map.delete(ref);
          twin.delete(channelKey(ref));
        } else {
          map.set(ref, value);
          twin.set(channelKey(ref), value);
        }
        expect(map.get(ref)).toBe(twin.get(channelKey(ref)));
        expect(map.has(ref)).toBe(twin.has(channelKey(ref)));
      }
      expect(map.size).toBe(twin.size);
      const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
      expect(sorted(map.values())).toEqual(sorted(twin.values()));
    }),
  );
});
