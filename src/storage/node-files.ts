/** `Files` on the operating system's files. */
import * as fs from 'node:fs';
import { promises as fsp } from 'node:fs';
import { promisify } from 'node:util';
import type { Files, OpenMode, Space, StoreFile } from './files.js';
import { lockWithLevel } from './level-lock.js';

const readAt = promisify(fs.read);
const openFile = promisify(fs.open);
const closeFile = promisify(fs.close);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const ftruncate = promisify(fs.ftruncate);
const fstat = promisify(fs.fstat);

const flags: Record<OpenMode, string> = { create: 'wx+', write: 'r+', read: 'r' };
const directoryMode = 0o700;
const fileMode = 0o600;

export function nodeFiles(): Files {
  return {
    async makeDirectory(path) {
      await fsp.mkdir(path, { recursive: true, mode: directoryMode });
    },
    async list(path) {
      return (await fsp.readdir(path)).sort();
    },
    async open(path, mode) {
      return new NodeFile(await openFile(path, flags[mode], fileMode));
    },
    remove: (path) => fsp.unlink(path),
    rename: (from, to) => fsp.rename(from, to),
    syncDirectory,
    space,
    lock: lockWithLevel,
  };
}

/** What the system has in memory is read at once: handing it to a thread takes twenty times as long. That is so for little, for a
 *  part of each turn, and not for a while after a read that had to wait for the disk. */
class ReadingAtOnce {
  readonly #bytesMax = 65_536;
  readonly #turnMs = 2;
  readonly #slowMs = 1;
  readonly #pauseMs = 250;
  #spentMs = 0;
  #isTurnOver = true;
  #notBefore = 0;

  isAtOnce(bytes: number): boolean {
    return bytes <= this.#bytesMax && this.#spentMs < this.#turnMs && performance.now() >= this.#notBefore;
  }

  /** Returns how many bytes there were. */
  atOnce(descriptor: number, into: Uint8Array, position: number): number {
    const begun = performance.now();
    const bytes = fs.readSync(descriptor, into, 0, into.length, position);
    const took = performance.now() - begun;
    if (took > this.#slowMs) this.#notBefore = begun + took + this.#pauseMs;
    this.#spentMs += took;
    if (this.#isTurnOver) {
      this.#isTurnOver = false;
      setImmediate(() => {
        this.#isTurnOver = true;
        this.#spentMs = 0;
      });
    }
    return bytes;
  }
}

const reading = new ReadingAtOnce();

class NodeFile implements StoreFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = reading.isAtOnce(into.length) ? reading.atOnce(this.#descriptor, into, position) : 0;
    while (done < into.length) {
      const { bytesRead } = await readAt(this.#descriptor, into, done, into.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  write(bytes: Uint8Array, position: number): void {
    let done = 0;
    while (done < bytes.length) {
      done += fs.writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
    }
  }

  sync(): Promise<void> {
    return fdatasync(this.#descriptor);
  }

  truncate(size: number): Promise<void> {
    return ftruncate(this.#descriptor, size);
  }

  async size(): Promise<number> {
    return (await fstat(this.#descriptor)).size;
  }

  close(): Promise<void> {
    return closeFile(this.#descriptor);
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows has no such call: there names are durable with the journal of the file system.
  if (process.platform === 'win32') return;
  const descriptor = await openFile(path, 'r');
  try {
    await fsync(descriptor);
  } finally {
    await closeFile(descriptor);
  }
}

async function space(path: string): Promise<Space> {
  const { bsize, blocks, bavail } = await fsp.statfs(path);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}
