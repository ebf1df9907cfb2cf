/** What the log says no home has any more is no part of what is made of the log, at a home that knows where it lay either. */
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { defaultRules } from '../../src/channels/rules.js';
import { ActiveChannel } from '../../src/engine/active-channel.js';
import type { Core } from '../../src/engine/core.js';
import { Documents } from '../../src/engine/documents/documents.js';
import { Notifications } from '../../src/engine/notifications/notifications.js';
import { notificationPage } from '../../src/engine/notifications/reading.js';
import type { Logs, RecordSlice } from '../../src/engine/ports.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import { type RunEntry, RunWriter } from '../../src/log/run-writer.js';

const [writer, owner] = ['1', '2'].map((digit) => digit.repeat(24) as WriterId) as [WriterId, WriterId];
const lost = { writer, fromSeq: 2, toSeq: 2 };
const hooks = {
  broken: () => {},
  failed: (error: unknown): never => {
    throw error;
  },
};

type Written = Omit<RunEntry, 'timestamp'>;

/** A home with entries of one writer, the second of which nobody can read, until an owner gives it up. */
class Home {
  readonly log: ChannelLog;
  readonly channel: ActiveChannel;
  readonly #slices: RecordSlice[] = [];

  constructor(
    ref: ChannelRef,
    entries: readonly Written[],
    readonly isFinder: boolean,
  ) {
    this.log = new ChannelLog(ref);
    for (const [i, entry] of entries.entries()) this.#write(writer, i + 1, entry);
    this.channel = new ActiveChannel(ref, defaultRules, 0);
    this.channel.loaded(this.log, owner);
    this.#commit(writer, entries.length);
  }

  givesUp(): void {
    this.#write(owner, 1, { kind: 'gap', lost, parents: [{ writer, seq: this.log.have(writer) }] });
    this.#commit(owner, 1);
  }

  get logs(): Logs {
    const read: Logs['read'] = (_, [range]) => {
      const isAsked = (seq: number) => seq >= range!.firstSeq && seq < range!.firstSeq + range!.count;
      const slices = this.#slices.filter(
        (slice) => slice.writer === range!.writer && isAsked(slice.firstSeq),
      );
      const missing = range!.writer === writer && isAsked(lost.fromSeq) ? [lost] : [];
      return Promise.resolve({ slices, missing });
    };
    return {
      read,
      seqsSince: () => Promise.resolve(new Map([writer, owner].map((each) => [each, 1]))),
    } as unknown as Logs;
  }

  #commit(of: WriterId, seq: number): void {
    this.log.commitThrough({ writer: of, seq });
  }

  #write(of: WriterId, seq: number, entry: Written): void {
    const runs = new RunWriter();
    runs.begin(this.log.ref, of, 1, seq, this.log.writer(of)?.lastChecksum ?? 0);
    runs.append({ timestamp: 1_000_000_000_000 + seq, ...entry });
    const run = runs.end();
    const isLost = of === writer && seq === lost.fromSeq;
    // Whoever never had it counts it as held by what it was told.
    if (isLost && !this.isFinder) return this.log.lose(lost);
    this.log.apply(run);
    const bytes = runs.bytes();
    const records = bytes.slice(bytes.length - run.recordBytes);
    if (!isLost) this.#slices.push({ writer: of, round: 1, firstSeq: seq, count: 1, records });
  }
}

const json = (value: unknown) =>
  encodeContent({ contentType: 'application/json', payload: utf8(JSON.stringify(value)) });

describe.each([
  ['knows where it lay', true],
  ['never had it', false],
])('a home that %s', (_, isFinder) => {
  test('folds a document without it', async () => {
    const ref = { hub: 'default', channel: 'doc:plan' } as ChannelRef;
    const patch = (path: string) =>
      ({ kind: 'patch', content: json([{ op: 'add', path, value: 1 }]) }) as const;
    const home = new Home(ref, [patch('/a'), patch('/b'), patch('/c')], isFinder);
    const hashing = { sha256: () => new Uint8Array(32) };
    const documents = new Documents(home.logs, owner, hashing, hooks);
    home.givesUp();
    expect((await documents.current(home.channel)).fold.version).toBe(2);
  });

  test('lists notifications without it', async () => {
    const ref = { hub: 'default', channel: 'notification:alerts' } as ChannelRef;
    const notice = (title: string) => ({ kind: 'notification', content: json({ title }) }) as const;
    const home = new Home(ref, [notice('a'), notice('b'), notice('c')], isFinder);
    const { logs, channel } = home;
    home.givesUp();
    const notifications = new Notifications(logs, owner, {} as never, hooks);
    const ordering = { fetch: () => Promise.resolve({ type: 'held' }), known: () => Promise.resolve() };
    const core = { notifications, logs, ordering } as unknown as Core;
    for (const unread of [true, false]) {
      const page = await notificationPage(core, channel, {
        type: 'notifications',
        channel: ref.channel,
        unread,
        forward: true,
      });
      expect(page).toMatchObject({ ok: true, value: { notifications: [{}, {}] } });
    }
  });
});

test('a home that knows where it lay waits for what is not given up', async () => {
  const ref = { hub: 'default', channel: 'doc:plan' } as ChannelRef;
  const patch = { kind: 'patch', content: json([{ op: 'add', path: '/a', value: 1 }]) } as const;
  const home = new Home(ref, [patch, patch], true);
  const documents = new Documents(home.logs, owner, { sha256: () => new Uint8Array(32) }, hooks);
  await expect(documents.current(home.channel)).rejects.toThrow('An entry cannot be read.');
});
