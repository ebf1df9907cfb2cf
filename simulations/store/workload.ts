/** What a process does with its store: commits of entries in several channels by a writer of its own, with parents,
 *  trims, notes and keys, maintenance and reads between them. */
import type { ChannelName, ChannelRef, HubName, WriterId } from '../../src/base/ids.js';
import { toHex } from '../../src/base/bytes.js';
import type { Random } from '../../src/base/random.js';
import type { LogStore } from '../../src/engine/ports.js';
import { encodeContent, iterateRecords } from '../../src/log/entry-wire.js';
import { type RunEntry, RunWriter } from '../../src/log/run-writer.js';
import type { ChannelLog } from '../../src/log/channel-log.js';
import type { Trim, Vector } from '../../src/log/entry.js';
import { floorRun, floorWriter } from '../../src/log/floors.js';
import type { RunSummary } from '../../src/log/run.js';
import { timestampFromUnixMs } from '../../src/log/timestamp.js';
import { checkChannel } from './checks.js';
import { noteErased, placeHeads, someTarget } from './redactions.js';
import type { Damage } from './damage.js';
import { type Repair, repairedKeys, someRepair } from './repairs.js';
import type { Model, ModelCommit, ModelEntry } from './model.js';
import type { StoreWorld } from './world.js';

/** How often each thing happens, drawn once a seed: leaving things out finds more than always doing all. */
export interface Habits {
  readonly channels: number;
  readonly hubs: number;
  readonly trims: number;
  /** Entries that take the content from another. */
  readonly redactions: number;
  /** Floors raised by a run of their own: those of a trim, or ones that reach beyond what is held. */
  readonly floors: number;
  readonly notes: number;
  readonly keys: number;
  readonly maintenance: number;
  readonly reads: number;
  /** Commits that store something again. */
  readonly repairs: number;
  /** Steps of the wall clock beyond the window of idempotency keys. */
  readonly clockSteps: number;
  readonly payloadBytesMax: number;
  readonly runsMax: number;
}

interface Head {
  seq: number;
  checksum: number;
}

type Made = { readonly run: RunEntry } & Pick<ModelEntry, 'payload' | 'redacts'>;

export class Workload {
  readonly #world: StoreWorld;
  readonly #model: Model;
  readonly #habits: Habits;
  readonly #random: Random;
  readonly #runs = new RunWriter();
  readonly #heads = new Map<string, Head>();
  readonly #writer: WriterId;
  /** Of the claim that each process makes at its start. */
  readonly #round: number;
  #timestamp: number;

  constructor(
    readonly store: LogStore,
    world: StoreWorld,
    model: Model,
    habits: Habits,
    readonly damage: Damage,
  ) {
    this.#world = world;
    this.#model = model;
    this.#habits = habits;
    this.#random = world.random;
    this.#round = ++model.round;
    this.#writer = toHex(world.random.bytes(12)) as WriterId;
    this.#timestamp = timestampFromUnixMs(world.clock.wallMs());
  }

