/** A lock that no crash can leave behind: the lock of an empty LevelDB database.
 *
 *  LevelDB takes a lock of the operating system (`fcntl` on Linux and macOS, an unshared file on Windows) and a table in
 *  the process for a second opener in it. The system drops it when the process ends, however it ends, so nothing is ever
 *  stale and nobody has to judge whether a process id is still the same process. Node itself offers no such lock, a
 *  socket file stays behind after SIGKILL, and the index's own LevelDB cannot serve because it may be dropped and
 *  rebuilt. */
import { promises as fsp } from 'node:fs';
import { hostname } from 'node:os';
import { ClassicLevel } from 'classic-level';
import { type Lock, LockHeldError, errorCode } from './files.js';

/** `path` becomes a directory of LevelDB's; `holder` in it says who has it, for people. */
export async function lockWithLevel(path: string): Promise<Lock> {
  const level = new ClassicLevel(path, { createIfMissing: true, writeBufferSize: 65_536, cacheSize: 65_536 });
  try {
    await level.open();
  } catch (error) {
    const cause: unknown = error instanceof Error ? error.cause : undefined;
    if (errorCode(cause) === 'LEVEL_LOCKED') throw new LockHeldError(path, await holderOf(path));
    throw asSystemError(error);
  }
  await fsp.writeFile(`${path}/holder`, `process ${process.pid} on ${hostname()}\n`).catch(() => undefined);
  return { release: () => level.close() };
}

async function holderOf(path: string): Promise<string | undefined> {
  try {
    return (await fsp.readFile(`${path}/holder`, 'utf8')).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** LevelDB tells a full disk only in words. */
function asSystemError(error: unknown): unknown {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const text = cause instanceof Error ? cause.message : String(error);
  if (!/no space left|quota/i.test(text)) return error;
  return Object.assign(new Error(`The lock cannot be taken: ${text}`, { cause: error }), { code: 'ENOSPC' });
}
