/** `store/store.json`: whose store this is.
 *
 *  `lineage` is drawn when the directory is made, stands in every segment and starts every checksum of a commit: files
 *  of another store never pass for ours. `storeId` is what other nodes know this store by; it starts as the lineage and
 *  is drawn anew whenever the store may have forgotten something it told others. */
import { fromHex, toHex, utf8, utf8Text } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import type { StoreId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import { type Files, readFile, writeFile } from './files.js';
import { storeFormat } from './segment-format.js';

export interface Identity {
  readonly lineage: string;
  readonly storeId: StoreId;
}

const fileName = 'store.json';
const idPattern = /^[0-9a-f]{32}$/;

/** Thrown when the directory cannot be used as it is; the message says what to do. */
export class StoreRefusedError extends Error {
  override readonly name = 'StoreRefusedError';
}

export function newIdentity(random: Random): Identity {
  const id = toHex(random.bytes(16));
  return { lineage: id, storeId: id as StoreId };
}

/** The same files under a new name. */
export function renamed(identity: Identity, random: Random): Identity {
  return { lineage: identity.lineage, storeId: toHex(random.bytes(16)) as StoreId };
}

/** `missing` and `damaged` are for the caller: segments may still say the lineage. Throws StoreRefusedError for a
 *  format newer than this program. */
export async function readIdentity(
  files: Files,
  directory: string,
): Promise<Identity | 'missing' | 'damaged'> {
  const bytes = await readFile(files, `${directory}/${fileName}`);
  if (!bytes) return 'missing';
  const stored = parse(bytes);
  if (!stored) return 'damaged';
  const { format, lineage, storeId } = stored;
  if (format > storeFormat) throw newerFormat(format);
  return { lineage, storeId };
}

/** `undefined` where the file is missing or damaged. */
export async function readFormat(files: Files, directory: string): Promise<number | undefined> {
  const bytes = await readFile(files, `${directory}/${fileName}`);
  return bytes && parse(bytes)?.format;
}

/** The same store in another format: what a migration ends with. */
export async function writeFormat(files: Files, directory: string, format: number): Promise<void> {
  const bytes = await readFile(files, `${directory}/${fileName}`);
  const stored = bytes && parse(bytes);
  if (!stored)
    throw new StoreRefusedError(`${fileName} was damaged while the store was being migrated. Restore it.`);
  await write(files, directory, { ...stored, format });
}

function parse(bytes: Uint8Array): (Identity & { readonly format: number }) | undefined {
  try {
    const { format, lineage, storeId, checksum } = JSON.parse(utf8Text(bytes)) as Record<string, unknown>;
    if (typeof format !== 'number' || typeof lineage !== 'string' || typeof storeId !== 'string')
      return undefined;
    if (checksum !== checksumOf(format, lineage, storeId)) return undefined;
    if (!idPattern.test(lineage) || !idPattern.test(storeId)) return undefined;
    return { format, lineage, storeId: storeId as StoreId };
  } catch {
    return undefined;
  }
}

export async function writeIdentity(files: Files, directory: string, identity: Identity): Promise<void> {
  await write(files, directory, { ...identity, format: storeFormat });
}

async function write(
  files: Files,
  directory: string,
  stored: Identity & { readonly format: number },
): Promise<void> {
  const { format, lineage, storeId } = stored;
  const checksum = checksumOf(format, lineage, storeId);
  const text = JSON.stringify({ format, lineage, storeId, checksum }, undefined, 2);
  await writeFile(files, directory, fileName, utf8(`${text}\n`));
}

// A flipped bit in a digit would still be an id.
function checksumOf(format: number, lineage: string, storeId: string): number {
  return crc32(utf8(`${format} ${lineage} ${storeId}`));
}

export function newerFormat(format: number): StoreRefusedError {
  return new StoreRefusedError(
    `This store has format ${format}; this program knows formats up to ${storeFormat}. Start it with the newer program that wrote it.`,
  );
}

/** First bytes of a lineage, for messages. */
export function shortId(id: string): string {
  return toHex(fromHex(id).subarray(0, 4));
}
