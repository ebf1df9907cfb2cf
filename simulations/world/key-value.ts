/** An index that forgets as LevelDB does: batches not synced are lost at a power loss, from the last backwards; after a
 *  failed append everything later is gone at the next open although it could be read until then. */
import type { Random } from '../../src/base/random.js';
import type { KeyRange, KeyValue, Row, Write } from '../../src/storage/key-value.js';
import { memoryKeyValue } from './memory-key-value.js';
import type { Sleeper } from './clock.js';

export interface IndexFaults {
  /** One coming batch fails; what follows it in this process is gone at the next open. */
  failBatch?: boolean;
  /** One coming `open` rejects. */
  failOpen?: boolean;
}

/** What is stored, over any number of processes. */
export class SimulatedIndex {
  readonly faults: IndexFaults = {};
  /** Something of it went that no power loss takes. */
  isHurt = false;
  /** Time of one operation, drawn evenly up to this. */
  latencyMsMax = 1;
  readonly #clock: Sleeper;
  readonly #random: Random;
  readonly #dies: (what: string) => boolean;
  readonly #isAlive: () => boolean;
  #batches: (readonly Write[])[] = [];
  /** Batches before this one are on the disk. */
  #durable = 0;
  #torn: number | undefined;
  #generation = 0;

  /** `dies` is told of each step and says whether the process ends in it. */
  constructor(options: {
    clock: Sleeper;
    random: Random;
    dies?: (what: string) => boolean;
    isAlive?: () => boolean;
  }) {
    this.#isAlive = options.isAlive ?? (() => true);
    this.#clock = options.clock;
    this.#random = options.random;
    this.#dies = options.dies ?? (() => false);
  }

  kill(): void {
    this.#generation++;
    this.#dropTorn();
  }

  powerLoss(): void {
    this.kill();
    const uncertain = this.#batches.length - this.#durable;
    this.#batches.length = this.#durable + Math.floor(this.#random.next() * (uncertain + 1));
    this.#durable = this.#batches.length;
  }

  /** The disk was lost, or an operator removed the directory. */
  drop(): void {
    this.isHurt = true;
    this.#batches = [];
    this.#durable = 0;
  }

  /** For checkers: all that was ever put and not lost. */
  rows(): readonly Uint8Array[] {
    return this.#batches.flat().flatMap(({ key, value }) => (value ? [key, value] : [key]));
  }

  /** One byte of one stored value changes. */
  flipValue(): boolean {
    const puts = this.#batches.flat().filter(({ value }) => value && value.length > 0);
    const chosen = puts[Math.floor(this.#random.next() * puts.length)];
    if (!chosen?.value) return false;
    this.isHurt = true;
    chosen.value[Math.floor(this.#random.next() * chosen.value.length)]! ^=
      1 << Math.floor(this.#random.next() * 8);
    return true;
  }

  /** Rows vanish without a word, as after a flipped bit in a log of LevelDB's. */
  loseBatch(): boolean {
    if (this.#batches.length === 0) return false;
    this.isHurt = true;
    this.#batches.splice(Math.floor(this.#random.next() * this.#batches.length), 1);
    this.#durable = Math.min(this.#durable, this.#batches.length);
    return true;
  }

  /** The map as one process has it. */
  keyValue(): KeyValue {
    const generation = this.#generation;
    const rows = memoryKeyValue();
    const answer = async <T>(make: () => Promise<T>): Promise<T> => {
      await this.#clock.sleep(this.#random.next() * this.latencyMsMax);
      const isAlive = generation === this.#generation && this.#isAlive();
      return isAlive ? await make() : await new Promise<T>(() => {});
    };
    return {
      open: () =>
        answer(async () => {
          if (this.faults.failOpen) {
            this.faults.failOpen = false;
            this.isHurt = true;
            throw new Error('the index cannot be opened');
          }
          this.#dropTorn();
          await rows.destroy();
          for (const batch of this.#batches) await rows.batch(batch);
        }),
      get: (key) => answer(() => rows.get(key)),
      getMany: (keys) => answer(() => rows.getMany(keys)),
      range: (range: KeyRange): Promise<Row[]> => answer(() => rows.range(range)),
      batch: (writes) => answer(() => this.#append(rows, writes)),
      sync: () => answer(() => this.#sync()),
      close: () => answer(async () => {}),
      destroy: () =>
        answer(async () => {
          if (this.#dies('destroy index')) return await new Promise<void>(() => {});
          this.drop();
          await rows.destroy();
        }),
    };
  }

  async #append(rows: KeyValue, writes: readonly Write[]): Promise<void> {
    if (this.#dies(`index batch of ${writes.length}`)) {
      if (this.#random.next() < 0.5) this.#keep(writes);
      return await new Promise<void>(() => {});
    }
    if (this.faults.failBatch) {
      this.faults.failBatch = false;
      this.#torn ??= this.#batches.length;
      throw Object.assign(new Error('the index cannot be written'), { code: 'EIO' });
    }
    this.#keep(writes);
    await rows.batch(writes);
    // The system writes what it holds when it likes.
    if (this.#random.next() < 0.1) {
      this.#durable += Math.floor(this.#random.next() * (this.#batches.length - this.#durable + 1));
    }
  }

  async #sync(): Promise<void> {
    if (this.#dies('sync index')) return await new Promise<void>(() => {});
    // What follows a failed append is never on the disk.
    this.#durable = Math.min(this.#batches.length, this.#torn ?? Number.POSITIVE_INFINITY);
  }

  #keep(writes: readonly Write[]): void {
    this.#batches.push(
      writes.map(({ key, value }) => ({ key: key.slice(), ...(value && { value: value.slice() }) })),
    );
  }

  #dropTorn(): void {
    if (this.#torn === undefined) return;
    this.isHurt = true;
    this.#batches.length = Math.min(this.#batches.length, this.#torn);
    this.#durable = Math.min(this.#durable, this.#batches.length);
    this.#torn = undefined;
  }
}
