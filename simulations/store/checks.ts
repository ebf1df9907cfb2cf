/** What must hold after every start, whatever happened before it. */
import type { WriterId } from '../../src/base/ids.js';
import { channelKey, dotText } from '../../src/base/ids.js';
import { equalBytes, toHex, utf8Text } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { type Clock, type LogStore, StoreFailedError } from '../../src/engine/ports.js';
import { floorWriter } from '../../src/log/floors.js';
import { rises } from '../../src/log/trims.js';
import { iterateRecords } from '../../src/log/entry-wire.js';
import { keyScope } from '../../src/log/run-layout.js';
import { timestampFromUnixMs } from '../../src/log/timestamp.js';
import { type RawSegments, readRawSegments } from '../checkers/raw-segments.js';
import { checkMissing, checkRedactions, isForm, mayBeMissing, placeAll } from './redactions.js';
import { type Model, type ModelChannel, type ModelEntry, type Redacted, mustHold } from './model.js';
import type { StoreWorld } from './world.js';

/** Dots that damage done on purpose may have cost; nothing else may be missing. `undefined`: nothing was damaged. */
export type Excused = ReadonlySet<string> | undefined;

export function excuseKey(channel: string, writer: string, seq: number): string {
  return `${channel} ${writer}-${seq}`;
}

export function rawOf(world: StoreWorld, salvages = false): RawSegments {
  return readRawSegments(world.segmentFiles(), world.lineage, { salvages });
}

type Found = Map<string, { readonly bytes: Uint8Array; readonly arrival: number }>;

function foundIn({ records }: RawSegments, redacted: ReadonlySet<string>): Found {
  const found: Found = new Map();
  for (const { channel, writer, seq, bytes, arrival } of records) {
    const key = excuseKey(channel, writer, seq);
    const before = found.get(key);
    const isSame = !before || redacted.has(key) || equalBytes(before.bytes, bytes);
    mustHold(isSame, () => `two entries on the disk have the dot ${key}`);
    found.set(key, { bytes, arrival });
  }
  return found;
}

/** Before a start: every acknowledged entry is on the disk, whole, as it was written, and numbered as it was told. */
export function checkRaw(world: StoreWorld, model: Model): void {
  const raw = rawOf(world);
  const keyOf = ({ ref, writer, entry }: Redacted): string => excuseKey(channelKey(ref), writer, entry.seq);
  const redacted = new Set([...model.redactions].map(keyOf));
  const found = foundIn(raw, redacted);
  // Where one is half written over its commit is not whole; all else of it must be.
  if ([...redacted].some((key) => !found.has(key)))
    for (const [key, { bytes }] of foundIn(rawOf(world, true), redacted))
      if (!found.has(key)) found.set(key, { bytes, arrival: 0 });
  checkRedactions(world, model, (target) => found.has(keyOf(target)));
  for (const channel of model.channels.values()) {
    const floors = model.floors(channel);
    for (const [writer, entries] of channel.writers) {
      for (const entry of entries) {
        const { seq, state, arrivals } = entry;
        if (state !== 'acked' || seq <= (floors.get(writer) ?? 0)) continue;
        const key = excuseKey(channelKey(channel.ref), writer, seq);
        const there = found.get(key);
        if (!there && mayBeMissing(entry)) continue;
        mustHold(there, () => `the acknowledged entry ${key} is not on the disk`);
        mustHold(
          isForm(channel, writer, entry, there.bytes, false),
          () => `the entry ${key} on the disk is not what was written`,
        );
        mustHold(
          there.arrival === 0 || arrivals.includes(0) || arrivals.includes(there.arrival),
          () => `the arrival number of ${key} is ${there.arrival}, and was ${arrivals.join(' or ')}`,
        );
      }
    }
  }
  checkArrivals(raw);
}

/** Commit numbers and arrival numbers of written commits go up without a hole, except where compaction took commits. */
function checkArrivals({ commits }: RawSegments): void {
  const sorted = [...commits].sort((a, b) => a.number - b.number);
  sorted.forEach((commit, i) => {
    const before = sorted[i - 1];
    if (!before || commit.number !== before.number + 1) return;
    const wanted = before.firstArrival + before.entries;
    mustHold(
      commit.firstArrival === wanted,
      () => `commit ${commit.number} begins at arrival ${commit.firstArrival} instead of ${wanted}`,
    );
  });
}

/** After a start: finds out what became of the commit that was not answered, then compares all that is served. */
export async function checkServed(
  store: LogStore,
  model: Model,
  clock: Clock,
  excused?: Excused,
): Promise<void> {
  await settleUnknown(store, model, excused);
  for (const channel of model.channels.values()) await checkChannel(store, model, channel, 1e9, excused);
  for (const [name, bytes] of store.notes) {
    mustHold(model.noted.get(name)?.has(utf8Text(bytes)), () => `note ${name} never had the value it has`);
  }
  if (excused) return;
  await checkLists(store, model);
  await checkKeys(store, model, timestampFromUnixMs(clock.wallMs() - limits.idempotencyWindowMs));
  for (const [name, value] of model.notes) {
    const noted = store.notes.get(name);
    mustHold(noted && utf8Text(noted) === value, () => `note ${name} is not the newest`);
  }
}

