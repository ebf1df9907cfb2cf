/** A disk that forgets, lies and fails, by seed. `files()` gives the `Files` of one process; `kill` and `powerLoss` end
 *  it, after which nothing it started has an effect, and the next `files()` sees what is left.
 *
 *  What a power loss does: of each file any subset of the 512-byte sectors written since its last sync survives, its
 *  length is the old or the new one, and names made, renamed or removed since the last sync of their directory are kept
 *  or not. A kill leaves all that was written, and the operation it fell into half done. */
import type { Random } from '../../src/base/random.js';
import type { Files, Lock, Space, StoreFile } from '../../src/storage/files.js';
import { LockHeldError } from '../../src/storage/files.js';
import type { Sleeper } from './clock.js';
import { type Inode, Names } from './disk-names.js';

const sectorBytes = 512;

export interface DiskOptions {
  readonly clock: Sleeper;
  readonly random: Random;
  readonly capacityBytes?: number;
  /** Time of one asynchronous operation, drawn evenly up to this. */
  readonly latencyMsMax?: number;
  /** Told of each step, for the trace. */
  readonly onStep?: (what: string) => void;
  /** Told once the contents of a file are on the disk. */
  readonly onSynced?: (path: string, inode: Inode) => void;
}

/** What may go wrong: each number says with the how manieth call from now, and is used up by it. */
export interface DiskFaults {
  /** A `sync` fails and marks its data clean: a later sync succeeds without writing it. */
  failSync?: number;
  /** A write fails after half of it. */
  failWrite?: number;
  /** A read fails. */
  failRead?: number;
}

/** A planted bug of the disk, so that the search can prove it would find one: syncs that only pretend. */
export interface DiskLies {
  readonly syncDoesNothing?: boolean;
}

export class SimulatedDisk {
  readonly faults: DiskFaults = {};
  capacityBytes: number;
  /** Time of one asynchronous operation, drawn evenly up to this. */
  latencyMsMax: number;
  /** No effect comes before the end of its operation. */
  isLate = false;
  /** How likely a process dies in a step around the renaming and removing of files: rare steps, where order matters. */
  deathAtNames = 0;
  #namesNear = 0;
  /** Steps so far: every change and every sync is one, and each may be the last of its process. */
  steps = 0;
  readonly #options: DiskOptions;
  readonly #lies: DiskLies;
  readonly #names = new Names();
  #process = { alive: true, died: () => {} };
  #dieAtStep = Number.POSITIVE_INFINITY;
  #locks = new Set<string>();

  constructor(options: DiskOptions, lies: DiskLies = {}) {
    this.#options = options;
    this.#lies = lies;
    this.capacityBytes = options.capacityBytes ?? 1 << 30;
    this.latencyMsMax = options.latencyMsMax ?? 1;
  }

  /** The process ends inside the step that many steps from now; `died` is told. */
  dieAfter(steps: number, died: () => void): void {
    this.#dieAtStep = this.steps + steps;
    this.#process.died = died;
  }

  /** A process that is to die does so within these steps. */
  dieWithin(steps: number): void {
    if (this.#dieAtStep < Number.POSITIVE_INFINITY)
      this.#dieAtStep = Math.min(this.#dieAtStep, this.steps + steps);
  }

  get alive(): boolean {
    return this.#process.alive;
  }

  /** Ends the process; what it wrote stays in the page cache. */
  kill(): void {
    this.#process.alive = false;
    this.#process = { alive: true, died: () => {} };
    this.#dieAtStep = Number.POSITIVE_INFINITY;
    this.#locks = new Set();
  }

  /** Ends the process and the page cache. */
  powerLoss(): void {
    this.kill();
    const { random } = this.#options;
    this.#names.powerLoss(random);
    for (const inode of this.#names.inodes()) losePart(inode, random);
  }

  /** For checkers and for damage done by hand: the files as the next process will find them. */
  get names(): Names {
    return this.#names;
  }

  files(): Files {
    const process = this.#process;
    const dead = (): boolean => !process.alive;
    return {
      makeDirectory: (path) => this.#do(dead, `mkdir ${path}`, () => this.#names.makeDirectory(path)),
      list: (path) => this.#do(dead, undefined, () => this.#names.list(path)),
      open: (path, mode) =>
        this.#do(
          dead,
          mode === 'create' ? `create ${path}` : undefined,
          () => new SimulatedFile(this, dead, this.#names.open(path, mode), path),
        ),
      remove: (path) => this.#do(dead, `remove ${path}`, () => this.#names.remove(path)),
      rename: (from, to) => this.#do(dead, `rename ${from} ${to}`, () => this.#names.rename(from, to)),
      syncDirectory: (path) => this.#do(dead, `syncDirectory ${path}`, () => this.#names.sync(path)),
      space: () => this.#do(dead, undefined, () => this.#space()),
      lock: (path) => this.#do(dead, undefined, () => this.#lock(path)),
    };
  }

  get usedBytes(): number {
    let used = 0;
    for (const inode of this.#names.inodes()) used += inode.size;
    return used;
  }

  #space(): Space {
    return { freeBytes: Math.max(0, this.capacityBytes - this.usedBytes), totalBytes: this.capacityBytes };
  }

  #lock(path: string): Lock {
    const locks = this.#locks;
    if (locks.has(path)) throw new LockHeldError(path, 'this process');
    locks.add(path);
    return {
      release: async () => {
        locks.delete(path);
      },
    };
  }

  /** An asynchronous operation: its effect comes at once or at its end, its answer after some time. */
  async #do<T>(dead: () => boolean, step: string | undefined, effect: () => T): Promise<T> {
    if (dead()) return await never();
    const { latencyMsMax } = this;
    const { clock, random } = this.#options;
    const early = random.next() < 0.5 && !this.isLate;
    if (early) return await this.#later(dead, random.next() * latencyMsMax, this.#attempt(step, effect));
    await clock.sleep(random.next() * latencyMsMax);
    if (dead()) return await never();
    return await this.#later(dead, 0, this.#attempt(step, effect));
  }

