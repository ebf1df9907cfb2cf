/** Puts a store together: lock, directory, index, recovery, writer, in this order, and takes it apart again when one of
 *  them fails. */
import { channelKey } from '../base/ids.js';
import { StoreFailedError } from '../engine/ports.js';
import { Applier } from './applier.js';
import { type StoreDirectory, readDirectory } from './directory.js';
import { type Lock, LockHeldError, errorCode, isFull } from './files.js';
import { type Identity, StoreRefusedError, renamed, writeIdentity } from './identity.js';
import { type OpenedIndex, clearDoubt, markDoubt, openIndex } from './index-open.js';
import { channelOf, tagged, tags } from './index-rows.js';
import { rowsOf } from './index-tables.js';
import { type LogStoreOptions, type StoreParts, storeDirectory } from './options.js';
import { keysToFind } from './keys-since.js';
import { migrate } from './migrate.js';
import { channelsThatWait } from './redacting.js';
import { recover } from './recovery.js';
import type { Recovered } from './recovery-options.js';
import { reindexRewritten } from './rewritten-index.js';
import { SegmentWriter } from './segment-writer.js';
import { SegmentSet } from './segments.js';
import { SpaceWatch, giveUpReserve } from './space.js';
import { IndexDoubtError } from './index-doubt.js';
import { StoreIndex } from './store-index.js';

const defaults = {
  migrations: [],
  segmentBytes: 67_108_864,
  fullAtRatio: 0.9,
  plentyBytes: 8_589_934_592,
  reserveBytes: 16_777_216,
  idleChannelsMax: 4_096,
};
/** A scan meets channels in any order: it keeps more of them than a store at work. */
const idleChannelsInScan = 32_768;

type Options = StoreParts['options'];

