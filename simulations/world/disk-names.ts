/** The simulated disk's contents: files with a page cache above what is durable, and names likewise. */
import type { Random } from '../../src/base/random.js';

const sectorBytes = 512;

export class Inode {
  /** As processes see it. */
  data = new Uint8Array(0);
  size = 0;
  #durable = new Uint8Array(0);
  #durableSize = 0;
  readonly #dirty = new Set<number>();

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    const end = position + bytes.length;
    this.#grow(end);
    this.data.set(bytes, position);
    this.size = Math.max(this.size, end);
    for (let s = Math.floor(position / sectorBytes); s * sectorBytes < end; s++) this.#dirty.add(s);
  }

  truncate(size: number): void {
    this.#grow(size);
    if (size < this.size) this.data.fill(0, size, this.size);
    const from = Math.min(size, this.size);
    this.size = size;
    for (let s = Math.floor(from / sectorBytes); s * sectorBytes < this.data.length; s++) this.#dirty.add(s);
  }

  sync(): void {
    if (this.#durable.length !== this.data.length)
      this.#durable = this.#resized(this.#durable, this.data.length);
    for (const sector of this.#dirty) this.#keep(sector);
    this.#dirty.clear();
    this.#durableSize = this.size;
  }

  /** A failed sync: the system takes the data for written. */
  markClean(): void {
    this.#dirty.clear();
  }

  /** Where a write torn in order stops: a sector among the dirty ones. */
  tearAt(random: Random): number {
    const sectors = [...this.#dirty].sort((a, b) => a - b);
    this.#tear ??= sectors[Math.floor(random.next() * sectors.length)] ?? 0;
    return this.#tear;
  }
  #tear: number | undefined;

  /** The page cache is gone; of what it held unsynced, `survives` says which sectors had reached the disk. */
  lose(survives: (sector: number) => boolean, keepsSize: boolean): void {
    this.#durable = this.#resized(this.#durable, Math.max(this.data.length, this.#durable.length));
    const size = keepsSize ? this.size : this.#durableSize;
    for (const sector of [...this.#dirty].sort((a, b) => a - b)) if (survives(sector)) this.#keep(sector);
    this.#dirty.clear();
    this.#tear = undefined;
    this.#durable.fill(0, size);
    this.data = this.#durable.slice();
    this.size = size;
    this.#durableSize = size;
  }

  /** Damage: what is on the disk changes, and nobody is told. */
  corrupt(change: (bytes: Uint8Array) => void): void {
    this.sync();
    change(this.data.subarray(0, this.size));
    this.#durable = this.data.slice();
  }

  #keep(sector: number): void {
    const start = sector * sectorBytes;
    this.#durable.set(this.data.subarray(start, start + sectorBytes), start);
  }

  #grow(length: number): void {
    if (length <= this.data.length) return;
    const capacity = Math.ceil(Math.max(length, this.data.length * 1.5) / sectorBytes) * sectorBytes;
    this.data = this.#resized(this.data, capacity);
  }

  #resized(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
    const grown = new Uint8Array(length);
    grown.set(bytes.subarray(0, length));
    return grown;
  }
}

type Node = Inode | 'directory';
type Change = (names: Map<string, Node>) => void;

/** The tree, as processes see it and as it is on the disk; what differs is a list of changes by directory. */
export class Names {
  #seen = new Map<string, Node>();
  #durable = new Map<string, Node>();
  #pending: { readonly directory: string; readonly apply: Change }[] = [];

  makeDirectory(path: string): void {
    const parts = path.split('/');
    for (let i = 2; i <= parts.length; i++) {
      const part = parts.slice(0, i).join('/');
      if (this.#seen.get(part) === 'directory') continue;
      if (this.#seen.has(part)) throw problem('EEXIST', part);
      this.#change(part, (names) => names.set(part, 'directory'));
    }
  }

  list(path: string): string[] {
    if (this.#seen.get(path) !== 'directory') throw problem('ENOENT', path);
    const below = `${path}/`;
    return [...this.#seen.keys()]
      .filter((name) => name.startsWith(below) && !name.includes('/', below.length))
      .map((name) => name.slice(below.length))
      .sort();
  }

  open(path: string, mode: 'create' | 'write' | 'read'): Inode {
    const found = this.#seen.get(path);
    if (found === 'directory') throw problem('EISDIR', path);
    if (mode !== 'create') {
      if (!found) throw problem('ENOENT', path);
      return found;
    }
    if (found) throw problem('EEXIST', path);
    if (this.#seen.get(parentOf(path)) !== 'directory') throw problem('ENOENT', parentOf(path));
    const inode = new Inode();
    this.#change(path, (names) => names.set(path, inode));
    return inode;
  }

  remove(path: string): void {
    if (!(this.#seen.get(path) instanceof Inode)) throw problem('ENOENT', path);
    this.#change(path, (names) => names.delete(path));
  }

  rename(from: string, to: string): void {
    const inode = this.#seen.get(from);
    if (!(inode instanceof Inode)) throw problem('ENOENT', from);
    this.#change(to, (names) => {
      names.set(to, inode);
      if (names.get(from) === inode) names.delete(from);
    });
  }

  sync(path: string): void {
    if (this.#seen.get(path) !== 'directory') throw problem('ENOENT', path);
    for (const { directory, apply } of this.#pending) if (directory === path) apply(this.#durable);
    this.#pending = this.#pending.filter(({ directory }) => directory !== path);
  }

  /** Each change not yet synced is kept or lost for itself: a promise is what was synced, nothing more. */
  powerLoss(random: Random): void {
    const mood = random.next();
    for (const { apply } of this.#pending) {
      if (mood < 0.25 || (mood < 0.75 && random.next() < 0.5)) apply(this.#durable);
    }
    this.#pending = [];
    for (const path of [...this.#durable.keys()].sort()) {
      const parent = parentOf(path);
      if (parent !== '' && this.#durable.get(parent) !== 'directory') this.#durable.delete(path);
    }
    this.#seen = new Map(this.#durable);
  }

  /** Damage: the file loses its end, and nobody is told. */
  damageSize(path: string, size: number): void {
    const inode = this.#seen.get(path);
    if (!(inode instanceof Inode)) return;
    inode.truncate(size);
    inode.sync();
  }

  /** Damage: the file is gone. */
  damageRemove(path: string): void {
    this.#seen.delete(path);
    this.#durable.delete(path);
  }

  /** Paths of all files, as processes see them, with their contents. */
  files(): (readonly [path: string, inode: Inode])[] {
    const files: (readonly [string, Inode])[] = [];
    for (const path of [...this.#seen.keys()].sort()) {
      const inode = this.#seen.get(path);
      if (inode instanceof Inode) files.push([path, inode]);
    }
    return files;
  }

  inodes(): Set<Inode> {
    return new Set(this.files().map(([, inode]) => inode));
  }

  #change(path: string, apply: Change): void {
    apply(this.#seen);
    // What stands at the top was made, and made durable, by whoever set the machine up.
    if (parentOf(path) === '') return apply(this.#durable);
    this.#pending.push({ directory: parentOf(path), apply });
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function problem(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
