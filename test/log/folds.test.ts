/** What channels come to, on random histories of three homes: whatever order entries arrived in, whoever owned, and wherever each
 *  home took a snapshot, all have the same bytes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.js';
import { type Dot, dotText } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { type Fold, emptyFold, foldEntry } from '../../src/documents/fold.js';
import { readSnapshot, snapshotOf } from '../../src/documents/snapshot.js';
import { canonical } from '../../src/documents/value.js';
import type { Content, EntryKind } from '../../src/log/entry.js';
import { decodeContent, encodeContent } from '../../src/log/entry-wire.js';
import { foldInbox } from '../../src/notifications/fold.js';
import { type Inbox, emptyInbox } from '../../src/notifications/inbox.js';
import { readInboxSnapshot, snapshotOfInbox } from '../../src/notifications/snapshot.js';
import { History, type Home, type WrittenEntry } from './history.js';

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const runs = { numRuns: 20 };

interface Said {
  readonly kind: EntryKind;
  readonly content: Content;
}

/** Something for each entry, the same wherever it is. Some of it depends on what stands before. */
function saidIn(dot: Dot, of: 'document' | 'inbox', entries: readonly WrittenEntry[]): Said {
  const random = seededRandom(seedOf(dot));
  const upTo = (n: number): number => Math.floor(random.next() * n);
  const said = (kind: EntryKind, value: unknown): Said => ({
    kind,
    content: { payload: utf8(JSON.stringify(value)) },
  });
  if (of === 'inbox') {
    if (upTo(3) > 0) return said('notification', { title: dotText(dot) });
    return said('read', { ids: [dotText(entries[upTo(entries.length)]!)] });
  }
  const operations = [
    { op: 'add', path: `/${upTo(4)}`, value: dotText(dot) },
    { op: 'remove', path: `/${upTo(4)}` },
    { op: 'move', from: `/${upTo(4)}`, path: `/${upTo(4)}` },
    { op: 'splice', path: `/${upTo(4)}`, at: upTo(30), remove: upTo(3), insert: '😀' },
  ];
  return said('patch', [operations[upTo(4)], operations[upTo(4)]]);
}

function seedOf(dot: Dot): number {
  let seed = 7;
  for (const letter of dotText(dot)) seed = (seed * 31 + letter.charCodeAt(0)) % 2_147_483_647;
  return seed;
}

/** In the order that this home has. */
function* ordered({ log }: Home): Generator<Dot> {
  for (const { writer, firstSeq, count } of log.spans(0, log.endPosition))
    for (let i = 0; i < count; i++) yield { writer, seq: firstSeq + i };
}

/** Through a snapshot now and then, as it is stored. */
function folded<F>(
  home: Home,
  random: Random,
  step: (fold: F, dot: Dot) => F,
  stored: (fold: F) => F,
  empty: F,
): F {
  const often = random.next();
  let fold = empty;
  for (const dot of ordered(home)) {
    fold = step(fold, dot);
    if (random.next() < often) fold = stored(fold);
  }
  return fold;
}

function throughContent<F>(content: Content, read: (content: Content) => F | undefined): F {
  const decoded = decodeContent(encodeContent(content));
  if (!decoded.ok) throw new Error(decoded.error);
  return read(decoded.value)!;
}

test('a document is the same bytes at every home', () => {
  let effects = 0;
  let voids = 0;
  fc.assert(
    fc.property(seeds, (seed) => {
      const history = History.run(seed);
      const all = [...history.dag.values()];
      const random = seededRandom(seed);
      const step = (fold: Fold, dot: Dot): Fold => foldEntry(fold, saidIn(dot, 'document', all)).fold;
      const stored = (fold: Fold): Fold => throughContent(snapshotOf(fold), readSnapshot);
      const told = history.homes.map((home) => {
        const fold = folded(home, random, step, stored, emptyFold);
        return `${fold.version} ${fold.voids} ${canonical(fold.document)}`;
      });
      expect(new Set(told).size).toBe(1);
      const [version, void_] = told[0]!.split(' ').map(Number) as [number, number];
      effects += version;
      voids += void_;
    }),
    runs,
  );
  expect(Math.min(effects, voids)).toBeGreaterThan(0);
});

test('what is unread is the same bytes at every home', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const history = History.run(seed);
      const all = [...history.dag.values()];
      const random = seededRandom(seed);
      const step = (inbox: Inbox, dot: Dot): Inbox => {
        const { timestamp } = history.dag.get(dotText(dot))!;
        return foldInbox(inbox, { ...dot, timestamp, ...saidIn(dot, 'inbox', all) });
      };
      const stored = (inbox: Inbox): Inbox => throughContent(snapshotOfInbox(inbox), readInboxSnapshot);
      const told = history.homes.map((home) =>
        toHex(snapshotOfInbox(folded(home, random, step, stored, emptyInbox)).payload),
      );
      expect(new Set(told).size).toBe(1);
    }),
    runs,
  );
});
