/** One node as the engine will run it: a replica, the logs in memory, a disk with one commit under way at a time. What
 *  the replica wants done happens at steps that the search chooses. */
import { createHash } from 'node:crypto';
import {
  type ChannelRef,
  type Dot,
  type NodeId,
  type StoreId,
  type WriterId,
  channelKey,
} from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { planted } from '../../src/base/planted.js';
import { seededRandom } from '../../src/base/random.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { encodeContent } from '../../src/log/content-wire.js';
import { RunWriter } from '../../src/log/run-writer.js';
import type { EntryKind, Vector } from '../../src/log/entry.js';
import { floorsIn } from '../../src/log/floors.js';
import { decodeIntervalNote, encodeIntervalNote, noteOf } from '../../src/replication/claim.js';
import type { Effect } from '../../src/replication/effects.js';
import { channelsOf } from '../../src/replication/messages.js';
import {
  type AwaitedRange,
  type CommitPart,
  Replica,
  type StoreFacts,
} from '../../src/replication/replica.js';
import { decodeFrame } from '../../src/replication/wire-decoder.js';
import { encodeFrame } from '../../src/replication/wire-encoder.js';
import { Disk, type StoredRun } from './disk.js';
import { check, mustHold } from './checkers.js';
import { Scrubbing } from './scrubbing.js';
import type { NodeView, Surroundings } from './surroundings.js';

export interface Publish {
  readonly ref: ChannelRef;
  readonly level: 'owner' | 'quorum';
  readonly degrade: boolean;
  readonly at: number;
  dot?: Dot;
}

interface UnderWay {
  readonly part: CommitPart;
  readonly own: readonly StoredRun[];
}

const content = encodeContent({ payload: new Uint8Array([7]) });

export class SimNode implements NodeView {
  readonly id: NodeId;
  disk: Disk;
  replica!: Replica;
  writer!: WriterId;
  logs = new Map<string, ChannelLog>();
  isUp = false;
  isPaused = false;
  /** Milliseconds that its clock is ahead. */
  skew = 0;
  /** How often the disk was lost. */
  losses = 0;
  waiting: Publish[] = [];
  readonly merges = new Set<string>();
  /** Positions before which everything is to be trimmed, by channel. */
  readonly trims = new Map<string, number>();
  #floors = new Map<string, Vector>();
  readonly reads: Extract<Effect, { type: 'read' | 'list' | 'arrived' | 'open' }>[] = [];
  /** What its disk held once. */
  image: Disk | undefined;
  /** How often its store turned out not to be what it was. */
  renewals = 0;
  #isToRenew = false;
  underWay: UnderWay | undefined;
  scrubbing = new Scrubbing(this);
  /** The newest entry written here without a claim and synced, by channel. */
  readonly degraded = new Map<string, Dot>();
  #last = 0;

  constructor(
    readonly world: Surroundings,
    readonly index: number,
  ) {
    this.id = `${index}`.padStart(32, '0') as NodeId;
    this.disk = new Disk(world.newId(32) as StoreId);
  }

  boot(first: boolean): void {
    const { world } = this;
    this.isUp = true;
    this.logs = this.disk.logs();
    for (const ref of world.refs) this.#checkFloors(ref);
    this.writer = world.newId(24) as WriterId;
    this.#last = 0;
    this.replica = new Replica({
      self: this.id,
      storeId: this.disk.storeId,
      writer: this.writer,
      random: seededRandom(world.integer(2 ** 31)),
      logOf: (ref) => this.#opened(ref),
      intervalOf: (ref) => world.intervalOf(ref),
      arrivals: this.#facts(),
      given: {
        atOnce: () => world.given.atOnce() + limits.givenTimesMax * this.disk.bytes,
        perSecond: world.given.perSecond,
      },
    });
    this.replica.ringVersion = 1;
    for (const interval of world.intervals) {
      const note = decodeIntervalNote(this.disk.notes.get(noteOf(interval)));
      this.replica.addInterval(interval, world.sets, note ?? (first ? 'new' : 'recovering'), world.now);
    }
    this.disk.starts.add(this.writer);
    this.drain();
  }

