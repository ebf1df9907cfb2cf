/** What every `KeyValue` must do. */
import { describe, expect, test } from 'vitest';
import type { KeyValue, Write } from '../../src/storage/key-value.js';

export interface KeyValueUnderTest {
  readonly keyValue: KeyValue;
  run<T>(task: () => Promise<T>): Promise<T>;
  done(): Promise<void>;
}

export function keyValueContract(name: string, make: () => Promise<KeyValueUnderTest>): void {
  const scenario = (title: string, body: (keyValue: KeyValue) => Promise<void>): void =>
    test(title, async () => {
      const world = await make();
      try {
        await world.run(async () => {
          await world.keyValue.open();
          await body(world.keyValue);
          await world.keyValue.close();
        });
      } finally {
        await world.done();
      }
    });

  describe(`key-value: ${name}`, () => {
    scenario('gives back what was put, and nothing for what was not', async (keyValue) => {
      await keyValue.batch([put('a', 1), put('b', 2)]);
      expect(await keyValue.get(key('a'))).toEqual(value(1));
      expect(await keyValue.get(key('c'))).toBeUndefined();
      expect(await keyValue.getMany([key('b'), key('c'), key('a')])).toEqual([value(2), undefined, value(1)]);
      expect(await keyValue.getMany([])).toEqual([]);
    });

    scenario('a batch applies in order: the last write of a key wins', async (keyValue) => {
      await keyValue.batch([put('a', 1), { key: key('a') }, put('b', 1), put('b', 2)]);
      expect(await keyValue.get(key('a'))).toBeUndefined();
      expect(await keyValue.get(key('b'))).toEqual(value(2));
      await keyValue.batch([]);
      await keyValue.batch([{ key: key('b') }, { key: key('never there') }]);
      expect(await keyValue.get(key('b'))).toBeUndefined();
    });

    scenario('to sync is to change nothing', async (keyValue) => {
      await keyValue.sync();
      await keyValue.batch([put('a', 1)]);
      await keyValue.sync();
      expect(await keyValue.get(key('a'))).toEqual(value(1));
    });

    scenario('ranges are in byte order, half open, limited, both ways', async (keyValue) => {
      const keys = [[0], [0, 0], [0, 255], [1], [127], [128], [255], [255, 255]];
      await keyValue.batch(
        keys.map((bytes, i) => ({ key: Uint8Array.from(bytes), value: value(i) })).reverse(),
      );
      const found = async (
        gte: number[],
        lt: number[],
        limit: number,
        reverse = false,
      ): Promise<number[]> => {
        const range = { gte: Uint8Array.from(gte), lt: Uint8Array.from(lt), limit, reverse };
        return (await keyValue.range(range)).map(([, bytes]) => bytes[0]!);
      };
      expect(await found([0], [255], 100)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(await found([0, 0], [255, 255], 100)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(await found([0], [255], 2)).toEqual([0, 1]);
      expect(await found([0], [255], 2, true)).toEqual([5, 4]);
      expect(await found([1, 1], [127], 5)).toEqual([]);
      expect(await found([200], [100], 5)).toEqual([]);
      expect(await found([200], [100], 5, true)).toEqual([]);
    });

    scenario('empty values and long keys are kept', async (keyValue) => {
      const long = new Uint8Array(400).fill(7);
      await keyValue.batch([
        { key: long, value: new Uint8Array(0) },
        { key: key('x'), value: new Uint8Array(100_000).fill(3) },
      ]);
      expect(await keyValue.get(long)).toEqual(new Uint8Array(0));
      expect((await keyValue.get(key('x')))?.length).toBe(100_000);
    });

    scenario('what was put is there after closing; after destroying nothing is', async (keyValue) => {
      await keyValue.batch([put('a', 1)]);
      await keyValue.close();
      await keyValue.open();
      expect(await keyValue.get(key('a'))).toEqual(value(1));
      await keyValue.close();
      await keyValue.destroy();
      await keyValue.open();
      expect(await keyValue.get(key('a'))).toBeUndefined();
    });
  });
}

function key(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function value(number: number): Uint8Array {
  return Uint8Array.of(number);
}

function put(name: string, number: number): Write {
  return { key: key(name), value: value(number) };
}