async function settleUnknown(store: LogStore, model: Model, excused: Excused): Promise<void> {
  if (!model.unknown) return;
  const there: boolean[] = [];
  for (const { channel, writer, entry } of model.unknown.entries) {
    const log = await store.open(channel.ref);
    const { trim } = entry;
    there.push(
      writer === floorWriter ? !rises(trim?.floors ?? new Map(), log.floors) : log.have(writer) >= entry.seq,
    );
    store.release(channel.ref);
  }
  const isThere = there.includes(true);
  mustHold(
    !isThere || !there.includes(false) || excused,
    'of a commit that was not answered only a part is there',
  );
  if (there.length === 0) {
    const noted = [...model.unknown.notes].every(([name, value]) => {
      const bytes = store.notes.get(name);
      return bytes !== undefined && utf8Text(bytes) === value;
    });
    model.settle(noted);
    return;
  }
  if (isThere && there.includes(false)) {
    settleInParts(model, there);
    return;
  }
  const arrival = isThere && model.lastArrival !== undefined ? model.lastArrival + 1 : undefined;
  model.settle(isThere, arrival);
}

/** Damage took a part of a commit that nobody was told of. */
function settleInParts(model: Model, there: readonly boolean[]): void {
  const { unknown } = model;
  if (!unknown) return;
  model.unknown = { entries: unknown.entries.filter((_, i) => !there[i]), notes: new Map() };
  model.settle(false);
  for (const { entry } of unknown.entries.filter((_, i) => there[i])) entry.state = 'acked';
}

export async function checkChannel(
  store: LogStore,
  model: Model,
  channel: ModelChannel,
  bytesMax: number,
  excused?: Excused,
): Promise<void> {
  const log = await store.open(channel.ref);
  try {
    const floors = model.floors(channel);
    for (const [writer, entries] of channel.writers) {
      if (writer === floorWriter) continue;
      const acked = entries.filter(({ state }) => state === 'acked');
      const last = acked.at(-1);
      if (!last) continue;
      const name = `${channelKey(channel.ref)} of writer ${writer}`;
      const have = log.have(writer);
      const isLost = excused?.has(excuseKey(channelKey(channel.ref), writer, last.seq));
      mustHold(
        have === last.seq || (isLost && have < last.seq),
        () => `${name}: has ${have} entries instead of ${last.seq}`,
      );
      const floor = log.writer(writer)?.floor ?? 0;
      const wanted = floors.get(writer) ?? 0;
      mustHold(
        floor === wanted || (excused && floor < wanted),
        () => `${name}: floor ${floor} instead of ${wanted}`,
      );
      const kept = acked.filter(({ seq }) => seq > floor && seq <= have);
      await checkReads(store, channel, writer, kept, bytesMax, excused && { excused, floor: wanted });
      if (!excused) await checkSince(store, channel, writer, kept);
    }
    for (const [writer, floor] of floors) {
      if (writer === floorWriter || excused) continue;
      mustHold(log.floors.get(writer) === floor, () => `the floor of ${writer} is not ${floor}`);
    }
  } finally {
    store.release(channel.ref);
  }
}

async function checkReads(
  store: LogStore,
  channel: ModelChannel,
  writer: WriterId,
  kept: readonly ModelEntry[],
  bytesMax: number,
  damage: { readonly excused: ReadonlySet<string>; readonly floor: number } | undefined,
): Promise<void> {
  const { ref } = channel;
  let next = 0;
  while (next < kept.length) {
    const firstSeq = kept[next]!.seq;
    const range = { writer, firstSeq, count: kept.at(-1)!.seq - firstSeq + 1 };
    const { slices, missing } = await store.read(ref, [range], bytesMax);
    const dealt = new Map<number, Uint8Array | undefined>();
    for (const slice of slices) {
      let seq = slice.firstSeq;
      for (const span of iterateRecords(slice.records)) {
        mustHold(span.seq === seq++, 'a slice has the seqs it names');
        dealt.set(span.seq, slice.records.subarray(span.start, span.end));
      }
    }
    for (const { fromSeq, toSeq } of missing)
      for (let seq = fromSeq; seq <= toSeq; seq++) dealt.set(seq, undefined);
    mustHold(
      dealt.size > 0,
      () => `nothing is read of ${channelKey(ref)} from ${dotText({ writer, seq: firstSeq })} on`,
    );
    for (; next < kept.length && dealt.has(kept[next]!.seq); next++) {
      const entry = kept[next]!;
      const { seq } = entry;
      const served = dealt.get(seq);
      const key = excuseKey(channelKey(ref), writer, seq);
      // Where the trim itself was damaged, what it removed is not expected back.
      if (!served && damage && (damage.excused.has(key) || seq <= damage.floor || entry.redacted)) continue;
      if (!served && mayBeMissing(entry)) continue;
      if (!served) checkMissing(entry);
      mustHold(served || entry.redacted, () => `${key} is missing from what is read`);
      // Damage may have taken what redacts it.
      const isFit = !served || isForm(channel, writer, entry, served, !damage);
      mustHold(isFit, () => `${key} is read as other bytes than were written`);
    }
  }
}

