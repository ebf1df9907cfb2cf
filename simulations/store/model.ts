/** What the workload knows of what it wrote: the naive twin of the store. */
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { channelKey } from '../../src/base/ids.js';
import { floorWriter, trimmedCount } from '../../src/log/floors.js';
import type { Trim } from '../../src/log/entry.js';

/** `unknown`: its commit was not answered; it is there or not, all of the commit alike. */
export type State = 'acked' | 'unknown';

export interface ModelEntry {
  readonly seq: number;
  readonly timestamp: number;
  /** As it is served. */
  readonly record: Uint8Array;
  readonly key: string | undefined;
  readonly trim: Trim | undefined;
  /** What is to be nowhere once the entry is redacted. */
  readonly payload?: string;
  /** What it takes the content from. */
  readonly redacts?: Redacted | undefined;
  /** Some entry says so, or may. */
  redacted?: Redacted;
  /** Counts commits begun. */
  readonly commit: number;
  /** Of its claim. */
  readonly round: number;
  /** Those it was stored under, 0 where one is not known (yet). An index that is rebuilt may take the place an entry had
   *  before it was stored again, if it is whole there. */
  readonly arrivals: number[];
  state: State;
}

/** An entry whose content is to go. */
export interface Redacted {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly entry: ModelEntry;
  /** Those that say so. */
  readonly by: ModelEntry[];
  /** The store said that the content is off the disk. */
  isErased: boolean;
  /** What a crash left is neither form. */
  isTorn: boolean;
  /** Some of its content lies where nothing is written over: what goes with compaction. */
  isSpared: boolean;
}

export interface ModelChannel {
  readonly ref: ChannelRef;
  readonly writers: Map<WriterId, ModelEntry[]>;
}

/** What one commit added. */
export interface ModelCommit {
  readonly entries: readonly {
    readonly channel: ModelChannel;
    readonly writer: WriterId;
    readonly entry: ModelEntry;
  }[];
  readonly notes: ReadonlyMap<string, string>;
}

export class Model {
  readonly channels = new Map<string, ModelChannel>();
  readonly notes = new Map<string, string>();
  /** All values that a note was ever given. */
  readonly noted = new Map<string, Set<string>>();
  /** The commit that was not answered, of the process before. */
  unknown: ModelCommit | undefined;
  acked = 0;
  round = 0;
  /** The newest number given; `undefined` where a commit that stores something again was not answered. */
  lastArrival: number | undefined = 0;
  commits = 0;
  readonly redactions = new Set<Redacted>();

  channel(ref: ChannelRef): ModelChannel {
    const key = channelKey(ref);
    let channel = this.channels.get(key);
    if (!channel) this.channels.set(key, (channel = { ref, writers: new Map() }));
    return channel;
  }

  /** A commit is about to be made. */
  begin(commit: ModelCommit): void {
    for (const { channel, writer, entry } of commit.entries) {
      const entries = channel.writers.get(writer) ?? [];
      channel.writers.set(writer, entries);
      entries.push(entry);
      if (entry.redacts) this.#redact(entry.redacts, entry);
    }
    for (const [name, value] of commit.notes) {
      this.noted.set(name, (this.noted.get(name) ?? new Set()).add(value));
    }
    this.unknown = commit;
  }

  #redact(target: Redacted, by: ModelEntry): void {
    target.by.push(by);
    target.entry.redacted = target;
    this.redactions.add(target);
  }

  /** Nothing says so after all. */
  #unredact(target: Redacted, by: ModelEntry): void {
    target.by.splice(target.by.indexOf(by), 1);
    if (target.by.length > 0) return;
    delete target.entry.redacted;
    this.redactions.delete(target);
  }

  /** `again`: entries of it that were held before, behind the others. */
  ack(firstArrival: number, again: readonly ModelEntry[] = []): void {
    if (!this.unknown) throw new Error('no commit was begun');
    const { length } = this.unknown.entries;
    again.forEach((entry, i) => {
      entry.arrivals.splice(-1, 1, firstArrival + length + i);
    });
    this.lastArrival = firstArrival + length + again.length - 1;
    this.settle(true, firstArrival);
  }

  /** What became of the commit that was not answered. */
  settle(isThere: boolean, firstArrival?: number): void {
    const { entries, notes } = this.unknown ?? { entries: [], notes: new Map<string, string>() };
    this.unknown = undefined;
    if (isThere && firstArrival !== undefined && entries.length > 0)
      this.lastArrival = Math.max(this.lastArrival ?? 0, firstArrival + entries.length - 1);
    entries.forEach(({ channel, writer, entry }, i) => {
      if (isThere) {
        entry.state = 'acked';
        if (firstArrival !== undefined) entry.arrivals.splice(-1, 1, firstArrival + i);
        this.acked++;
      } else {
        const list = channel.writers.get(writer)!;
        list.splice(list.indexOf(entry), 1);
        if (entry.redacts) this.#unredact(entry.redacts, entry);
        if (list.length === 0) channel.writers.delete(writer);
      }
    });
    if (isThere) for (const [name, value] of notes) this.notes.set(name, value);
  }

  /** The highest floors of all trims that took effect. Of the runs that say so only the newest is kept. */
  floors(channel: ModelChannel): Map<WriterId, number> {
    const floors = new Map<WriterId, number>();
    for (const entries of channel.writers.values()) {
      for (const { trim, state } of entries) {
        if (!trim || state === 'unknown') continue;
        for (const [writer, floor] of trim.floors)
          floors.set(writer, Math.max(floor, floors.get(writer) ?? 0));
      }
    }
    const runs = channel.writers.get(floorWriter)?.filter(({ state }) => state !== 'unknown') ?? [];
    const newest = runs.at(-1);
    // Trims of entries raise them too.
    if (newest) floors.set(floorWriter, newest.seq < trimmedCount(floors) ? newest.seq : newest.seq - 1);
    return floors;
  }
}

/** Something that was promised does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export function mustHold(condition: unknown, what: string | (() => string)): asserts condition {
  if (!condition) throw new Violation(typeof what === 'string' ? what : what());
}