  #facts(): StoreFacts {
    const { disk } = this;
    return {
      // The planted mistake: what is on its way to the disk has its numbers already.
      newest: () => disk.entries + (planted('unsynced-arrivals') ? entriesOf(this.underWay) : 0),
      commits: () => disk.commits,
      notes: disk.notes,
      seal: (text) => sealOf(`${this.id} ${text}`),
      earlier: new Set(disk.starts),
    };
  }

  /** The store is not what it was: it starts again under another id, and counts for nothing before it heard from others. */
  renew(): void {
    const { world, disk } = this;
    this.crash();
    disk.storeId = world.newId(32) as StoreId;
    for (const interval of world.intervals) {
      const promise = decodeIntervalNote(disk.notes.get(noteOf(interval)))?.promise;
      disk.notes.set(noteOf(interval), encodeIntervalNote({ promise, recovering: true }));
    }
    this.renewals++;
    this.boot(false);
    world.connect(this);
  }

  /** Channels that nothing is under way in leave memory. */
  releaseAll(): void {
    for (const ref of this.world.refs) this.replica.releaseChannel(ref);
  }

  crash(): void {
    const { underWay } = this;
    // A commit nobody waited for is there or not.
    if (underWay && this.world.chance(0.3)) this.#write(underWay);
    this.isUp = false;
    this.isPaused = false;
    this.underWay = undefined;
    this.waiting = [];
    this.merges.clear();
    this.trims.clear();
    this.reads.length = 0;
    this.degraded.clear();
    this.scrubbing = new Scrubbing(this);
  }

  loseDisk(): void {
    this.crash();
    this.losses++;
    this.#floors = new Map();
    this.disk = new Disk(this.world.newId(32) as StoreId);
  }

  /** Keeps what the disk holds now. */
  takeImage(): void {
    this.image = this.disk.image();
  }

  /** Whatever came onto the disk since is forgotten. */
  putBack(image: Disk): void {
    this.crash();
    this.losses++;
    this.#floors = new Map();
    this.disk = image;
    this.image = undefined;
  }

  log(ref: ChannelRef): ChannelLog {
    const key = channelKey(ref);
    let log = this.logs.get(key);
    if (!log) this.logs.set(key, (log = new ChannelLog(ref)));
    return log;
  }

  floors(ref: ChannelRef): Vector {
    return this.#floors.get(channelKey(ref)) ?? new Map();
  }

  /** They only rise. */
  #checkFloors(ref: ChannelRef): void {
    const { floors } = this.log(ref);
    for (const [writer, floor] of this.floors(ref)) {
      check(
        'trimmed',
        (floors.get(writer) ?? 0) >= floor,
        () => `${this.index}: the floor of ${writer} fell`,
      );
    }
    this.#floors.set(channelKey(ref), floors);
  }

  get isRecovering(): boolean {
    return this.world.intervals.some((interval) => this.replica.isRecovering(interval));
  }

  /** As of the store: who uses a log has opened it. */
  #opened(ref: ChannelRef): ChannelLog {
    const log = this.logs.get(channelKey(ref));
    mustHold(log !== undefined, () => `the log of ${channelKey(ref)} is open before it is used`);
    return log;
  }

  receive(from: SimNode, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (!frame.ok && this.world.liar) return;
    mustHold(frame.ok, () => 'a frame of our own cannot be read');
    for (const message of frame.value.messages) for (const ref of channelsOf(message)) this.log(ref);
    this.replica.receive(from.id, frame.value, this.world.now);
    this.drain();
  }

  /** Opens the log first, as the engine must. */
  touch(ref: ChannelRef): void {
    this.log(ref);
    this.replica.touch(this.world.intervalOf(ref), ref, this.world.now);
  }

  publish(publish: Publish): void {
    this.touch(publish.ref);
    this.waiting.push(publish);
    this.drain();
  }

  beginCommit(): void {
    const { replica, world } = this;
    const hasWork = replica.hasWork || this.waiting.length > 0 || this.merges.size > 0 || this.trims.size > 0;
    if (this.underWay || !hasWork) return;
    const part = replica.cut(world.chance(0.1) ? 200 : undefined);
    const own: StoredRun[] = [];
    for (const ref of world.refs) {
      const stored = this.#stamp(ref);
      if (stored) own.push(stored);
    }
    this.underWay = { part, own };
    if (own.length === 0 && part.runs.length === 0 && part.notes.size === 0) this.finishCommit();
    this.drain();
  }

  finishCommit(): void {
    const { underWay, replica } = this;
    if (!underWay) return;
    this.underWay = undefined;
    this.#write(underWay);
    for (const { run } of [...underWay.own, ...underWay.part.runs]) {
      this.log(run.ref).apply(run);
      this.#checkFloors(run.ref);
      this.#showClock(run.lastTimestamp);
    }
    for (const { run } of underWay.own) {
      if (run.round === 0) this.degraded.set(channelKey(run.ref), lastOf(run));
    }
    replica.synced(underWay.part.token, this.world.now);
    this.drain();
  }

  /** Goes on after a pause, noticed or not. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (!this.isUp || this.world.chance(0.3)) return;
    this.replica.resumed(this.world.integer(3_000), this.world.now);
    this.drain();
  }

  tick(): void {
    if (this.replica.nextDeadline() <= this.world.now) this.replica.tick(this.world.now);
    this.scrubbing.tick();
    this.drain();
  }

  /** Answers one read or list. */
  readOne(): void {
    const effect = this.reads.shift();
    if (!effect) return;
    const { replica, world } = this;
    if (effect.type === 'list') {
      const refs = world.refs.filter((ref) => world.intervalOf(ref) === effect.interval);
      replica.listed(
        effect.id,
        refs.filter((ref) => !this.log(ref).isEmpty),
      );
    } else if (effect.type === 'open') {
      for (const ref of effect.refs) this.log(ref);
      replica.opened(effect.id, effect.refs, world.now);
    } else if (effect.type === 'arrived') {
      const limit = world.chance(0.3) ? 1 + world.integer(3) : 1000;
      const { runs, through } = this.disk.arrivedSince(effect.after, limit);
      const isEnd = through === this.disk.entries;
      replica.arrived(
        effect.id,
        runs,
        isEnd && planted('unsynced-arrivals') ? this.#facts().newest() : through,
      );
    } else {
      const countMax = world.chance(0.2) ? 1 + world.integer(3) : 1000;
      replica.loaded(effect.id, this.disk.read(effect.ref, effect.ranges, countMax), false, world.now);
    }
    this.drain();
  }

  drain(): void {
    // What is compared makes more to say.
    for (let effects = this.replica.takeEffects(); effects.length > 0; effects = this.replica.takeEffects())
      for (const effect of effects) this.#do(effect);
    if (!this.#isToRenew) return;
    this.#isToRenew = false;
    this.renew();
  }

  #do(effect: Effect): void {
    const { world } = this;
    if (effect.type === 'send') {
      const to = world.nodes.findIndex(({ id }) => id === effect.to);
      const bytes = encodeFrame(effect.frame).slice();
      world.trace.bytes(`${this.index} to ${to}`, bytes);
      world.network.send({ from: this.index, to, bytes });
      return;
    }
    world.trace.add(effect.type, this.index);
    if (isAsked(effect)) this.reads.push(effect);
    else if (effect.type === 'close') for (const ref of effect.refs) this.replica.releaseChannel(ref);
    else if (effect.type === 'storeForgot') this.#isToRenew = true;
    else if (effect.type === 'reconcile') this.scrubbing.learn(effect.id, effect.peer);
    else if (effect.type === 'compared') this.scrubbing.received(effect.from, effect.message);
    else if (effect.type === 'merge') this.merges.add(channelKey(effect.ref));
    else if (effect.type === 'claimGained') {
      world.stats.claims++;
      world.claimed(this, effect.interval);
    } else if (effect.type === 'committed') {
      world.stats.commits++;
      world.committed(this, effect.ref, effect.dot, effect.from, effect.to);
    } else if (effect.type === 'outcome') world.told(this, effect);
    else if (effect.type === 'fetched') world.fetched(this, effect);
    else if (effect.type === 'alarm') {
      world.stats.alarms++;
      const isAboutAsking = effect.code === 'ASKED_TOO_OFTEN';
      if (isAboutAsking) world.stats.askedTooOften++;
      const isOfLiar = world.liar !== undefined && (!isAboutAsking || effect.peer === world.liar.id);
      const isMeant = isOfLiar || world.alarmsMeant.has(effect.code);
      check('alarms', isMeant, () => `an alarm: ${effect.code} ${effect.message}`);
    }
  }

  #write({ part, own }: UnderWay): void {
    this.disk.write([...own, ...part.runs], part.notes);
    for (const [name, note] of part.notes) this.world.trace.bytes(`${this.index} notes ${name}`, note);
    for (const { bytes, run } of [...own, ...part.runs]) {
      this.world.trace.bytes(`${this.index} writes ${channelKey(run.ref)}`, bytes);
      const floors = floorsIn(run);
      if (floors) this.world.raised(this, run.ref, floors);
      else this.world.stored(this, bytes, run);
    }
  }

  /** Stamps what waits in a channel as one run. */
  #stamp(ref: ChannelRef): StoredRun | undefined {
    const { world, replica } = this;
    const mine = this.waiting.filter((publish) => publish.ref === ref);
    const isMergeDue = this.merges.has(channelKey(ref));
    const trimBefore = this.trims.get(channelKey(ref));
    if (mine.length === 0 && !isMergeDue && trimBefore === undefined) return undefined;
    this.touch(ref);
    const stamping = replica.stamping(ref, world.now);
    if (stamping.as === 'wait') return undefined;
    const taken = mine.filter(({ degrade }) => stamping.as === 'owner' || degrade);
    this.waiting = this.waiting.filter((publish) => publish.ref !== ref);
    this.merges.delete(channelKey(ref));
    this.trims.delete(channelKey(ref));
    const isOwner = stamping.as === 'owner';
    const trim = isOwner && trimBefore !== undefined ? this.log(ref).trimAt(trimBefore) : undefined;
    world.stats.refused += mine.length - taken.length;
    const isMerge = taken.length === 0 && !trim && isMergeDue && isOwner;
    if (taken.length === 0 && !trim && (!isMerge || !stamping.parents)) return undefined;
    const kinds: EntryKind[] = isMerge ? ['merge'] : taken.map(() => 'publish');
    if (trim) kinds.push('trim');
    const { round, parents } = stamping;
    const own = this.log(ref).writer(this.writer);
    const out = new RunWriter();
    out.begin(ref, this.writer, round, (own?.seq ?? 0) + 1, own?.lastChecksum ?? 0);
    const awaited: AwaitedRange[] = [];
    kinds.forEach((kind, i) => {
      const timestamp = this.#nextTimestamp();
      const due = i === 0 ? parents : undefined;
      const seq = out.append({
        timestamp,
        kind,
        parents: due,
        trim: kind === 'trim' ? trim : undefined,
        content: kind === 'publish' ? content : undefined,
      });
      const dot = { writer: this.writer, seq };
      world.oracle.channel(ref).stamped({
        ...dot,
        channel: channelKey(ref),
        timestamp,
        round,
        kind,
        parents: due ?? [],
        checksum: out.lastChecksum,
        trim: kind === 'trim' ? trim : undefined,
      });
      const publish = taken[i];
      if (!publish) return;
      publish.dot = dot;
      awaited.push({ firstSeq: seq, lastSeq: seq, level: publish.level, degrade: publish.degrade });
    });
    const run = out.end();
    world.stats.entries += run.count;
    if (stamping.as === 'degraded') world.stats.degraded += run.count;
    const bytes = out.bytes().slice();
    replica.stamped(ref, run, bytes, awaited, world.now);
    return { bytes, run };
  }

  #nextTimestamp(): number {
    this.#last = Math.max(this.#last + 1, this.world.now + this.skew);
    return this.#last;
  }

  #showClock(timestamp: number): void {
    if (timestamp <= this.world.now + this.skew + 500) this.#last = Math.max(this.#last, timestamp);
  }
}

function isAsked(effect: Effect): effect is SimNode['reads'][number] {
  return ['read', 'list', 'arrived', 'open'].includes(effect.type);
}

function entriesOf(underWay: UnderWay | undefined): number {
  const runs = underWay ? [...underWay.own, ...underWay.part.runs] : [];
  return runs.reduce((sum, { run }) => sum + run.count, 0);
}

/** Nobody tries to make one here. */
function sealOf(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

function lastOf({ writer, firstSeq, count }: StoredRun['run']): Dot {
  return { writer, seq: firstSeq + count - 1 };
}