  /** Does so many things; rejects when the store fails. */
  async run(steps: number): Promise<void> {
    for (let i = 0; i < steps; i++) {
      const dice = this.#random.next();
      const { maintenance, reads, clockSteps } = this.#habits;
      if (this.#random.next() < clockSteps) this.#world.clock.stepWall(2_000_000);
      if (dice < maintenance) await this.#maintain();
      else if (dice < maintenance + reads) await this.#read();
      else await this.#commit();
    }
  }

  async #maintain(): Promise<void> {
    const { store } = this;
    const { extra, clock, disk, soleHome } = this.#world;
    const redacts = this.#habits.redactions > 0;
    // While something is written over: chance hardly ever gets there.
    if (redacts && extra.next() < 0.2) disk.dieWithin(1 + Math.floor(extra.next() * 12));
    if (redacts && !soleHome && extra.next() < 0.5) await placeHeads(store, this.#model);
    for (let left = 1 + this.#below(6); left > 0; left--) {
      await store.maintain(clock.wallMs());
      if (redacts) await noteErased(store, this.#world, this.#model);
    }
  }

  async #commit(): Promise<void> {
    const { runsMax, notes, repairs } = this.#habits;
    const opened: ChannelRef[] = [];
    const entries: ModelCommit['entries'][number][] = [];
    this.#runs.clear();
    this.#model.commits++;
    try {
      const channels = this.#random.next() < 0.05 ? 0 : 1 + Math.floor(this.#random.next() * runsMax);
      for (const ref of this.#someChannels(channels)) {
        await this.store.open(ref);
        opened.push(ref);
        entries.push(...(this.#addFloors(ref) ?? this.#addRun(ref)));
      }
      const noted = new Map<string, string>();
      if (this.#random.next() < notes || entries.length === 0)
        noted.set(`note${this.#below(3)}`, this.#text(40));
      const repair = this.#random.next() < repairs ? await this.#repair(opened) : undefined;
      const runs = [...this.#runs.runs];
      const again = repair && this.#runs.add(repair.bytes, repair.run);
      this.#model.begin({ entries, notes: noted });
      const receipt = await this.store.commit({
        bytes: this.#runs.bytes(),
        runs,
        ...(again && { repairs: [again] }),
        notes: new Map([...noted].map(([name, value]) => [name, new TextEncoder().encode(value)])),
      });
      this.#model.ack(receipt.firstArrival, repair?.entries);
      if (repair) this.damage.repaired(repairedKeys(repair));
    } finally {
      for (const ref of opened) this.store.release(ref);
    }
  }

  /** As a home does where a trim is committed, or where it was away: then all it holds is trimmed, and more. */
  #addFloors(ref: ChannelRef): ModelCommit['entries'][number][] | undefined {
    const log = this.store.peek(ref)!;
    const { firstPosition, endPosition } = log;
    if (log.isEmpty || this.#random.next() >= this.#habits.floors) return undefined;
    const position = firstPosition + this.#below(endPosition - firstPosition + 1);
    const held = new Map(log.writers().map(({ writer, seq }) => [writer, seq]));
    const trim = this.#random.next() < 0.5 ? log.trimAt(position) : this.#foreignTrim(held);
    if (!trim) return undefined;
    const { bytes, run } = floorRun(ref, trim);
    this.#runs.add(bytes, run);
    const record = bytes.slice(run.offset + run.headerBytes);
    const { firstSeq: seq } = run;
    const { commits: commit } = this.#model;
    const entry: ModelEntry = {
      seq,
      timestamp: 0,
      record,
      key: undefined,
      trim,
      commit,
      round: 0,
      arrivals: [0],
      state: 'unknown',
    };
    return [{ channel: this.#model.channel(ref), writer: floorWriter, entry }];
  }

  #foreignTrim(held: Vector): Trim {
    const through = { writer: toHex(this.#random.bytes(12)) as WriterId, seq: 1 + this.#below(50) };
    return { through, floors: new Map([...held, [through.writer, through.seq]]), round: this.#round - 1 };
  }

  /** Until the commit is answered nobody knows under which arrival numbers what follows is stored. */
  async #repair(opened: ChannelRef[]): Promise<Repair | undefined> {
    const repair = await someRepair(this.store, this.#model, this.#random);
    if (!repair) return undefined;
    await this.store.open(repair.ref);
    opened.push(repair.ref);
    for (const entry of repair.entries) entry.arrivals.push(0);
    this.#model.lastArrival = undefined;
    return repair;
  }

  #addRun(ref: ChannelRef): ModelCommit['entries'][number][] {
    const channel = this.#model.channel(ref);
    const log = this.store.peek(ref)!;
    const key = `${ref.hub}/${ref.channel}`;
    const head = this.#heads.get(key) ?? { seq: 0, checksum: 0 };
    this.#heads.set(key, head);
    this.#timestamp = Math.max(this.#timestamp + 1, timestampFromUnixMs(this.#world.clock.wallMs()));
    this.#runs.begin(ref, this.#writer, this.#round, head.seq + 1, head.checksum);
    const made: Made[] = [];
    const count = 1 + this.#below(4);
    for (let i = 0; i < count; i++) {
      const parents = i === 0 && opens(log, head.seq) ? log.parentsFor(this.#writer, true) : undefined;
      const entry = this.#entry(log, i === count - 1, parents);
      made.push(entry);
      this.#runs.append(entry.run);
      this.#timestamp += 1 + this.#below(3);
    }
    const { lastChecksum } = this.#runs;
    const summary = this.#runs.end();
    const records = this.#recordsOf(summary);
    const entries = made.map(({ run: { timestamp, trim, idempotencyKey }, ...said }, i): ModelEntry => ({
      ...said,
      seq: head.seq + 1 + i,
      timestamp,
      record: records[i]!,
      key: idempotencyKey,
      trim,
      commit: this.#model.commits,
      round: this.#round,
      arrivals: [0],
      state: 'unknown',
    }));
    head.seq += count;
    head.checksum = lastChecksum;
    return entries.map((entry) => ({ channel, writer: this.#writer, entry }));
  }

  #entry(
    log: NonNullable<ReturnType<LogStore['peek']>>,
    mayTrim: boolean,
    parents: RunEntry['parents'],
  ): Made {
    const { trims, redactions, keys, payloadBytesMax } = this.#habits;
    const timestamp = this.#timestamp;
    const carried = parents ? { parents } : {};
    if (mayTrim && this.#random.next() < trims) {
      const { firstPosition, endPosition } = log;
      const trim = log.trimAt(firstPosition + this.#below(endPosition - firstPosition + 1));
      if (trim) return { run: { timestamp, kind: 'trim', trim, ...carried } };
    }
    if (mayTrim && redactions > 0 && this.#world.extra.next() < redactions) {
      const redacts = someTarget(log, this.#model, this.#world.extra);
      if (redacts) {
        const { writer, entry } = redacts;
        return {
          run: { timestamp, kind: 'redact', redacts: { writer, seq: entry.seq }, ...carried },
          redacts,
        };
      }
    }
    const payload = this.#text(1 + this.#below(payloadBytesMax));
    const content = encodeContent({ payload: new TextEncoder().encode(payload) });
    const key = this.#random.next() < keys ? { idempotencyKey: `key${this.#text(12)}` } : {};
    return { run: { timestamp, kind: 'publish', content, ...key, ...carried }, payload };
  }

  #recordsOf(run: RunSummary): Uint8Array[] {
    const start = run.offset + run.headerBytes;
    const records = this.#runs.bytes().subarray(start, start + run.recordBytes);
    return [...iterateRecords(records)].map((span) => records.slice(span.start, span.end));
  }

  async #read(): Promise<void> {
    const channels = [...this.#model.channels.values()];
    const channel = channels[this.#below(channels.length)];
    if (channel)
      await checkChannel(
        this.store,
        this.#model,
        channel,
        100 + this.#below(20_000),
        this.damage.done ? this.damage.excused : undefined,
      );
  }

  #someChannels(count: number): ChannelRef[] {
    const names = new Set<number>();
    for (let i = 0; i < count; i++) names.add(this.#below(this.#habits.channels));
    return [...names].map((n) => ({
      hub: `hub${n % this.#habits.hubs}` as HubName,
      channel: `room:${n}` as ChannelName,
    }));
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  /** No zeros in it: where a sector is zero, it was never written. */
  #text(length: number): string {
    return toHex(this.#random.bytes(Math.ceil(length / 2))).slice(0, length);
  }
}

/** The writer's first entry names what it follows, and its first one behind floors that came from elsewhere. */
function opens(log: ChannelLog, seq: number): boolean {
  const through = log.trim?.through;
  return seq === 0 || log.heads().some((head) => head.writer === through?.writer && head.seq === through.seq);
}
