/** The fold of notifications: against a plain one, with and without snapshots, begun anywhere; and the form of snapshots. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.js';
import type { WriterId } from '../../src/base/ids.js';
import { notificationLimits as limits } from '../../src/base/notification-limits.js';
import type { Content } from '../../src/log/entry.js';
import { timestampFromUnixMs } from '../../src/log/timestamp.js';
import { type InboxEntry, foldInbox, unknownIn } from '../../src/notifications/fold.js';
import { Inbox, type Item, emptyInbox } from '../../src/notifications/inbox.js';
import { readNotification } from '../../src/notifications/notification.js';
import { readReading } from '../../src/notifications/reading.js';
import { readInboxSnapshot, snapshotOfInbox } from '../../src/notifications/snapshot.js';

const writers = ['a', 'b', 'c'].map((letter) => letter.repeat(24) as WriterId);
const startMs = Date.UTC(2026, 0, 1);
const at = (ms: number): number => timestampFromUnixMs(startMs + ms);

function content(value: unknown): Content {
  return { payload: utf8(JSON.stringify(value)) };
}

interface Step {
  readonly kind: 'notification' | 'read' | 'merge' | 'trim';
  readonly writer: number;
  readonly ms: number;
  readonly expiresMs: number | undefined;
  readonly picks: readonly number[];
  readonly until: number | undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('notification', 'notification', 'notification', 'read', 'read', 'merge', 'trim'),
  writer: fc.nat(2),
  // Clocks of writers differ: the order is not that of time.
  ms: fc.nat(40),
  expiresMs: fc.option(fc.nat(200), { nil: undefined }),
  picks: fc.array(fc.nat(), { minLength: 1, maxLength: 5 }),
  until: fc.option(fc.nat(200), { nil: undefined }),
});

/** Entries as an order may have them. A trim removes a prefix of it. */
function entriesOf(steps: readonly Step[]): InboxEntry[] {
  const entries: InboxEntry[] = [];
  const seqs = [0, 0, 0];
  let ms = 0;
  for (const { kind, writer, ms: more, expiresMs, picks, until } of steps) {
    ms += more - 15;
    const dot = { writer: writers[writer]!, seq: ++seqs[writer]! };
    const place = { ...dot, kind, timestamp: at(Math.max(0, ms)) + entries.length };
    if (kind === 'notification') {
      const expiresAt = expiresMs === undefined ? undefined : startMs + expiresMs;
      entries.push({ ...place, content: content({ title: 't', expiresAt }) });
    } else if (kind === 'read') {
      const ids = picks.map((pick) => entries[pick % entries.length]).filter((each) => each !== undefined);
      const named = { ids: ids.map((id) => `${id.writer}-${id.seq}`) };
      entries.push({ ...place, content: content(until === undefined ? named : { until: startMs + until }) });
    } else if (kind === 'trim' && entries.length > 0) {
      const removed = entries.slice(0, (picks[0]! % entries.length) + 1);
      const floors = new Map(removed.map((entry) => [entry.writer, entry.seq]));
      entries.push({ ...place, trim: { through: removed.at(-1)!, floors, round: 1 } });
    } else entries.push({ ...place, kind: 'merge' });
  }
  return entries;
}

function foldAll(entries: readonly InboxEntry[], from: Inbox = emptyInbox): Inbox {
  return entries.reduce((inbox, entry) => foldInbox(inbox, entry), from);
}

/** Said once more, without any cleverness. */
function plainFold(entries: readonly InboxEntry[]): Item[] {
  let items: Item[] = [];
  for (const { kind, content: said, trim, timestamp, writer, seq } of entries) {
    const value = said && (JSON.parse(Buffer.from(said.payload).toString()) as Record<string, never>);
    if (kind === 'notification') {
      const expiresAt =
        value?.['expiresAt'] === undefined ? Infinity : timestampFromUnixMs(value['expiresAt']);
      items.push({ writer, seq, timestamp, expiresAt, state: 'unread' });
    }
    if (kind === 'read')
      items = items.map((item) => {
        const isMeant = value?.['until']
          ? item.timestamp < timestampFromUnixMs(value['until'] + 1)
          : ((value?.['ids'] ?? []) as string[]).includes(`${item.writer}-${item.seq}`);
        return isMeant && item.state === 'unread' ? { ...item, state: 'read' } : item;
      });
    if (trim) items = items.filter((item) => item.seq > (trim.floors.get(item.writer) ?? 0));
    items = items.map((item) => (item.expiresAt <= timestamp ? { ...item, state: 'expired' } : item));
  }
  return items;
}

function expectSame(inbox: Inbox, items: readonly Item[]): void {
  expect([...inbox]).toEqual(items);
  expect([...inbox.backward()]).toEqual([...items].reverse());
  expect(inbox.unread).toBe(items.filter(({ state }) => state === 'unread').length);
  expect(inbox.total).toBe(items.filter(({ state }) => state !== 'expired').length);
  const next = items.filter(({ state }) => state !== 'expired').map(({ expiresAt }) => expiresAt);
  expect(inbox.expiresAt).toBe(Math.min(Infinity, ...next));
  for (const item of items) expect(inbox.find(item)).toEqual(item);
}

const steps = fc.array(step, { minLength: 1, maxLength: 150 });

