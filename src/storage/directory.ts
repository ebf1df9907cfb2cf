/** A store's directory at start: whose it is, and which segment files count. */
import type { Random } from '../base/random.js';
import type { Observer } from '../engine/ports.js';
import { type Files, removeIfPresent } from './files.js';
import {
  type Identity,
  StoreRefusedError,
  newIdentity,
  newerFormat,
  readIdentity,
  renamed,
  shortId,
  writeIdentity,
} from './identity.js';
import {
  type SegmentHeader,
  type SegmentHeaderProblem,
  parseSegmentFileName,
  parseSegmentHeader,
  segmentFileName,
  segmentHeaderBytes,
} from './segment-format.js';
import type { Result } from '../base/result.js';
import { err } from '../base/result.js';

/** A segment file that counts. */
export interface FoundSegment {
  readonly number: number;
  readonly generation: number;
  /** The last written segment it stands for. */
  readonly through: number;
  readonly size: number;
  /** Absent when it is blank or damaged. */
  readonly header: SegmentHeader | undefined;
  readonly isBlank: boolean;
}

export interface StoreDirectory {
  readonly identity: Identity;
  /** The directory was made just now. */
  readonly isNew: boolean;
  /** Rising by number. */
  readonly found: readonly FoundSegment[];
  /** Numbers of segments that should be there and are not. */
  readonly missing: readonly number[];
}

interface Candidate {
  readonly number: number;
  readonly generation: number;
  readonly size: number;
  readonly header: Result<SegmentHeader, SegmentHeaderProblem>;
}

/** `directory` is `store/` of the data directory, and locked. Throws StoreRefusedError. */
export async function readDirectory(
  files: Files,
  directory: string,
  random: Random,
  observer: Observer,
): Promise<StoreDirectory> {
  const segments = `${directory}/segments`;
  await files.makeDirectory(segments);
  await files.syncDirectory(directory);
  const candidates = await readCandidates(files, segments, observer);
  const identity = await establish(files, directory, candidates, random, observer);
  const chosen = choose(candidates);
  for (const { number, generation } of chosen.superseded) {
    await removeIfPresent(files, `${segments}/${segmentFileName(number, generation)}`);
  }
  // Names made or removed by a process that ended before it could say so.
  await files.syncDirectory(segments);
  for (const { number, generation, header, isBlank } of chosen.found) {
    if (header || isBlank) continue;
    const place = segmentFileName(number, generation);
    observer.observe({ type: 'damage', place, what: 'the header of this segment cannot be read' });
  }
  for (const number of chosen.missing) {
    const place = segmentFileName(number, 0);
    observer.observe({ type: 'damage', place, what: 'this segment is missing' });
  }
  return { ...identity, found: chosen.found, missing: chosen.missing };
}

async function readCandidates(files: Files, segments: string, observer: Observer): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const name of await files.list(segments)) {
    const parsed = parseSegmentFileName(name);
    if (parsed) candidates.push({ ...parsed, ...(await readHeader(files, `${segments}/${name}`, parsed)) });
    // Compaction writes under another name until it is done.
    else if (name.endsWith('.new')) await removeIfPresent(files, `${segments}/${name}`);
    else
      observer.observe({
        type: 'alarm',
        code: 'UNKNOWN_FILE',
        message: `${name} is not a segment; left alone.`,
      });
  }
  return candidates;
}

async function readHeader(
  files: Files,
  path: string,
  name: { number: number; generation: number },
): Promise<Pick<Candidate, 'size' | 'header'>> {
  const file = await files.open(path, 'read');
  try {
    const page = new Uint8Array(segmentHeaderBytes);
    const length = await file.read(page, 0);
    const header = parseSegmentHeader(page.subarray(0, length));
    const isOther =
      header.ok && (header.value.number !== name.number || header.value.generation !== name.generation);
    return { size: await file.size(), header: isOther ? err('damaged') : header };
  } finally {
    await file.close();
  }
}

/** Reads the identity, or makes one; a lost one is told from the segments and gets a new storeId. */
async function establish(
  files: Files,
  directory: string,
  candidates: readonly Candidate[],
  random: Random,
  observer: Observer,
): Promise<{ identity: Identity; isNew: boolean }> {
  for (const { header } of candidates) {
    if (!header.ok && typeof header.error === 'object') throw newerFormat(header.error.newerFormat);
  }
  const lineages = new Set(candidates.flatMap(({ header }) => (header.ok ? [header.value.lineage] : [])));
  const read = await readIdentity(files, directory);
  if (typeof read === 'object') {
    refuseForeign(candidates, read.lineage);
    return { identity: read, isNew: false };
  }
  const [lineage] = lineages;
  if (lineage === undefined) {
    const hasContent = candidates.some(({ header }) => !header.ok && header.error === 'damaged');
    if (hasContent || read === 'damaged') throw unknownStore(directory);
    const identity = newIdentity(random);
    await writeIdentity(files, directory, identity);
    return { identity, isNew: true };
  }
  refuseForeign(candidates, lineage);
  observer.observe({
    type: 'damage',
    place: 'store.json',
    what: `it is ${read}; the segments say whose store this is`,
  });
  const identity = renamed({ ...newIdentity(random), lineage }, random);
  await writeIdentity(files, directory, identity);
  return { identity, isNew: false };
}

function refuseForeign(candidates: readonly Candidate[], lineage: string): void {
  for (const { number, generation, header } of candidates) {
    if (!header.ok || header.value.lineage === lineage) continue;
    throw new StoreRefusedError(
      `Segment ${segmentFileName(number, generation)} is of store ${shortId(header.value.lineage)}, this directory of store ${shortId(lineage)}: two stores were mixed. Put each back into its own directory.`,
    );
  }
}

function unknownStore(directory: string): StoreRefusedError {
  return new StoreRefusedError(
    `${directory} has lost both store.json and the headers of its segments, so nothing in it can be verified. Restore store.json, or move the directory away.`,
  );
}

/** Of each number the newest complete file; what a rewritten one stands for is superseded. */
function choose(candidates: readonly Candidate[]): {
  found: FoundSegment[];
  superseded: Candidate[];
  missing: number[];
} {
  const found: FoundSegment[] = [];
  const superseded: Candidate[] = [];
  const missing: number[] = [];
  const numbers = [...new Set(candidates.map(({ number }) => number))].sort((a, b) => a - b);
  let next = numbers[0] ?? 1;
  for (const number of numbers) {
    const versions = candidates
      .filter((candidate) => candidate.number === number)
      .sort((a, b) => b.generation - a.generation);
    if (number < next) {
      superseded.push(...versions);
      continue;
    }
    // A damaged rewriting gives way to what it was made from, where that is still there.
    const best = versions.find(({ header }) => header.ok) ?? versions[0]!;
    superseded.push(...versions.filter((version) => version !== best));
    for (; next < number; next++) missing.push(next);
    const through = best.header.ok ? best.header.value.through : lastBefore(number, best, numbers);
    found.push({
      number,
      generation: best.generation,
      through,
      size: best.size,
      header: best.header.ok ? best.header.value : undefined,
      isBlank: !best.header.ok && best.header.error === 'blank',
    });
    next = through + 1;
  }
  return { found, superseded, missing };
}

/** A rewritten segment that cannot say how far it reaches does so up to the next one. */
function lastBefore(number: number, { generation }: Candidate, numbers: readonly number[]): number {
  const following = numbers.find((other) => other > number);
  return generation === 0 || following === undefined ? number : following - 1;
}