/** The first seq at or after a time is exactly that. */
async function checkSince(
  store: LogStore,
  { ref }: ModelChannel,
  writer: WriterId,
  kept: readonly ModelEntry[],
): Promise<void> {
  const middle = kept[Math.floor(kept.length / 2)];
  if (!middle || kept.some(mayBeMissing)) return;
  for (const timestamp of [middle.timestamp, middle.timestamp + 1]) {
    const wanted = kept.find((entry) => entry.timestamp >= timestamp)?.seq;
    const found = (await store.seqsSince(ref, timestamp)).get(writer);
    mustHold(
      found === wanted,
      () => `${channelKey(ref)} since ${timestamp}: seq ${found} instead of ${wanted}`,
    );
  }
}

async function checkLists(store: LogStore, model: Model): Promise<void> {
  const wanted = new Map<string, string[]>();
  for (const { ref, writers } of model.channels.values()) {
    const floors = model.floors(model.channel(ref));
    const isKept = [...writers].some(
      ([writer, entries]) =>
        writer !== floorWriter && entries.some(({ seq }) => seq > (floors.get(writer) ?? 0)),
    );
    if (isKept) wanted.set(ref.hub, [...(wanted.get(ref.hub) ?? []), ref.channel]);
  }
  const hubs = await store.hubs();
  // One whose channels are wholly trimmed may still be listed.
  const known = hubs.filter((hub) => wanted.has(hub));
  mustHold(known.join() === [...wanted.keys()].sort().join(), () => `hubs are ${hubs.join()}`);
  let total = 0;
  for (const hub of hubs) {
    const listed: string[] = [];
    let bytes = 0;
    for (;;) {
      const after = listed.at(-1);
      const page = await store.channels(hub, { limit: 2, ...(after !== undefined && { after }) });
      for (const { ref } of page) listed.push(ref.channel);
      for (const size of page) bytes += size.bytes;
      if (page.length < 2) break;
    }
    const counted = store.hubBytes(hub);
    mustHold(counted === bytes, () => `the channels of ${hub} hold ${bytes} bytes, counted as ${counted}`);
    total += counted;
    mustHold(
      listed.join() === (wanted.get(hub) ?? []).sort().join(),
      () => `channels of ${hub} are ${listed.join()}`,
    );
  }
  mustHold(store.bytes === total, () => `all hubs hold ${total} bytes, counted as ${store.bytes}`);
}

async function checkKeys(store: LogStore, model: Model, since: number): Promise<void> {
  for (const { ref, writers } of model.channels.values()) {
    for (const [writer, entries] of writers) {
      for (const entry of entries) {
        const { key, seq, state, timestamp } = entry;
        if (mayBeMissing(entry)) continue;
        if (key === undefined || state !== 'acked' || timestamp < since) continue;
        const [row] = await store.findKeys([{ ref, scope: keyScope(undefined, undefined), key }], since);
        mustHold(
          row?.dot.writer === writer && row.dot.seq === seq,
          () => `the key of ${dotText({ writer, seq })} is forgotten`,
        );
      }
    }
  }
}

/** After a failed write or sync nothing is taken any more: what a later sync says is not to be believed. */
export async function checkRefuses(store: LogStore): Promise<void> {
  const empty = { bytes: new Uint8Array(0), runs: [], notes: new Map([['late', new Uint8Array(1)]]) };
  const isRefused = await store.commit(empty).then(
    () => false,
    (error: unknown) => error instanceof StoreFailedError,
  );
  mustHold(isRefused, 'a store that failed takes another commit');
}

/** All that a store answers about its state, to compare two starts. */
export async function snapshot(store: LogStore, model: Model): Promise<string> {
  const lines: string[] = [];
  for (const { ref } of model.channels.values()) {
    const log = await store.open(ref);
    placeAll(log);
    // Of a writer that is wholly trimmed only seq and floor are kept for ever.
    const writers = [...log.writers()]
      .sort((a, b) => (a.writer < b.writer ? -1 : 1))
      .map((state) => (state.seq > state.floor ? state : { writer: state.writer, floor: state.floor }));
    lines.push(
      JSON.stringify({
        ref,
        writers,
        entries: log.entries,
        first: log.firstPosition,
        end: log.endPosition,
        heads: log.heads(),
        committed: log.committed,
        lost: log.lostRanges(),
        spans: log.spans(log.firstPosition, log.endPosition),
      }),
    );
    store.release(ref);
  }
  for (const [name, value] of [...store.notes].sort(([a], [b]) => (a < b ? -1 : 1)))
    lines.push(`${name} ${toHex(value)}`);
  return lines.join('\n');
}