export async function openParts(
  given: LogStoreOptions,
  onFailure: (error: unknown) => void,
): Promise<StoreParts> {
  const options: Options = { ...defaults, ...given };
  try {
    await options.files.makeDirectory(options.directory);
    const lock = await lockOf(options);
    try {
      return await openTwice(options, lock, onFailure);
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    throw asFailure(error);
  }
}

/** Where there is no room even for that, the reserve goes first; nobody else has the lock then. */
async function lockOf(options: Options): Promise<Lock> {
  const { files, directory } = options;
  try {
    return await files.lock(`${directory}/lock`);
  } catch (error) {
    if (!isFull(error)) throw error;
    await giveUpReserve(files, storeDirectory(options));
    return await files.lock(`${directory}/lock`);
  }
}

/** An index that turns out wrong only while it is used is dropped, and the store opened without it. */
async function openTwice(
  options: Options,
  lock: Lock,
  onFailure: (error: unknown) => void,
): Promise<StoreParts> {
  try {
    return await openLocked(options, lock, onFailure);
  } catch (error) {
    if (!(error instanceof IndexDoubtError)) throw error;
    await markDoubt({ files: options.files, directory: storeDirectory(options) });
    return await openLocked(options, lock, onFailure);
  }
}

async function openLocked(
  options: Options,
  lock: Lock,
  onFailure: (error: unknown) => void,
): Promise<StoreParts> {
  const { files, directory, observer, random } = options;
  const store = storeDirectory(options);
  await files.makeDirectory(store);
  await files.syncDirectory(directory);
  const { fullAtRatio, plentyBytes, reserveBytes } = options;
  const space = new SpaceWatch({ files, directory: store, fullAtRatio, plentyBytes, reserveBytes });
  await space.open();
  await migrate({ files, directory: store, steps: options.migrations });
  const found = await readDirectory(files, store, random, observer);
  const opened = await openIndex({
    files,
    directory: store,
    make: options.openIndex,
    identity: found.identity,
    found: found.found,
  });
  try {
    return await openWith(options, { lock, space, found, opened, onFailure });
  } catch (error) {
    await opened.keyValue.close().catch(() => undefined);
    throw error;
  }
}

interface Openings {
  readonly lock: Lock;
  readonly space: SpaceWatch;
  readonly found: StoreDirectory;
  readonly opened: OpenedIndex;
  readonly onFailure: (error: unknown) => void;
}

async function openWith(options: Options, openings: Openings): Promise<StoreParts> {
  const { files, observer, clock } = options;
  const { lock, space, found, opened, onFailure } = openings;
  const startedMs = clock.monotonicMs();
  const store = storeDirectory(options);
  const segments = new SegmentSet(files, `${store}/segments`);
  for (const segment of opened.segments) {
    if (isThere(found, segment.number, segment.generation)) segments.add(segment);
  }
  const { keyValue, meta: covered, notes } = opened;
  let failed: unknown;
  const index = new StoreIndex({
    keyValue,
    meta: covered,
    hubBytes: opened.hubBytes,
    idleChannelsMax: idleChannelsInScan,
    onFailure: (error) => {
      failed ??= error;
      onFailure(error);
    },
  });
  await index.keys.open();
  const applier = new Applier(index, { soleHome: options.soleHome });
  for await (const [key] of rowsOf(keyValue, tagged(tags.trim))) {
    const ref = channelOf(key);
    applier.trimmed.set(channelKey(ref), ref);
  }
  for (const [key, ref] of await channelsThatWait(keyValue)) applier.waiting.set(key, ref);
  const { lineage } = found.identity;
  for (const { number, generation, through, size, header } of opened.rewritten) {
    const { firstCommit = 0, firstArrival = 0, lastCommit = 0, end = 0 } = header ?? {};
    const segment = { number, generation, through, firstCommit, firstArrival, lastCommit, end, liveBytes: 0 };
    const isWhole = await reindexRewritten(index, segments, { files, lineage, segment, size });
    if (!isWhole) throw new IndexDoubtError(`segment ${number} was rewritten after it, and is damaged`);
  }
  const due = found.found.filter(({ through }) => through >= covered.segment);
  applier.keysSince = await keysToFind({ files, lineage, segments, due, wallMs: clock.wallMs() });
  const recovered = await recover({
    files,
    lineage,
    segments,
    index,
    applier,
    observer,
    found: found.found,
    covered,
    notes,
    onPart: () => markDoubt({ files, directory: store }),
  });
  applier.keysSince = 0;
  const { storeId } = await identify(options, found, recovered);
  const writer = makeWriter(options, openings, segments, recovered);
  index.cover({ storeId, nextArrival: recovered.nextArrival });
  await index.flushAll();
  if (failed !== undefined) throw failed;
  await clearDoubt({ files, directory: store });
  index.slots.idleMax = options.idleChannelsMax;
  await writer.open(recovered.goOnIn);
  observer.observe({
    type: 'recovered',
    commits: recovered.commits,
    entries: recovered.entries,
    cutBytes: recovered.cutBytes,
    rebuilt: opened.dropped !== undefined && !found.isNew,
    elapsedMs: clock.monotonicMs() - startedMs,
  });
  return { storeId, lineage, options, lock, segments, index, applier, writer, space, notes };
}

function makeWriter(
  options: Options,
  { space, found, opened, onFailure }: Openings,
  segments: SegmentSet,
  recovered: Recovered,
): SegmentWriter {
  const known = opened.segments.map(({ through }) => through + 1);
  const { files, segmentBytes } = options;
  const directory = `${storeDirectory(options)}/segments`;
  const { lineage } = found.identity;
  return new SegmentWriter(
    { files, directory, segments, lineage, segmentBytes, onFailure, mayPrepare: () => space.state === 'ok' },
    {
      commit: recovered.lastCommit,
      nextArrival: recovered.nextArrival,
      nextSegment: Math.max(recovered.nextSegment, ...known),
    },
  );
}

function isThere({ found }: StoreDirectory, number: number, generation: number): boolean {
  return found.some((segment) => segment.number === number && segment.generation === generation);
}

/** A store that forgot something must not be taken for the one that others remember. */
async function identify(options: Options, found: StoreDirectory, recovered: Recovered): Promise<Identity> {
  const forgot = recovered.forgot || found.missing.length > 0;
  if (!forgot) return found.identity;
  const identity = renamed(found.identity, options.random);
  await writeIdentity(options.files, storeDirectory(options), identity);
  return identity;
}

function asFailure(error: unknown): unknown {
  if (error instanceof LockHeldError || error instanceof StoreRefusedError) return error;
  if (error instanceof StoreFailedError || errorCode(error) === undefined) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StoreFailedError(isFull(error) ? 'full' : 'io', message, { cause: error });
}
