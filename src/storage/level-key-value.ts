/** `KeyValue` on LevelDB. */
import { promises as fsp } from 'node:fs';
import { ClassicLevel } from 'classic-level';
import type { KeyRange, KeyValue, Row, Write } from './key-value.js';

type Level = ClassicLevel<Uint8Array, Uint8Array>;

export function levelKeyValue(directory: string): KeyValue {
  return new LevelKeyValue(directory);
}

const neverPut = Uint8Array.of(0);

class LevelKeyValue implements KeyValue {
  readonly #directory: string;
  #level: Level | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(): Promise<void> {
    await fsp.mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const level: Level = new ClassicLevel(this.#directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      // Rows are small and already dense; a larger buffer means fewer rewrites while an index is rebuilt.
      writeBufferSize: 16_777_216,
      cacheSize: 16_777_216,
    });
    await level.open();
    this.#level = level;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return plain(await this.#opened().get(key));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return (await this.#opened().getMany(keys as Uint8Array[])).map(plain);
  }

  async range(range: KeyRange): Promise<Row[]> {
    const { gte, lt, limit, reverse = false } = range;
    const rows = await this.#opened().iterator({ gte, lt, limit, reverse }).all();
    return rows.map(([key, value]): Row => [plain(key), plain(value)]);
  }

  async batch(writes: readonly Write[]): Promise<void> {
    try {
      await this.#opened().batch(
        writes.map(({ key, value }) => (value ? { type: 'put', key, value } : { type: 'del', key })),
      );
    } catch (error) {
      throw withSystemCode(error);
    }
  }

  /** A synced write takes all before it along; this one changes nothing. */
  async sync(): Promise<void> {
    try {
      await this.#opened().del(neverPut, { sync: true });
    } catch (error) {
      throw withSystemCode(error);
    }
  }

  async close(): Promise<void> {
    await this.#level?.close();
    this.#level = undefined;
  }

  async destroy(): Promise<void> {
    await fsp.rm(this.#directory, { recursive: true, force: true });
  }

  #opened(): Level {
    if (!this.#level) throw new Error('The index is not open.');
    return this.#level;
  }
}

/** LevelDB tells of a full disk in words alone. */
export function withSystemCode(error: unknown): unknown {
  const isFull = error instanceof Error && /No space left on device|Disk quota exceeded/.test(error.message);
  return isFull ? Object.assign(new Error(error.message, { cause: error }), { code: 'ENOSPC' }) : error;
}

/** LevelDB hands out `Buffer`s, whose `slice` is no copy. */
function plain(bytes: Uint8Array): Uint8Array;
function plain(bytes: Uint8Array | undefined): Uint8Array | undefined;
function plain(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
