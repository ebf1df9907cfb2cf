/** Opens the index and decides whether to believe it. Whatever looks odd means no: a rebuild costs time, a wrong index
 *  answers. */
import type { HubName } from '../base/ids.js';
import { StoreFailedError } from '../engine/ports.js';
import { type Files, errorCode, isFull, removeIfPresent } from './files.js';
import type { Identity } from './identity.js';
import type { FoundSegment } from './directory.js';
import { type Meta, channelOf, decodeMeta, tagged, tags } from './index-rows.js';
import { readNoteRows, readSegmentRows, rowsOf } from './index-tables.js';
import type { KeyValue } from './key-value.js';
import type { Segment } from './segments.js';
import { decodeSlotSize } from './slots.js';
import { batchRowsKept } from './store-index.js';

export interface OpenedIndex {
  readonly keyValue: KeyValue;
  readonly meta: Meta;
  readonly notes: Map<string, Uint8Array>;
  readonly segments: readonly Segment[];
  /** What its rows of channels come to, hub by hub. */
  readonly hubBytes: ReadonlyMap<HubName, number>;
  /** Rewritten after it: the segments whose places it has to learn anew. */
  readonly rewritten: readonly FoundSegment[];
  /** Why it was dropped and begins empty, in words; absent when it is believed. */
  readonly dropped: string | undefined;
}

export interface OpenIndexOptions {
  readonly files: Files;
  /** `store/` of the data directory. */
  readonly directory: string;
  readonly make: () => KeyValue;
  readonly identity: Identity;
  readonly found: readonly FoundSegment[];
}

const markerName = 'index-doubt';

/** While this file is there the next start drops the index: set before the index is opened, because a damaged LevelDB
 *  may end the process, and whenever a row turns out wrong. */
export async function markDoubt({
  files,
  directory,
}: Pick<OpenIndexOptions, 'files' | 'directory'>): Promise<boolean> {
  try {
    await (await files.open(`${directory}/${markerName}`, 'create')).close();
    return false;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return true;
    throw error;
  }
}

export async function clearDoubt({
  files,
  directory,
}: Pick<OpenIndexOptions, 'files' | 'directory'>): Promise<void> {
  await removeIfPresent(files, `${directory}/${markerName}`);
}

export async function openIndex(options: OpenIndexOptions): Promise<OpenedIndex> {
  const wasInDoubt = await markDoubt(options);
  let keyValue = options.make();
  let dropped = wasInDoubt
    ? 'an earlier start did not get past opening it, or a row of it was wrong'
    : undefined;
  if (dropped === undefined) {
    const believed = await believe(keyValue, options);
    if (typeof believed === 'object') {
      await clearDoubt(options);
      return { keyValue, ...believed, dropped: undefined };
    }
    dropped = believed;
    await keyValue.close().catch(() => undefined);
  }
  keyValue = await openEmpty(keyValue, options.make);
  await clearDoubt(options);
  const meta = emptyMeta(options.identity);
  return { keyValue, meta, notes: new Map(), segments: [], hubBytes: new Map(), rewritten: [], dropped };
}

async function openEmpty(keyValue: KeyValue, make: () => KeyValue): Promise<KeyValue> {
  try {
    await keyValue.destroy();
    const empty = make();
    await empty.open();
    return empty;
  } catch (error) {
    const message = `The index cannot be made anew: ${error instanceof Error ? error.message : String(error)}`;
    throw new StoreFailedError(isFull(error) ? 'full' : 'io', message, { cause: error });
  }
}

type Believed = Pick<OpenedIndex, 'meta' | 'notes' | 'segments' | 'hubBytes' | 'rewritten'>;

/** The tables that are kept in memory, or why not to believe them. */
async function believe(keyValue: KeyValue, options: OpenIndexOptions): Promise<Believed | string> {
  try {
    await keyValue.open();
    const value = await keyValue.get(tagged(tags.meta));
    if (!value) return 'it is empty';
    const meta = decodeMeta(value);
    if (!meta) return 'its meta row is damaged or of another version';
    if (meta.storeId !== options.identity.storeId) return 'it belongs to another store';
    const notes = await readNoteRows(keyValue);
    const segments = await readSegmentRows(keyValue);
    if (!notes || !segments) return 'a row of notes or segments is damaged';
    const fault = await faultOfBatches(keyValue, meta);
    if (fault !== undefined) return fault;
    const hubBytes = await sumsOfChannels(keyValue, meta);
    if (typeof hubBytes === 'string') return hubBytes;
    const rewritten = compareSegments(segments, meta, options.found);
    return typeof rewritten === 'string' ? rewritten : { meta, notes, segments, hubBytes, rewritten };
  } catch (error) {
    return `it cannot be opened: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** LevelDB drops what it cannot read of its log without a word, by the batch. */
async function faultOfBatches(keyValue: KeyValue, { batch }: Meta): Promise<string | undefined> {
  let rows = 0;
  for await (const [key] of rowsOf(keyValue, tagged(tags.batch))) if (key.length > 0) rows++;
  const wanted = Math.min(batch, batchRowsKept);
  return rows === wanted ? undefined : `of its last ${wanted} batches only ${rows} are there`;
}

/** Whatever else it lost: channels are counted, and their entries. The rows are read for that, so what each hub holds costs
 *  no other look; or what is wrong. */
async function sumsOfChannels(keyValue: KeyValue, meta: Meta): Promise<Map<HubName, number> | string> {
  const hubBytes = new Map<HubName, number>();
  let channels = 0;
  let entries = 0;
  for await (const [key, value] of rowsOf(keyValue, tagged(tags.channel))) {
    const size = decodeSlotSize(key, value);
    if (!size) return 'the row of a channel is damaged';
    channels++;
    entries += size.entries;
    if (size.bytes === 0) continue;
    const { hub } = channelOf(key);
    hubBytes.set(hub, (hubBytes.get(hub) ?? 0) + size.bytes);
  }
  if (channels === meta.channels && entries === meta.entries) return hubBytes;
  return `it has ${channels} channels with ${entries} entries instead of ${meta.channels} with ${meta.entries}`;
}

/** Places in it must mean the files that are there: returns those that were rewritten since, or what is wrong. */
function compareSegments(
  rows: readonly Segment[],
  meta: Meta,
  found: readonly FoundSegment[],
): FoundSegment[] | string {
  const known = new Map(rows.map((row) => [row.number, row]));
  if (meta.commit > 0 && !known.has(meta.segment)) return 'it does not know the segment it ends in';
  const rewritten: FoundSegment[] = [];
  for (const segment of found) {
    const { number, generation, through, header } = segment;
    const row = known.get(number);
    if (row?.generation === generation) continue;
    if (!row && number > meta.segment) continue;
    if (generation <= (row?.generation ?? 0)) return `it does not know segment ${number}`;
    if (!header || through >= meta.segment) return `segment ${number} was rewritten after it`;
    rewritten.push(segment);
  }
  return rewritten;
}

export function emptyMeta({ storeId }: Identity): Meta {
  return {
    storeId,
    commit: 0,
    segment: 0,
    generation: 0,
    offset: 0,
    end: 0,
    nextArrival: 1,
    batch: 0,
    channels: 0,
    entries: 0,
  };
}
