/** The checkers of whole clusters themselves: a small record in which all is well, and every lie told once. A checker that
 *  cannot fail proves nothing. */
import { describe, expect, test } from 'vitest';
import { orderOf } from '../../simulations/cluster/checkers/channel-order.js';
import type { Evidence } from '../../simulations/cluster/checkers/evidence.js';
import { check, checkers } from '../../simulations/cluster/checkers/index.js';
import type { SeenFloors } from '../../simulations/cluster/archive.js';
import {
  type StoredEntry,
  type StoredTrim,
  digestText,
} from '../../simulations/cluster/checkers/store-log.js';
import type { RecordRange } from '../../simulations/checkers/record.js';
import type { RawDisk } from '../../simulations/cluster/raw-disks.js';
import {
  ClusterRecord,
  type EntryEvent,
  type Reader,
  type SeenDot,
} from '../../simulations/cluster/record.js';
import { deletionLies } from './deletion-lies.js';
import { redactionLies } from './redaction-lies.js';
import { foldLies } from './fold-lies.js';
import { forcedLies } from './forced-lies.js';
import { hubLies } from './hub-lies.js';

const channel = 'room:1';
const nodes = ['n1', 'n2', 'n3'];
const wallStartMs = Date.UTC(2025, 0, 1);
const stampAt = (ms: number): number => (wallStartMs + ms - 1_704_067_200_000) * 4_096;

interface Entry {
  writer: string;
  seq: number;
  round: number;
  line: number;
  atMs: number;
  parents: SeenDot[];
  /** Nodes on whose disks it is, and at what time. */
  on: Map<string, number>;
  timestamp: number;
  kind?: number;
  lost?: RecordRange;
  trim?: StoredTrim;
  redacts?: SeenDot;
  isRedacted?: true;
  /** Its disk once had it. */
  goneFrom?: string;
}

/** All that happened, to be changed by a test before it is made evidence. */
class Story {
  readonly record = new ClusterRecord();
  readonly entries: Entry[] = [];
  readonly strict = new Set<string>();
  readonly raised: SeenFloors[] = [];
  readonly again: string[] = [];
  /** By node. */
  readonly floors = new Map<string, ReadonlyMap<string, number>>();
  bufferedMost = 0;
  /** Nodes that got another disk, which holds what the lost one did. */
  readonly replaced: string[] = [];
  /** A node that tells another digest than its own. */
  liar: string | undefined;

  constructor() {
    this.#writer('a1', 'n1', 0);
    this.#writer('b1', 'n2', 1_000);
    for (let i = 1; i <= 3; i++) this.publish('a1', i, 1, i * 10);
    for (let i = 1; i <= 2; i++)
      this.publish('b1', i, 2, 2_000 + i * 10, i === 1 ? [{ writer: 'a1', seq: 3 }] : []);
    this.reader('r1', 'run');
    this.reader('restart n1', 'restart');
  }

  /** Acknowledged at quorum, and on all disks five milliseconds before. */
  publish(writer: string, seq: number, round: number, atMs: number, parents: SeenDot[] = []): Entry {
    const { record } = this;
    const details = { channel, publisher: 'p/1', level: 'quorum', degrade: false, sentMs: atMs - 5 } as const;
    const publish = record.publish(details);
    const dot = { writer, seq };
    Object.assign(publish, { outcome: 'acked', settledMs: atMs + 1, dot, reached: 'quorum', copies: 3 });
    const { line } = publish;
    const level = 'quorum' as const;
    record.acks.push({ atMs, node: 'n1', line, dot, level, copies: 3, duplicate: false, holders: [0, 1, 2] });
    record.stamped(channel, writer, round, atMs - 5);
    const on = new Map(nodes.map((node) => [node, atMs - 5]));
    const entry = { writer, seq, round, line, atMs, parents, on, timestamp: stampAt(atMs) };
    this.entries.push(entry);
    return entry;
  }

