/** Idempotency keys are young or old by the time of entries, whatever the clock says when a store is opened. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';
import type { WriterId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import type { LogStore } from '../../src/engine/ports.js';
import { timestampFromUnixMs } from '../../src/log/timestamp.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { Recorder, TestWriter, baseOptions, content, ref, writerId } from './support.js';

const hourMs = 3_600_000;
const day = 24 * hourMs;

class Machine {
  readonly clock = new SimulatedClock();
  readonly #random = seededRandom(5);
  readonly #disk = new SimulatedDisk({ clock: this.clock, random: this.#random });
  #index = this.#newIndex();
  /** How far the wall clock is wrong. */
  skewMs = 0;

  #newIndex(): SimulatedIndex {
    return new SimulatedIndex({ clock: this.clock, random: this.#random });
  }

  get nowMs(): number {
    return this.clock.wallMs() + day;
  }

  open(): Promise<LogStore> {
    return openLogStore({
      ...baseOptions('/data', seededRandom(5)),
      files: this.#disk.files(),
      openIndex: () => this.#index.keyValue(),
      observer: new Recorder(),
      clock: { wallMs: () => this.nowMs + this.skewMs, monotonicMs: () => this.clock.monotonicMs() },
      segmentBytes: 65_536,
      plentyBytes: 0,
    });
  }

  loseIndex(): void {
    this.#index = this.#newIndex();
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    return this.clock.until(task(), hourMs);
  }
}

async function publish(store: LogStore, writer: WriterId, unixMs: number, key: string): Promise<void> {
  const a = new TestWriter(store, writer, timestampFromUnixMs(Math.floor(unixMs)));
  await a.add(ref(`room-of-${key}`), {
    kind: 'publish',
    idempotencyKey: key,
    content: content('x'.repeat(20_000)),
  });
  await a.commit();
}

async function known(store: LogStore, ...keys: string[]): Promise<boolean[]> {
  const wanted = keys.map((key) => ({ ref: ref(`room-of-${key}`), scope: '/', key }));
  return (await store.findKeys(wanted, 0)).map((row) => row !== undefined);
}

const names = Array.from({ length: 12 }, (_, i) => `k${i}`);

test.each([4 * hourMs, -4 * hourMs, 0])(
  'what is young is found by a start whose clock is %d ms off',
  async (skewMs) => {
    const machine = new Machine();
    await machine.run(async () => {
      const store = await machine.open();
      for (const [i, key] of names.entries()) await publish(store, writerId(i + 1), machine.nowMs, key);
      await store.close();
      machine.skewMs = skewMs;
      for (const isIndexLost of [false, true]) {
        if (isIndexLost) machine.loseIndex();
        const again = await machine.open();
        expect(await known(again, ...names)).toEqual(names.map(() => true));
        await again.close();
      }
    });
  },
);

test('what is written by others while the clock is ahead since the start is found', async () => {
  const machine = new Machine();
  await machine.run(async () => {
    machine.skewMs = 4 * hourMs;
    const store = await machine.open();
    await publish(store, writerId(1), machine.nowMs, 'now');
    expect(await known(store, 'now')).toEqual([true]);
    await store.close();
  });
});

test('entries that were stamped ahead do not make old what others stamped lately', async () => {
  const machine = new Machine();
  await machine.run(async () => {
    const store = await machine.open();
    for (const [i, key] of names.entries())
      await publish(store, writerId(1 + (i % 2)), machine.nowMs + (i % 2) * 4 * hourMs + i, key);
    await store.close();
    machine.skewMs = 4 * hourMs;
    machine.loseIndex();
    const again = await machine.open();
    expect(await known(again, ...names)).toEqual(names.map(() => true));
    await again.close();
  });
});

test('a scan of everything leaves out keys that nobody asks for any more', async () => {
  const machine = new Machine();
  await machine.run(async () => {
    const store = await machine.open();
    for (const key of names) await publish(store, writerId(1), machine.nowMs - hourMs, key);
    await machine.clock.sleep(limits.idempotencyWindowMs);
    for (const i of [1, 2, 3, 4]) await publish(store, writerId(2), machine.nowMs, `late${i}`);
    await store.close();
    machine.loseIndex();
    const again = await machine.open();
    expect(await known(again, ...names.slice(0, 3), 'late1', 'late4')).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    await again.close();
  });
});
