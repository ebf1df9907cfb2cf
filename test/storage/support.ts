/** Builds commits and stores for tests, on real and on simulated disks. */
import type { ChannelName, ChannelRef, HubName, WriterId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { Clock, Commit, LogStore, Observation, ReadResult } from '../../src/engine/ports.js';
import type { Trim } from '../../src/log/entry.js';
import { floorRun } from '../../src/log/floors.js';
import { encodeContent, iterateRecords } from '../../src/log/entry-wire.js';
import { type RunEntry, RunWriter } from '../../src/log/run-writer.js';
import type { LogStoreOptions } from '../../src/storage/log-store.js';

export function ref(channel: string, hub = 'default'): ChannelRef {
  return { hub: hub as HubName, channel: channel as ChannelName };
}

export function writerId(n: number): WriterId {
  return n.toString(16).padStart(24, '0') as WriterId;
}

export function content(text: string): Uint8Array {
  return encodeContent({ payload: new TextEncoder().encode(text) });
}

/** One writer as an engine would be: it stamps, numbers and chains. */
export class TestWriter {
  timestamp: number;
  readonly #runs = new RunWriter();
  readonly #heads = new Map<string, { seq: number; checksum: number }>();

  constructor(
    readonly store: LogStore,
    readonly id: WriterId,
    firstTimestamp = 1_000_000,
  ) {
    this.timestamp = firstTimestamp;
  }

  /** Adds entries to the commit being built. */
  async add(to: ChannelRef, ...entries: (string | Omit<RunEntry, 'timestamp'>)[]): Promise<void> {
    const log = await this.store.open(to);
    const key = `${to.hub}/${to.channel}`;
    const head = this.#heads.get(key) ?? { seq: 0, checksum: 0 };
    this.#runs.begin(to, this.id, 1, head.seq + 1, head.checksum);
    entries.forEach((entry, i) => {
      const base =
        typeof entry === 'string' ? ({ kind: 'publish', content: content(entry) } as const) : entry;
      const parents = head.seq === 0 && i === 0 ? log.parentsFor(this.id, true) : undefined;
      this.#runs.append({ ...(parents && { parents }), ...base, timestamp: (this.timestamp += 1) });
    });
    const { lastChecksum: checksum } = this.#runs;
    this.#runs.end();
    this.#heads.set(key, { seq: head.seq + entries.length, checksum });
  }

  /** Adds floors to the commit being built. */
  async raise(to: ChannelRef, trim: Trim): Promise<void> {
    await this.store.open(to);
    const { bytes, run } = floorRun(to, trim);
    this.#runs.add(bytes, run);
  }

  async commit(notes?: Record<string, Uint8Array>): Promise<{ number: number; firstArrival: number }> {
    const commit: Commit = {
      bytes: this.#runs.bytes(),
      runs: [...this.#runs.runs],
      ...(notes && { notes: new Map(Object.entries(notes)) }),
    };
    const receipt = await this.store.commit(commit);
    this.#runs.clear();
    return receipt;
  }

  async publish(to: ChannelRef, ...texts: string[]): Promise<void> {
    await this.add(to, ...texts);
    await this.commit();
  }
}

/** The seqs of what was read, by writer, and what was missing. */
export function seqsOf({ slices, missing }: ReadResult): { read: number[]; missing: number[] } {
  const read = slices.flatMap(({ records }) => [...iterateRecords(records)].map(({ seq }) => seq));
  const gone = missing.flatMap(({ fromSeq, toSeq }) =>
    Array.from({ length: toSeq - fromSeq + 1 }, (_, i) => fromSeq + i),
  );
  return { read, missing: gone };
}

export class Recorder {
  readonly seen: Observation[] = [];
  observe(observation: Observation): void {
    this.seen.push(observation);
  }
  of<T extends Observation['type']>(type: T): Extract<Observation, { type: T }>[] {
    return this.seen.filter((each): each is Extract<Observation, { type: T }> => each.type === type);
  }
}

export const realClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

export function baseOptions(directory: string, random: Random = seededRandom(7)) {
  return {
    directory,
    random,
    clock: realClock,
    soleHome: true,
    reserveBytes: 0,
  } satisfies Partial<LogStoreOptions>;
}
