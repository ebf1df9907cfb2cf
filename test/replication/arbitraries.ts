/** Random frames between nodes. */
import fc from 'fast-check';
import type { ChannelName, ChannelRef, HubName, StoreId, WriterId } from '../../src/base/ids.js';
import { floorWriter, trimmedCount } from '../../src/log/floors.js';
import type { Frame, PeerMessage, Statement } from '../../src/replication/messages.js';
import {
  type ComparedRange,
  type FoundItem,
  ringEnd,
  ringStart,
} from '../../src/replication/reconcile-messages.js';

const hex = (digits: number) =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: digits, maxLength: digits })
    .map((values) => values.map((value) => value.toString(16)).join(''));
const writer = hex(24).map((text) => text as WriterId);
const seq = fc
  .oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.maxSafeNat().map((value) => value + 1),
  )
  .filter((value) => value <= Number.MAX_SAFE_INTEGER);
const interval = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' });
export const claim = fc.record({ round: seq, writer });
const dot = fc.record({ writer, seq });
export const ref: fc.Arbitrary<ChannelRef> = fc.record({
  hub: fc.constantFrom('default', 'a').map((text) => text as HubName),
  channel: fc.constantFrom('room:1', '$users', 'x').map((text) => text as ChannelName),
});
const have = fc
  .uniqueArray(fc.tuple(writer, seq), { maxLength: 4, selector: ([key]) => key })
  .map((pairs) => new Map(pairs));
const trim = fc
  .record({
    through: dot,
    round: fc.maxSafeNat(),
    others: fc.uniqueArray(writer, { maxLength: 3 }),
    forced: fc.option(fc.record({ through: dot, end: seq }), { nil: undefined }),
  })
  .map(({ through, round, others, forced }) => {
    const floors = new Map(others.map((each, i) => [each, i + 1] as const));
    const all = new Map([...floors, [through.writer, through.seq] as const]);
    return { through, round, floors: all, ...(forced ? { forced } : {}) };
  })
  .filter(({ floors }) => Number.isSafeInteger(trimmedCount(floors)) && !floors.has(floorWriter));
const givenUp = fc.array(
  fc
    .tuple(writer, seq, seq)
    .map(([of, a, b]) => ({ writer: of, fromSeq: Math.min(a, b), toSeq: Math.max(a, b) })),
  { minLength: 1, maxLength: 3 },
);
const runs = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 3 });
const intervalClaims = fc.array(fc.record({ interval, claim }), { maxLength: 3 });
const optional = { requiredKeys: ['interval', 'claim'] } as const;

const storeId = hex(32).map((text) => text as StoreId);
const statement = fc.record(
  { storeId, commits: fc.maxSafeNat(), writer, other: writer, seal: hex(32) },
  { requiredKeys: ['storeId', 'commits', 'writer', 'seal'] },
) as fc.Arbitrary<Statement>;
const bound = fc.oneof(hex(16), hex(32));
const foundItem = fc
  .record(
    { difference: fc.constantFrom('lacking', 'only', 'heads', 'content', 'damaged'), id: hex(16), ref },
    { requiredKeys: ['difference', 'id'] },
  )
  .map((each) => each as FoundItem);
const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const rangeContent = fc.oneof(
  fixed(16).map((fingerprint) => ({ kind: 'sum' as const, fingerprint })),
  fc
    .integer({ min: 0, max: 3 })
    .chain((count) => fixed(24 * count))
    .map((items) => ({ kind: 'items' as const, items })),
  fc.array(foundItem, { maxLength: 3 }).map((found) => ({ kind: 'found' as const, found })),
);
/** Some follow one another, some do not. */
const ranges: fc.Arbitrary<ComparedRange[]> = fc
  .array(fc.tuple(fc.tuple(bound, fc.oneof(bound, fc.constant(ringEnd))), fc.boolean(), rangeContent), {
    maxLength: 4,
  })
  .map((parts) => {
    let previous = ringStart;
    return parts.flatMap(([bounds, follows, content]) => {
      const [low, to] = bounds.sort();
      const from = follows ? previous : low;
      if (from >= to) return [];
      previous = to;
      return [{ from, to, ...content }];
    });
  });

