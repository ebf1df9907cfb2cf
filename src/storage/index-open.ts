/** Opens the index and decides whether to believe it. Whatever looks odd means no: a rebuild costs time, a wrong index
 *  answers. */
import { type Files, errorCode, removeIfPresent } from './files.js';
import type { Identity } from './identity.js';
import type { FoundSegment } from './directory.js';
import { type Meta, decodeMeta, tagged, tags } from './index-rows.js';
import { readNoteRows, readSegmentRows, rowsOf } from './index-tables.js';
import type { KeyValue } from './key-value.js';
import type { Segment } from './segments.js';
import { decodeSlotSize } from './slots.js';

export interface OpenedIndex {
  readonly keyValue: KeyValue;
  readonly meta: Meta;
  readonly notes: Map<string, Uint8Array>;
  readonly segments: readonly Segment[];
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
  await keyValue.destroy();
  keyValue = options.make();
  await keyValue.open();
  await clearDoubt(options);
  return { keyValue, meta: emptyMeta(options.identity), notes: new Map(), segments: [], dropped };
}

type Believed = Pick<OpenedIndex, 'meta' | 'notes' | 'segments'>;

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
    const fault = (await faultOfChannels(keyValue, meta)) ?? faultOfSegments(segments, meta, options.found);
    return fault ?? { meta, notes, segments };
  } catch (error) {
    return `it cannot be opened: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** LevelDB drops what it cannot read without a word, so rows are counted. */
async function faultOfChannels(keyValue: KeyValue, meta: Meta): Promise<string | undefined> {
  let channels = 0;
  let entries = 0;
  for await (const [key, value] of rowsOf(keyValue, tagged(tags.channel))) {
    const size = decodeSlotSize(key, value);
    if (!size) return 'the row of a channel is damaged';
    channels++;
    entries += size.entries;
  }
  if (channels === meta.channels && entries === meta.entries) return undefined;
  return `it has ${channels} channels with ${entries} entries instead of ${meta.channels} with ${meta.entries}`;
}

/** Places in it must mean the files that are there. */
function faultOfSegments(
  rows: readonly Segment[],
  meta: Meta,
  found: readonly FoundSegment[],
): string | undefined {
  const known = new Map(rows.map((row) => [row.number, row]));
  if (meta.commit > 0 && !known.has(meta.segment)) return 'it does not know the segment it ends in';
  for (const { number, generation, through } of found) {
    const row = known.get(number);
    if (row && row.generation !== generation) return `segment ${number} was rewritten after it`;
    if (!row && through <= meta.segment) return `it does not know segment ${number}`;
  }
  const covered = found.filter(({ through }) => through <= meta.segment);
  const replaced = rows.find(({ number }) =>
    covered.some((segment) => segment.number < number && number <= segment.through),
  );
  return replaced && `segment ${replaced.number} was rewritten after it`;
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
    channels: 0,
    entries: 0,
  };
}
