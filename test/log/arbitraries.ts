/** Random contents and entries. */
import fc from 'fast-check';
import { toHex } from '../../src/base/bytes.js';
import type { ChannelName, ChannelRef, Dot, HubName, WriterId } from '../../src/base/ids.js';
import { type Content, entryKinds } from '../../src/log/entry.js';
import type { RunEntry } from '../../src/log/run-writer.js';
import { encodeContent } from '../../src/log/content-wire.js';

/** Drops keys without a value, as the types of the log demand. */
function present<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

/** Well-formed text: a lone surrogate has no UTF-8. */
export const texts = (maxLength = 20) =>
  fc.oneof(
    fc.string({ minLength: 1, maxLength }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: maxLength / 4 }),
    fc.constant('\uFEFFbom'),
  );

export const writers = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((bytes) => toHex(bytes) as WriterId);
export const seqs = fc
  .oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.maxSafeInteger().map((n) => Math.abs(n) + 1),
  )
  .map((seq) => Math.min(seq, Number.MAX_SAFE_INTEGER - 100_000));
export const dotsOf: fc.Arbitrary<Dot> = fc.record({ writer: writers, seq: seqs });
export const refs: fc.Arbitrary<ChannelRef> = fc.record({
  hub: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/) as fc.Arbitrary<HubName>,
  channel: fc.stringMatching(
    /^\$?[A-Za-z0-9._~@+=-]{1,20}(:[A-Za-z0-9._~@+=-]{1,20}){0,3}$/,
  ) as fc.Arbitrary<ChannelName>,
});

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

export const contents: fc.Arbitrary<Content> = fc
  .record({
    event: optional(texts()),
    contentType: optional(texts()),
    payload: fc.uint8Array({ maxLength: 300 }),
    headers: optional(
      fc.array(fc.tuple(texts(), texts()), { minLength: 1, maxLength: 5 }).map((pairs) => new Map(pairs)),
    ),
    extras: optional(
      fc
        .record({
          store: optional(fc.boolean()),
          retain: optional(fc.boolean()),
          push: optional(fc.boolean()),
        })
        .map(present),
    ),
    signature: optional(fc.uint8Array({ minLength: 1, maxLength: 64 })),
  })
  .map((content) => present<Content>(content));

const kinds = fc.constantFrom(...entryKinds.filter((kind) => !['trim', 'gap', 'delete'].includes(kind)));

/** What a run may hold but for the timestamp. */
export const runEntries: fc.Arbitrary<Omit<RunEntry, 'timestamp'>> = fc
  .record({
    kind: fc.oneof(fc.constant('publish' as const), kinds),
    actor: optional(texts()),
    publisher: optional(
      fc.record({
        id: fc.oneof(fc.constant(''), texts()),
        epoch: fc.maxSafeInteger().map(Math.abs),
        seq: fc.oneof(seqs, fc.constant(0)),
      }),
    ),
    idempotencyKey: optional(texts()),
    parents: optional(fc.array(dotsOf, { minLength: 1, maxLength: 4 })),
    retain: optional(fc.constant(true)),
    push: optional(fc.constant(true)),
    createParents: optional(fc.constant(true)),
    content: optional(contents.map(encodeContent)),
    redacts: dotsOf,
  })
  .map(({ redacts, ...entry }) =>
    present<Omit<RunEntry, 'timestamp'>>(entry.kind === 'redact' ? { ...entry, redacts } : entry),
  );

/** Rising timestamps: mostly the next one, as a clock gives them out in a batch. */
export const timestampSteps = (length: number) =>
  fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 2 ** 40 })), {
    minLength: length,
    maxLength: length,
  });