  #writer(writer: string, node: string, bornMs: number): void {
    const heard = new Map(nodes.filter((other) => other !== node).map((other) => [other, bornMs + 1]));
    this.record.writers.set(writer, { process: { node, bornMs, heard }, disk: nodes.indexOf(node) });
    this.record.starts.set(node, 1);
  }

  /** Gets everything there is, in its order. */
  reader(name: string, phase: Reader['phase']): Reader {
    const events = this.entries.map((entry) => eventOf(entry));
    const reader: Reader = { name, channel, start: 'beginning', phase, events };
    this.record.readers.push(reader);
    return reader;
  }

  get evidence(): Evidence {
    const withContent = this.entries.filter(({ line, isRedacted }) => line > 0 && !isRedacted);
    const contents = new Set(withContent.map(({ writer, seq }) => `${channel} ${writer}-${seq}`));
    const stores = nodes.map((node) => {
      return { node, contents, channels: new Map([[channel, this.#channelOn(node)]]) };
    });
    return {
      record: this.record,
      stores,
      digests: new Map(nodes.map((node) => [node, new Map([[channel, this.#digestOf(node)]])])),
      disks: [...nodes, ...this.replaced].map((node, number) => this.#disk(node, number)),
      homesOf: () => stores,
      orders: new Map([[channel, orderOf(stores[0]!.channels.get(channel)!)]]),
      raised: this.raised,
      again: this.again,
      lastOwn: new Set(),
      everAt: () => undefined,
      strict: this.strict,
      wallStartMs,
      isRingChanging: false,
      isTrimming: false,
      bufferedMost: this.bufferedMost,
    };
  }

  #channelOn(node: string) {
    const writers = new Map<string, StoredEntry[]>();
    for (const entry of this.entries) {
      const floor = this.floors.get(node)?.get(entry.writer) ?? 0;
      if (!entry.on.has(node) || entry.goneFrom === node || entry.seq <= floor) continue;
      const {
        writer,
        seq,
        round,
        line,
        parents,
        timestamp,
        kind = 0,
        lost,
        trim,
        redacts,
        isRedacted,
      } = entry;
      const own = writers.get(writer) ?? [];
      writers.set(writer, own);
      own.push({
        writer,
        seq,
        round,
        line,
        parents,
        timestamp,
        kind,
        lost,
        trim,
        redacts,
        ...(isRedacted ? { isRedacted } : {}),
        sum: seq,
        payloadSum: 0,
        hash: BigInt(seq),
      });
    }
    return { name: channel, writers, floors: this.floors.get(node) ?? new Map() };
  }

  #digestOf(node: string): string {
    const entries = [...this.#channelOn(node).writers.values()].flat();
    return digestText(entries.slice(node === this.liar ? 1 : 0).flatMap(({ hash }) => hash ?? []));
  }

  /** A disk as the followers of syncs would have it. */
  #disk(node: string, number: number): RawDisk {
    const on = (writer: string, seq: number): number | undefined =>
      this.entries.find((entry) => entry.writer === writer && entry.seq === seq)?.on.get(node);
    const { entries } = this;
    return {
      number,
      node,
      syncedAt: (_: string, writer: string, seq: number) => on(writer, seq),
      sumOf: (_: string, writer: string, seq: number) => on(writer, seq) && seq,
      *dots() {
        for (const { writer, seq, on: places } of entries)
          if (places.has(node)) yield [`default/${channel} ${writer}`, seq, seq] as const;
      },
    } as unknown as RawDisk;
  }

  get r1(): Reader {
    return this.record.readers[0]!;
  }

  entry(writer: string, seq: number): Entry {
    return this.entries.find((entry) => entry.writer === writer && entry.seq === seq)!;
  }
}

function eventOf({ writer, seq, line, atMs, timestamp }: Entry, late = false): EntryEvent {
  const dot = { writer, seq };
  return { type: 'entry', atMs: atMs + 2, dot, late, kind: 'publish', line, timestamp, crc: 0 };
}

/** The events at two places change them. */
function swap(reader: Reader, a: number, b: number): void {
  const { events } = reader;
  [events[a], events[b]] = [events[b]!, events[a]!];
}

const lies: readonly (readonly [checker: string, lie: string, tell: (story: Story) => void])[] = [
  ['I1 acked is kept', 'a home lacks what was acked', ({ entries }) => entries.at(-1)!.on.delete('n3')],
  ['I1 acked is kept', 'another line has the dot that was acked', (story) => (story.entry('b1', 2).line = 4)],
  ['I6 writers are whole', 'a hole', (story) => story.entry('a1', 2).on.delete('n2')],
  [
    'I6 writers are whole',
    'a later entry is older',
    (story) => (story.entry('a1', 3).timestamp = stampAt(15)),
  ],
  [
    'I3 delivered is stored',
    'a reader got what is nowhere',
    ({ r1, entries }) => void r1.events.push(eventOf({ ...entries[0]!, seq: 9, line: 0 })),
  ],
  [
    'I3 delivered is stored',
    'a reader got other content',
    ({ r1 }) => (r1.events[0] = { ...(r1.events[0] as EntryEvent), line: 3 }),
  ],
  ['I5 writers in order', 'a reader got a writer’s entries the other way round', ({ r1 }) => swap(r1, 0, 1)],
  ['I8 one order or late', 'two writers the other way round', ({ r1 }) => swap(r1, 2, 3)],
  ['I15 late is exact', 'behind its place without a mark', ({ r1 }) => swap(r1, 2, 3)],
  [
    'I15 late is exact',
    'in its place with a mark',
    ({ r1 }) => (r1.events[4] = { ...(r1.events[4] as EntryEvent), late: true }),
  ],
  [
    'I15 never late at quorum',
    'a mark where nothing can be late',
    (story) => {
      story.strict.add(channel);
      story.r1.events[4] = { ...(story.r1.events[4] as EntryEvent), late: true };
    },
  ],
  [
    'I9 claims see acks',
    'a later owner did not hear of an ack',
    (story) => (story.entry('b1', 1).parents = [{ writer: 'a1', seq: 2 }]),
  ],
  [
    'R4 one owner counts',
    'an ack counts after another owner stamped',
    (story) => {
      story.entry('b1', 1).parents = [{ writer: 'a1', seq: 2 }];
      const at = story.record.acks.findIndex(({ dot }) => dot?.writer === 'a1' && dot.seq === 3);
      story.record.acks[at] = { ...story.record.acks[at]!, atMs: 3_000 };
      // Only the fenced owner's own quorum has it.
      for (const { writer, on } of story.entries) if (writer === 'b1') on.set('n1', 4_000).set('n3', 4_000);
    },
  ],
  [
    'R36 no lonely claim',
    'an owner heard of nobody',
    ({ record }) => record.writers.get('b1')!.process.heard.clear(),
  ],
  [
    'I10 clocks rise',
    'a start goes back in time',
    (story) => {
      const process = { node: 'n1', bornMs: 3_000, heard: new Map([['n2', 3_001]]) };
      story.record.writers.set('a2', { process, disk: 0 });
      story.publish('a2', 1, 3, 3_100, [{ writer: 'b1', seq: 2 }]).timestamp = stampAt(25);
    },
  ],
  [
    'I10 clocks are bounded',
    'a timestamp from the future',
    (story) => (story.entry('b1', 2).timestamp = stampAt(3_600_000)),
  ],
  [
    'I11 restart reads the log',
    'a line is not there after the start',
    ({ record }) => void record.readers[1]!.events.pop(),
  ],
  [
    'I11 restart reads the log',
    'a line too many after the start',
    ({ record, entries }) => void record.readers[1]!.events.push(eventOf(entries[0]!)),
  ],
  ['I11 stores are equal', 'a home has less', ({ entries }) => entries.at(-1)!.on.delete('n2')],
  [
    'I11 every entry is placed',
    'an entry that nothing stands on',
    (story) => void story.publish('c1', 1, 0, 2_500),
  ],
  [
    'I18 own writes are read',
    'a last page ends before what its reader wrote',
    ({ record }) => {
      const events = record.readers[0]!.events.slice(0, 2);
      events.push({ type: 'page', atMs: 3_000, including: { writer: 'b1', seq: 2 }, more: false });
      record.readers.push({ ...record.readers[0]!, name: 'h1', phase: 'history', events });
    },
  ],
  [
    'I19 floors are trims',
    'floors that no trim of the order says',
    ({ raised }) => {
      const trim = { through: { writer: 'a1', seq: 1 }, floors: new Map([['a1', 1]]) };
      raised.push({ disk: 0, node: 'n1', channel, trim });
    },
  ],
  [
    'I19 floors are equal',
    'a home keeps what is trimmed elsewhere',
    ({ floors }) => void floors.set('n2', new Map([['a1', 1]])),
  ],
  [
    'I19 trimmed stays away',
    'what is trimmed comes to a disk again',
    ({ again }) => void again.push('a1-1 comes again'),
  ],
  ['I13 nothing skipped', 'a hole for a reader', ({ r1 }) => void r1.events.splice(1, 1)],
  [
    'I13 no needless gap',
    'a gap where nothing was lost',
    ({ r1 }) => void r1.events.push({ type: 'gap', atMs: 3_000, reason: 'lost', ranges: [] }),
  ],
  [
    'I13 no needless gap',
    'a gap of what is trimmed for who has it',
    ({ r1 }) => void r1.events.push({ type: 'gap', atMs: 3_000, reason: 'trimmed', ranges: [] }),
  ],
  [
    'I13 losses are told',
    'what a reader had is gone, and nobody says so',
    (story) => {
      story.record.lostDisks.set(7, 100);
      story.r1.events.splice(2, 0, eventOf({ ...story.entries[0]!, writer: 'd1', line: 9 }));
    },
  ],
  [
    'I20 nothing vanishes',
    'what a disk had is not in its store',
    ({ entries }) => void (entries.at(-1)!.goneFrom = 'n3'),
  ],
  [
    'I20 given up is nowhere',
    'an entry gives up what two disks have',
    (story) => {
      const lost = { writer: 'a1', fromSeq: 2, toSeq: 2 };
      Object.assign(story.publish('b1', 3, 2, 2_100), { kind: 8, lost });
    },
  ],
  [
    'I21 rot is not served',
    'a reader got other content than is stored',
    ({ r1 }) => void (r1.events[0] = { ...(r1.events[0] as EntryEvent), crc: 9 }),
  ],
  [
    'I21 damage is everywhere',
    'a reader was told of damage where disks have it',
    ({ r1 }) => {
      const ranges = [{ writer: 'a1', fromSeq: 1, toSeq: 1 }];
      r1.events.push({ type: 'gap', atMs: 3_000, reason: 'damaged', ranges });
    },
  ],
  ['I14 nothing twice', 'an entry again', ({ r1, entries }) => void r1.events.push(eventOf(entries[4]!))],
  [
    'I14 nothing twice',
    'a line again, under another dot',
    (story) => {
      const entry = story.publish('b1', 3, 2, 2_100);
      entry.line = 5;
      story.r1.events.push(eventOf(entry));
    },
  ],
  [
    'I16 retries count once',
    'a line is stored again by who had it',
    (story) => (story.entry('b1', 2).line = 1),
  ],
  [
    'I17 publishers in order',
    'lines of a publisher stand the other way round',
    (story) => ([story.entry('a1', 1).line, story.entry('a1', 2).line] = [2, 1]),
  ],
  [
    'I23 acks are honest',
    'more copies than disks',
    ({ record: { acks } }) => (acks[0] = { ...acks[0]!, copies: 4 }),
  ],
  [
    'I23 acks are honest',
    'quorum with one disk',
    ({ record: { acks } }) => (acks[0] = { ...acks[0]!, copies: 1, holders: [0] }),
  ],
  [
    'I23 acks are honest',
    'a lost disk and the one in its place count for two nodes',
    ({ record: { acks }, replaced }) => {
      replaced.push('n1');
      acks[0] = { ...acks[0]!, copies: 2, holders: [0, 3] };
    },
  ],
  [
    'I23 acks are honest',
    'less than was asked for',
    ({ record: { acks } }) => (acks[0] = { ...acks[0]!, level: 'owner' }),
  ],
  [
    'I23 acks are honest',
    'an ack of nothing',
    ({ record: { acks } }) => (acks[0] = { ...acks[0]!, dot: undefined }),
  ],
  [
    'I23 outcomes are true',
    'an application was told what no node said',
    ({ record }) => void record.acks.shift(),
  ],
  [
    'I23 rejected is nowhere',
    'what was rejected is stored',
    ({ record }) => (record.publishes[1]!.outcome = 'rejected'),
  ],
  ['I7 digests are true', 'a digest misses an entry', (story) => (story.liar = 'n2')],
  ...deletionLies(channel),
  ...redactionLies(channel),
  ...forcedLies(channel),
  ...foldLies,
  ...hubLies,
  ['I25 bounded queues', 'too much waits', (story) => (story.bufferedMost = 1 << 30)],
];

test('a record in which all is well has no findings', () => {
  expect(check(new Story().evidence)).toEqual([]);
});

describe('a lie is found, and by no other name once its checker is left out', () => {
  test.each(lies)('%s: %s', (checker, _, tell) => {
    const story = new Story();
    tell(story);
    const { evidence } = story;
    expect(check(evidence).map((finding) => finding.checker)).toContain(checker);
    const without = check(evidence, new Set([checker]));
    expect(without.map((finding) => finding.checker)).not.toContain(checker);
  });
});

test('every checker has its lie', () => {
  const told = new Set(lies.map(([checker]) => checker));
  // Two contents of one dot are a matter of bytes.
  expect(Object.keys(checkers).filter((name) => !told.has(name))).toEqual(['I4 dots are unique']);
});

test('what comes again after a loss is late where its reader still has what is behind it, and only there', () => {
  const b2 = eventOf(new Story().entry('b1', 2));
  const late = (event: Reader['events'][number]) => ({ ...(event as EntryEvent), late: true });
  const found = (again: (r1: Reader) => Reader['events']): string[] => {
    const story = new Story();
    // What only the lost head stood for comes again: a2 and a3 before b1, which it still has. It had no b2.
    story.r1.events.length = 4;
    const ranges = [{ writer: 'c1', fromSeq: 1, toSeq: 1 }];
    story.r1.events.push({ type: 'gap', atMs: 3_000, reason: 'lost', ranges }, ...again(story.r1));
    return check(story.evidence).map(({ checker }) => checker);
  };
  expect(found(({ events }) => events.slice(1, 3).map(late))).not.toContain('I15 late is exact');
  expect(found(({ events }) => events.slice(1, 3))).not.toContain('I15 late is exact');
  expect(found(({ events }) => events.slice(1, 3).reverse())).toContain('I15 late is exact');
  expect(found(() => [late(b2)])).toContain('I15 late is exact');
});

test('what a minority wrote may come late, and must say so', () => {
  const story = new Story();
  // Written alone at n3, had by the reader there, and merged behind the others.
  const alone = story.publish('c1', 1, 0, 500, [{ writer: 'a1', seq: 3 }]);
  const merge = story.publish('b1', 3, 2, 2_100, [
    { writer: 'b1', seq: 2 },
    { writer: 'c1', seq: 1 },
  ]);
  const lines = story.record.readers.map(({ events }) => events);
  for (const events of lines) events.push(eventOf(alone), eventOf(merge));
  const early = story.record.readers[0]!;
  const [moved] = early.events.splice(5, 1);
  early.events.splice(3, 0, moved!);
  const found = (): string[] => check(story.evidence).map(({ checker }) => checker);
  expect(found()).toContain('I15 late is exact');
  for (const at of [4, 5]) early.events[at] = { ...(early.events[at] as EntryEvent), late: true };
  expect(found()).not.toContain('I15 late is exact');
});
