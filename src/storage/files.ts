/** Files as the store needs them: a port, so that the same store runs on a disk and in the simulator.
 *
 *  Paths are absolute and use "/". Errors are those of the operating system, told apart by `code` (`ENOENT`, `ENOSPC`,
 *  `EIO` …). Suite: test/contracts/files.ts. */

/** `create` refuses a file that is there (EEXIST); `write` and `read` refuse one that is not (ENOENT). */
export type OpenMode = 'create' | 'write' | 'read';

export interface StoreFile {
  /** Bytes read into `into` from `position` on; fewer than asked for only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Copies `bytes` into the page cache and returns: measured faster than handing them to a thread. All
   *  or an error; after an error any part may have been written. */
  write(bytes: Uint8Array, position: number): void;
  /** What was written before the call, and the size needed to find it, is on the disk once this resolves. After a
   *  rejection the same data may be lost although a second `sync` resolves: never retry. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface Lock {
  release(): Promise<void>;
}

export interface Files {
  /** With its parents, readable by this user only. No error when it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory in code-point order; ENOENT without it. */
  list(path: string): Promise<string[]>;
  open(path: string, mode: OpenMode): Promise<StoreFile>;
  remove(path: string): Promise<void>;
  /** Replaces what is at `to` in one step. */
  rename(from: string, to: string): Promise<void>;
  /** Makes the names in a directory durable: those created, renamed and removed. */
  syncDirectory(path: string): Promise<void>;
  /** Of the volume that holds `path`, for this user. */
  space(path: string): Promise<Space>;
  /** Excludes every other process, and every other holder in this one, until released or until this process ends in
   *  whatever way. Throws LockHeldError. */
  lock(path: string): Promise<Lock>;
}

export class LockHeldError extends Error {
  override readonly name = 'LockHeldError';
  constructor(
    readonly path: string,
    /** Who holds it, as far as known: for people. */
    readonly holder: string | undefined,
  ) {
    super(
      `${path} is held by ${holder ?? 'another process'}. Two processes must not share a data directory: ` +
        'stop that one, or start this one with another directory.',
    );
  }
}

export function errorCode(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** No space left, by the disk or by a quota. */
export function isFull(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** A whole small file; `undefined` when it is missing. */
export async function readFile(files: Files, path: string): Promise<Uint8Array | undefined> {
  let file: StoreFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = new Uint8Array(await file.size());
    const length = await file.read(bytes, 0);
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

/** Replaces a small file, durably: after a crash it has the old or the new content, never a mixture. */
export async function writeFile(
  files: Files,
  directory: string,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const path = `${directory}/${name}`;
  const next = `${path}.new`;
  await removeIfPresent(files, next);
  const file = await files.open(next, 'create');
  try {
    file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(next, path);
  await files.syncDirectory(directory);
}

/** True when there was something to remove. */
export async function removeIfPresent(files: Files, path: string): Promise<boolean> {
  try {
    await files.remove(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
