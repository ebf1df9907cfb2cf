/** Damage to stored files, and which entries it may have cost: those whose own bytes, or the header of whose run, are not
 *  what they were. Everything else must still be served. */
import { equalBytes } from '../../src/base/bytes.js';
import type { RawRecord } from '../checkers/raw-segments.js';
import { excuseKey, rawOf } from './checks.js';
import type { Model } from './model.js';
import { type StoreWorld, segmentsDirectory } from './world.js';

type Kind = 'flip' | 'swap' | 'zero' | 'truncate' | 'remove' | 'identity';

const blockBytes = 4096;

export class Damage {
  /** Entries that may be gone. */
  readonly excused = new Set<string>();
  /** Something was damaged: not every comparison makes sense any more. */
  done = false;
  /** By dot, where each record lay when it was last seen whole. */
  readonly #places = new Map<string, RawRecord>();

  /** Stored more than once. A run salvaged from a damaged commit is not taken into a hole: it could be a message's content. */
  readonly #repaired = new Set<string>();

  repaired(keys: readonly string[]): void {
    for (const key of keys) {
      this.excused.delete(key);
      this.#repaired.add(key);
    }
  }

  /** Damages something. `isClean`: the store was closed, so the index knows of every commit. */
  strike(world: StoreWorld, model: Model, isClean: boolean): void {
    const { random } = world;
    const kinds: readonly Kind[] = isClean
      ? ['flip', 'flip', 'swap', 'zero', 'truncate', 'remove', 'identity']
      : ['flip'];
    const kind = kinds[Math.floor(random.next() * kinds.length)]!;
    const before = rawOf(world);
    for (const record of before.records) {
      const key = keyOf(record);
      const known = this.#places.get(key);
      if (known && (known.file !== record.file || known.offset !== record.offset)) this.#repaired.add(key);
      this.#places.set(key, record);
    }
    const intact = new Stored(world);
    const headers = new Map([...this.#places].map(([key, record]) => [key, intact.header(record)]));
    world.trace.add(`damage: ${kind}`);
    this.done = true;
    if (kind === 'identity') flip(world, '/data/store/store.json', 0);
    else damageSegment(world, kind);
    const stored = new Stored(world);
    const hasChanged = !stored.isAsIn(intact);
    for (const [key, record] of this.#places) {
      const isSame = equalBytes(stored.bytes(record.file, record.offset, record.bytes.length), record.bytes);
      const isHit = this.#repaired.has(key) && hasChanged;
      if (!isSame || isHit || !equalBytes(stored.header(record), headers.get(key)!)) this.excused.add(key);
    }
    // Of the newest commit nothing but the index says that it was ever whole.
    if (kind !== 'flip') this.#excuseNewest(model);
    if (kind === 'truncate') this.#excuseLast(model);
  }

  /** A file that ends early may end in the padding of a commit: that one is then cut as one that was never finished. */
  #excuseLast(model: Model): void {
    const last = new Map<string, { readonly key: string; readonly offset: number }>();
    for (const [key, { file, offset }] of this.#places)
      if (!this.excused.has(key) && offset > (last.get(file)?.offset ?? -1)) last.set(file, { key, offset });
    const keys = new Set([...last.values()].map(({ key }) => key));
    const all = [...entriesIn(model)];
    const commits = new Set(all.flatMap(({ key, commit }) => (keys.has(key) ? [commit] : [])));
    for (const { key, commit } of all) if (commits.has(commit)) this.excused.add(key);
  }

  #excuseNewest(model: Model): void {
    const all = [...entriesIn(model)];
    const newest = all.reduce((most, { commit }) => Math.max(most, commit), 0);
    for (const { key, commit } of all) if (commit === newest) this.excused.add(key);
  }
}

function* entriesIn(model: Model): Generator<{ readonly key: string; readonly commit: number }> {
  for (const { ref, writers } of model.channels.values())
    for (const [writer, entries] of writers)
      for (const { seq, commit } of entries)
        yield { key: excuseKey(`${ref.hub}/${ref.channel}`, writer, seq), commit };
}

function keyOf({ channel, writer, seq }: RawRecord): string {
  return excuseKey(channel, writer, seq);
}

class Stored {
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(world: StoreWorld) {
    this.#files = new Map(world.segmentFiles().map(({ name, bytes }) => [name, bytes.slice()]));
  }

  isAsIn(other: Stored): boolean {
    const names = new Set([...this.#files.keys(), ...other.#files.keys()]);
    return [...names].every((name) =>
      equalBytes(this.bytes(name, 0, Infinity), other.bytes(name, 0, Infinity)),
    );
  }

  /** A copy. */
  bytes(name: string, offset: number, length: number): Uint8Array {
    return this.#files.get(name)?.slice(offset, offset + length) ?? new Uint8Array(0);
  }

  /** The header of the run that a record was found in. */
  header({ file, runOffset }: RawRecord): Uint8Array {
    const start = this.bytes(file, runOffset, 6);
    const length = start.length === 6 ? start[4]! | (start[5]! << 8) : 0;
    return this.bytes(file, runOffset, length);
  }
}

function damageSegment(world: StoreWorld, kind: Exclude<Kind, 'identity'>): void {
  const { random } = world;
  const names = world.segmentFiles().filter(({ bytes }) => contentEnd(bytes) > blockBytes);
  const pick = (): { name: string; bytes: Uint8Array } | undefined =>
    names[Math.floor(random.next() * names.length)];
  const one = pick();
  const other = pick();
  if (!one || !other) return;
  const path = segmentsDirectory + one.name;
  const block = (bytes: Uint8Array): number =>
    Math.floor((random.next() * contentEnd(bytes)) / blockBytes) * blockBytes;
  switch (kind) {
    case 'flip':
      flip(world, path, 0);
      return;
    case 'swap': {
      const [from, to] = [block(one.bytes), block(other.bytes)];
      const taken = one.bytes.slice(from, from + blockBytes);
      const given = other.bytes.slice(to, to + blockBytes);
      change(world, path, (bytes) => bytes.set(given.subarray(0, bytes.length - from), from));
      change(world, segmentsDirectory + other.name, (bytes) =>
        bytes.set(taken.subarray(0, bytes.length - to), to),
      );
      return;
    }
    case 'zero':
      change(world, path, (bytes) => bytes.fill(0, block(one.bytes), block(one.bytes) + blockBytes));
      return;
    case 'truncate':
      world.disk.names.damageSize(path, Math.floor(random.next() * contentEnd(one.bytes)));
      return;
    case 'remove':
      world.disk.names.damageRemove(path);
      return;
  }
}

function flip(world: StoreWorld, path: string, from: number): void {
  const { random } = world;
  change(world, path, (bytes) => {
    const at = from + Math.floor(random.next() * Math.max(1, contentEnd(bytes) - from));
    if (at < bytes.length) bytes[at]! ^= 1 << Math.floor(random.next() * 8);
  });
}

function change(world: StoreWorld, path: string, apply: (bytes: Uint8Array) => void): void {
  for (const [name, inode] of world.disk.names.files()) if (name === path) inode.corrupt(apply);
}

function contentEnd(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