describe('the fold', () => {
  test('is what a plain one gives', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const entries = entriesOf(all);
        expectSame(foldAll(entries), plainFold(entries));
      }),
    );
  });

  test('is the same from any snapshot', () => {
    fc.assert(
      fc.property(steps, fc.nat(), (all, pick) => {
        const entries = entriesOf(all);
        const cut = pick % (entries.length + 1);
        const snapshot = readInboxSnapshot(snapshotOfInbox(foldAll(entries.slice(0, cut))));
        expect([...foldAll(entries.slice(cut), snapshot)]).toEqual([...foldAll(entries)]);
      }),
    );
  });

  test('may begin where retention left something', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const entries = entriesOf(all);
        const whole = foldAll(entries);
        for (const { trim } of entries) {
          if (!trim) continue;
          const isLeft = ({ writer, seq }: InboxEntry) => seq > (trim.floors.get(writer) ?? 0);
          expect([...foldAll(entries.filter(isLeft))]).toEqual([...whole]);
        }
      }),
    );
  });

  test('does not mark as read what the reader cannot have seen', () => {
    const [here, there] = [writers[0]!, writers[1]!];
    const notification = { kind: 'notification', content: content({ title: 't' }) } as const;
    const read = { kind: 'read', content: content({ until: startMs + 100 }) } as const;
    const entries: InboxEntry[] = [
      { ...notification, writer: here, seq: 1, timestamp: at(1) },
      { ...notification, writer: there, seq: 1, timestamp: at(2) },
    ];
    const inbox = foldAll(entries);
    const marking = { ...read, writer: here, seq: 2, timestamp: at(50) };
    expect(foldInbox(inbox, marking).unread).toBe(0);
    const after = foldInbox(inbox, marking, () => new Map([[here, 1]]));
    expect(Array.from(after, ({ state }) => state)).toEqual(['read', 'unread']);
  });

  test('counts the newest so many', () => {
    let inbox = emptyInbox;
    const writer = writers[0]!;
    for (let seq = 1; seq <= limits.notificationsCounted + 70; seq++)
      inbox = inbox.add({ writer, seq, timestamp: seq, expiresAt: Infinity, state: 'unread' });
    expect([inbox.unread, inbox.total, inbox.length]).toEqual(Array(3).fill(limits.notificationsCounted));
    expect([...inbox][0]).toMatchObject({ seq: 71 });
    expect(unknownIn(inbox, { type: 'ids', ids: [{ writer, seq: 71 }] })).toBeUndefined();
    expect(unknownIn(inbox, { type: 'ids', ids: [{ writer, seq: 70 }] })).toEqual({ writer, seq: 70 });
  });

  test('passes over what is no notification and no reading', () => {
    const place = { writer: writers[0]!, timestamp: at(1) };
    const entries: InboxEntry[] = [
      { ...place, seq: 1, kind: 'publish', content: content({ title: 't' }) },
      { ...place, seq: 2, kind: 'notification' },
      { ...place, seq: 3, kind: 'notification', content: { payload: utf8('nonsense') } },
      { ...place, seq: 4, kind: 'read', content: { payload: utf8('{"ids":["x"]}') } },
      { ...place, seq: 5, kind: 'read' },
      { ...place, seq: 6, kind: 'trim' },
    ];
    expect(foldAll(entries)).toBe(emptyInbox);
  });
});

describe('a snapshot', () => {
  const writer = writers[0]!;
  const inbox = Inbox.of([
    { writer, seq: 7, timestamp: 300, expiresAt: Infinity, state: 'read' },
    { writer: writers[1]!, seq: 1, timestamp: 200, expiresAt: 0, state: 'expired' },
    { writer, seq: 9, timestamp: 301, expiresAt: 70_000, state: 'unread' },
  ]);

  test('has its form for ever', () => {
    const { payload, headers } = snapshotOfInbox(inbox);
    expect(toHex(payload)).toBe(
      `02${writers[0]}${writers[1]}` + '03' + '0107ac0200' + '0601c80101' + '0009ad02f1a204',
    );
    expect(headers).toEqual(new Map([['fold', '1']]));
  });

  test('that is damaged, or of another fold, is none', () => {
    const whole = snapshotOfInbox(inbox);
    expect(readInboxSnapshot(whole)).toEqual(inbox);
    const { payload } = whole;
    const ofAnother = [new Map([['fold', '2']]), new Map<string, string>()];
    for (const headers of ofAnother) expect(readInboxSnapshot({ ...whole, headers })).toBeUndefined();
    for (let length = 0; length < payload.length; length++)
      expect(readInboxSnapshot({ ...whole, payload: payload.slice(0, length) })).toBeUndefined();
    const wrong = [
      Uint8Array.of(...payload, 0),
      Uint8Array.of(255, 255, 255, 255, 15),
      Uint8Array.of(0, 255, 255, 255, 255, 15),
      Uint8Array.of(0, 1, 0, 1, 1, 0),
    ];
    for (const each of wrong) expect(readInboxSnapshot({ ...whole, payload: each })).toBeUndefined();
  });

  test('of bytes that are anything does not throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (payload) => {
        const inbox = readInboxSnapshot({ payload, headers: new Map([['fold', '1']]) });
        expect(inbox?.length ?? 0).toBeLessThan(200);
        expect([readNotification(payload).ok, readReading(payload).ok]).toEqual([false, false]);
      }),
    );
  });
});