export const message: fc.Arbitrary<PeerMessage> = fc.oneof(
  intervalClaims.map((claims) => ({ type: 'ask' as const, claims })),
  fc
    .array(fc.record({ interval, claim, promise: claim }, { requiredKeys: [...optional.requiredKeys] }), {
      maxLength: 3,
    })
    .map((answers) => ({ type: 'asked' as const, answers: answers as never })),
  intervalClaims.map((claims) => ({ type: 'claim' as const, claims })),
  intervalClaims.map((claims) => ({ type: 'granted' as const, claims })),
  intervalClaims.map((promises) => ({ type: 'fenced' as const, promises })),
  fc.constant({ type: 'staleRing' as const }),
  fc
    .record(
      { interval, claim, ref, runs, committed: dot, trim, givenUp },
      { requiredKeys: ['interval', 'claim', 'ref', 'runs'] },
    )
    .map((fields) => ({ type: 'append' as const, ...fields }) as PeerMessage),
  fc
    .record({ interval, claim, channels: fc.array(fc.record({ ref, seq }), { maxLength: 3 }) })
    .map((fields) => ({ type: 'ack' as const, ...fields })),
  fc
    .record({ interval, ref, have, trim }, { requiredKeys: ['interval', 'ref', 'have'] })
    .map((fields) => ({ type: 'refused' as const, ...fields }) as PeerMessage),
  fc
    .record(
      { interval, ref, have, claim, trim, limited: fc.constant(true as const) },
      { requiredKeys: ['interval', 'ref', 'have'] },
    )
    .map((fields) => ({ type: 'pull' as const, ...fields }) as PeerMessage),
  fc
    .record(
      { interval, ref, have, runs, committed: dot, claim, trim, givenUp },
      { requiredKeys: ['interval', 'ref', 'have', 'runs'] },
    )
    .map((fields) => ({ type: 'state' as const, ...fields }) as PeerMessage),
  fc
    .record({ interval, session: fc.maxSafeNat() })
    .map((fields) => ({ type: 'recover' as const, ...fields })),
  fc
    .record({ interval, ref, session: fc.maxSafeNat(), wanted: have })
    .map((fields) => ({ type: 'find' as const, ...fields })),
  fc
    .record({ interval, ref, session: fc.maxSafeNat(), have, recovering: fc.boolean() })
    .map((fields) => ({ type: 'found' as const, ...fields })),
  fc
    .record({
      interval,
      ref,
      session: fc.maxSafeNat(),
      writer: hex(24).map((text) => text as WriterId),
      firstSeq: fc.integer({ min: 1, max: 2 ** 50 }),
      count: fc.integer({ min: 1, max: 2 ** 30 }),
    })
    .map((fields) => ({ type: 'mend' as const, ...fields })),
  fc
    .record({
      interval,
      ref,
      session: fc.maxSafeNat(),
      through: fc.maxSafeNat(),
      floor: fc.maxSafeNat(),
      recovering: fc.boolean(),
      runs,
    })
    .map((fields) => ({ type: 'mended' as const, ...fields })),
  fc
    .record(
      {
        interval,
        session: fc.maxSafeNat(),
        recovering: fc.boolean(),
        incoming: fc.constant(true),
        promise: claim,
        channels: fc.array(fc.record({ ref, have }), { maxLength: 3 }),
        part: fc.nat(3),
        parts: fc.integer({ min: 4, max: 9 }),
      },
      { requiredKeys: ['interval', 'session', 'recovering', 'channels', 'part', 'parts'] },
    )
    .map((fields) => ({ type: 'recovery' as const, ...fields }) as PeerMessage),
  fc
    .record(
      {
        session: fc.maxSafeNat(),
        store: storeId,
        after: fc.maxSafeNat(),
        others: fc.array(writer, { maxLength: 2 }),
      },
      { requiredKeys: ['session', 'after', 'others'] },
    )
    .map((fields) => ({ type: 'askArrived' as const, ...fields }) as PeerMessage),
  fc
    .record({
      session: fc.maxSafeNat(),
      after: fc.maxSafeNat(),
      through: fc.maxSafeNat(),
      more: fc.boolean(),
      unknown: fc.boolean(),
      channels: fc.array(fc.record({ ref, have }), { maxLength: 3 }),
      statement,
    })
    .map((fields) => ({ type: 'arrived' as const, ...fields })),
  statement.map((said) => ({ type: 'reminded' as const, statement: said })),
  fc
    .record({
      session: fc.maxSafeNat(),
      number: fc.nat(300),
      purpose: fc.constantFrom('mend' as const, 'learn' as const, 'prove' as const),
      ranges,
    })
    .map((fields) => ({ type: 'reconcile' as const, ...fields })),
  fc
    .record({
      session: fc.maxSafeNat(),
      number: fc.nat(300),
      isBusy: fc.boolean(),
      ranges,
      more: fc.nat(300),
      arrival: fc.maxSafeNat(),
    })
    .map((fields) => ({ type: 'reconciled' as const, ...fields })),
);

export const frame: fc.Arbitrary<Frame> = fc.record({
  storeId: hex(32).map((text) => text as StoreId),
  ringVersion: fc.maxSafeNat(),
  messages: fc.array(message, { maxLength: 4 }),
});
