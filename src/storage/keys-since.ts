/** From when on a start must find idempotency keys again. A full scan would put every key there ever was into the index, only
 *  to remove it. What is old goes by the entries: a clock that is wrong at the start must not make keys old. */
import type { WriterId } from '../base/ids.js';
import type { Timestamp } from '../log/entry.js';
import { isFloorRun } from '../log/floors.js';
import { RefCache } from '../log/run-reader.js';
import { unixMsOf } from '../log/timestamp.js';
import { lineageSeed } from './commit-format.js';
import type { FoundSegment } from './directory.js';
import type { Files } from './files.js';
import { keysSince } from './options.js';
import { scanSegment } from './scan.js';
import { segmentHeaderBytes } from './segment-format.js';
import type { SegmentSet } from './segments.js';

export interface KeysToFind {
  readonly files: Files;
  readonly lineage: string;
  readonly segments: SegmentSet;
  /** Those that are to be scanned. */
  readonly due: readonly FoundSegment[];
  readonly wallMs: number;
}

/** 0 where little is scanned: all keys. */
export async function keysToFind(options: KeysToFind): Promise<Timestamp> {
  const { due, wallMs } = options;
  const written = due.filter(({ isBlank }) => !isBlank);
  if (written.length < 2) return 0;
  for (const segment of written.toReversed()) {
    const newest = await newestOfEach(options, segment);
    if (newest.size === 0) continue;
    // Of writers whose clocks differ the one that is behind counts: what it stamped lately is young.
    return keysSince(Math.min(wallMs, unixMsOf(Math.min(...newest.values()))));
  }
  return 0;
}

/** Of each writer in a segment the newest timestamp. */
async function newestOfEach(
  { files, lineage, segments }: KeysToFind,
  found: FoundSegment,
): Promise<ReadonlyMap<WriterId, Timestamp>> {
  const newest = new Map<WriterId, Timestamp>();
  const file = await files.open(segments.pathOf(found), 'read');
  try {
    const { number, generation, size } = found;
    const read = (into: Uint8Array, position: number): Promise<number> => file.read(into, position);
    const source = { number, generation, size, read };
    for await (const items of scanSegment(source, segmentHeaderBytes, lineageSeed(lineage), new RefCache())) {
      for (const item of items) {
        if (item.type !== 'commit') continue;
        for (const run of item.runs) {
          if (!isFloorRun(run))
            newest.set(run.writer, Math.max(run.lastTimestamp, newest.get(run.writer) ?? 0));
        }
      }
    }
  } finally {
    await file.close();
  }
  return newest;
}