  #attempt<T>(step: string | undefined, effect: () => T): () => T {
    if (step !== undefined && this.#dies(step)) {
      if (this.#options.random.next() < 0.5) attempted(effect)();
      this.#die();
      return () => {
        throw new Error('unreachable: the process is dead');
      };
    }
    return attempted(effect);
  }

  async #later<T>(dead: () => boolean, delayMs: number, outcome: () => T): Promise<T> {
    await this.#options.clock.sleep(delayMs);
    return dead() ? await never() : outcome();
  }

  /** A step of something beside the files: true when the process has died in it. */
  step(what: string): boolean {
    if (!this.#dies(what)) return false;
    this.#die();
    return true;
  }

  #dies(step: string): boolean {
    this.steps++;
    this.#options.onStep?.(step);
    if (/^(rename|remove) /.test(step)) this.#namesNear = 3;
    const isNear = this.#namesNear-- > 0;
    return this.steps >= this.#dieAtStep || (isNear && this.#options.random.next() < this.deathAtNames);
  }

  #fails(fault: keyof DiskFaults): boolean {
    const left = this.faults[fault];
    if (left === undefined) return false;
    if (left > 1) this.faults[fault] = left - 1;
    else delete this.faults[fault];
    return left <= 1;
  }

  #die(): void {
    const { died } = this.#process;
    this.#process.alive = false;
    died();
  }

  read(dead: () => boolean, inode: Inode, into: Uint8Array, position: number): Promise<number> {
    return this.#do(dead, undefined, () => {
      if (this.#fails('failRead')) throw systemError('EIO', 'read');
      const end = Math.min(inode.size, position + into.length);
      if (end <= position) return 0;
      into.set(inode.data.subarray(position, end));
      return end - position;
    });
  }

  write(dead: () => boolean, inode: Inode, bytes: Uint8Array, position: number, path: string): void {
    if (dead()) throw systemError('EIO', 'write by a dead process');
    if (this.#dies(`write ${path} ${position}+${bytes.length}`)) {
      inode.write(begunOf(bytes, position, this.#options.random.next() * bytes.length), position);
      this.#die();
      throw systemError('EIO', 'the process died');
    }
    if (this.#fails('failWrite')) {
      inode.write(begunOf(bytes, position, bytes.length / 2), position);
      throw systemError('EIO', 'write');
    }
    const room = this.#space().freeBytes + Math.max(0, inode.size - position);
    inode.write(room < bytes.length ? begunOf(bytes, position, room) : bytes, position);
    if (room < bytes.length) throw systemError('ENOSPC', 'write');
  }

  sync(dead: () => boolean, inode: Inode, path: string): Promise<void> {
    return this.#do(dead, `sync ${path}`, () => {
      if (this.#fails('failSync')) {
        inode.markClean();
        throw systemError('EIO', 'fdatasync');
      }
      if (this.#lies.syncDoesNothing) return;
      inode.sync();
      this.#options.onSynced?.(path, inode);
    });
  }

  truncate(dead: () => boolean, inode: Inode, size: number, path: string): Promise<void> {
    return this.#do(dead, `truncate ${path} ${size}`, () => inode.truncate(size));
  }

  size(dead: () => boolean, inode: Inode): Promise<number> {
    return this.#do(dead, undefined, () => inode.size);
  }

  close(dead: () => boolean): Promise<void> {
    return this.#do(dead, undefined, () => undefined);
  }
}

class SimulatedFile implements StoreFile {
  #open = true;
  constructor(
    readonly disk: SimulatedDisk,
    readonly dead: () => boolean,
    readonly inode: Inode,
    readonly path: string,
  ) {}

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#mustBeOpen();
    return await this.disk.read(this.dead, this.inode, into, position);
  }

  write(bytes: Uint8Array, position: number): void {
    this.#mustBeOpen();
    this.disk.write(this.dead, this.inode, bytes, position, this.path);
  }

  async sync(): Promise<void> {
    this.#mustBeOpen();
    await this.disk.sync(this.dead, this.inode, this.path);
  }

  async truncate(size: number): Promise<void> {
    this.#mustBeOpen();
    await this.disk.truncate(this.dead, this.inode, size, this.path);
  }

  async size(): Promise<number> {
    this.#mustBeOpen();
    return await this.disk.size(this.dead, this.inode);
  }

  async close(): Promise<void> {
    this.#mustBeOpen();
    this.#open = false;
    await this.disk.close(this.dead);
  }

  #mustBeOpen(): void {
    if (!this.#open) throw systemError('EBADF', 'a closed file');
  }
}

/** Any subset of the sectors written since the last sync, and the old length or the new. */
function losePart(inode: Inode, random: Random): void {
  const mood = random.next();
  const keepsSize = random.next() < 0.5;
  inode.lose((sector) => {
    if (mood < 0.2) return false;
    if (mood < 0.4) return true;
    // A torn write in order, as most disks tear, and one in any order.
    return mood < 0.6 ? sector < inode.tearAt(random) : random.next() < 0.5;
  }, keepsSize);
}

/** The beginning of a write that does not get to its end: systems copy whole pages, disks write whole sectors. */
function begunOf(bytes: Uint8Array, position: number, length: number): Uint8Array {
  const end = Math.floor((position + length) / sectorBytes) * sectorBytes;
  return bytes.subarray(0, Math.max(0, end - position));
}

function attempted<T>(effect: () => T): () => T {
  try {
    const value = effect();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

export function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
