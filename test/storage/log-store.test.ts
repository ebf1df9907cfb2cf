import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { levelKeyValue } from '../../src/storage/level-key-value.js';
import { type LogStoreOptions, openLogStore } from '../../src/storage/log-store.js';
import { nodeFiles } from '../../src/storage/node-files.js';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';
import { seededRandom } from '../../src/base/random.js';
import { logStoreContract } from '../contracts/log-store.js';
import { Recorder, TestWriter, baseOptions, content, ref, seqsOf, writerId } from './support.js';
import { keyScope } from '../../src/log/run-layout.js';

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ringlog-store-'));
  made.push(path);
  return path;
}

function optionsFor(path: string, more: Partial<LogStoreOptions> = {}) {
  const observer = new Recorder();
  const options: LogStoreOptions = {
    ...baseOptions(path),
    files: nodeFiles(),
    openIndex: () => levelKeyValue(`${path}/store/index`),
    observer,
    ...more,
  };
  return { options, observer };
}

logStoreContract('segments and LevelDB on real files', async () => {
  const { options } = optionsFor(await directory());
  return { open: () => openLogStore(options), run: (task) => task(), done: async () => {}, nowMs: Date.now };
});

logStoreContract('segments in the simulator', async () => {
  const clock = new SimulatedClock();
  const random = seededRandom(11);
  const disk = new SimulatedDisk({ clock, random });
  const index = new SimulatedIndex({ clock, random });
  const simulated = {
    files: disk.files(),
    openIndex: () => index.keyValue(),
    clock,
    segmentBytes: 65_536,
    plentyBytes: 0,
  };
  const { options } = optionsFor('/data', simulated);
  return {
    open: () => openLogStore(options),
    run: (task) => clock.until(task()),
    done: async () => {},
    nowMs: () => clock.wallMs(),
  };
});

describe('the store on real files', () => {
  test('what was committed is read back, and again after closing', async () => {
    const path = await directory();
    const { options } = optionsFor(path);
    const first = await openLogStore(options);
    const a = new TestWriter(first, writerId(1));
    await a.publish(ref('room'), 'one', 'two');
    await a.add(ref('room'), 'three');
    await a.add(ref('other'), 'x');
    await a.commit({ clock: Uint8Array.of(1, 2) });
    expect(
      seqsOf(await first.read(ref('room'), [{ writer: writerId(1), firstSeq: 1, count: 3 }], 1e6)).read,
    ).toEqual([1, 2, 3]);
    await first.close();

    const second = await openLogStore(options);
    expect(second.storeId).toBe(first.storeId);
    expect(second.notes.get('clock')).toEqual(Uint8Array.of(1, 2));
    const log = await second.open(ref('room'));
    expect(log.have(writerId(1))).toBe(3);
    expect(log.endPosition).toBe(3);
    expect(
      seqsOf(await second.read(ref('room'), [{ writer: writerId(1), firstSeq: 2, count: 2 }], 1e6)).read,
    ).toEqual([2, 3]);
    expect(await second.hubs()).toEqual(['default']);
    expect((await second.channels('default' as never, { limit: 10 })).map(({ ref: r }) => r.channel)).toEqual(
      ['other', 'room'],
    );
    await second.close();
  });

  test('a second opener is told who holds the directory', async () => {
    const path = await directory();
    const { options } = optionsFor(path);
    const store = await openLogStore(options);
    await expect(openLogStore(options)).rejects.toThrow(/held by process \d+/);
    await store.close();
    await (await openLogStore(options)).close();
  });

  test('a lost index is rebuilt from the segments', async () => {
    const path = await directory();
    const { options } = optionsFor(path, { segmentBytes: 32_768 });
    const store = await openLogStore(options);
    const a = new TestWriter(store, writerId(1));
    for (let i = 0; i < 60; i++) await a.publish(ref(`c${i % 5}`), 'x'.repeat(1500), 'y');
    await store.close();
    await rm(`${path}/store/index`, { recursive: true });

    const { options: again, observer } = optionsFor(path, { segmentBytes: 32_768 });
    const rebuilt = await openLogStore(again);
    expect(observer.of('recovered')).toMatchObject([
      { rebuilt: true, commits: 60, entries: 120, cutBytes: 0 },
    ]);
    for (let c = 0; c < 5; c++) {
      const range = { writer: writerId(1), firstSeq: 1, count: 24 };
      expect(seqsOf(await rebuilt.read(ref(`c${c}`), [range], 1e6)).read).toHaveLength(24);
    }
    expect(rebuilt.storeId).toBe(store.storeId);
    await rebuilt.close();
  });

  test('floors are found again without the index, after what they removed was compacted away', async () => {
    const path = await directory();
    const { options } = optionsFor(path, { segmentBytes: 32_768, soleHome: false });
    const store = await openLogStore(options);
    const a = new TestWriter(store, writerId(1));
    const through = { writer: writerId(9), seq: 5 };
    for (let i = 0; i < 80; i++) {
      await a.publish(ref('room'), 'x'.repeat(1500));
      await a.publish(ref('other'), 'y');
      if (i !== 40 && i !== 60) continue;
      const floors = new Map([
        [writerId(1), i + 1],
        [through.writer, i],
      ]);
      await a.raise(ref('room'), { through: { ...through, seq: i }, floors, round: 1 });
      await a.commit();
    }
    const bytesBefore = await bytesOf(path);
    for (let i = 0; i < 20; i++) await store.maintain(Date.now());
    expect(await bytesOf(path)).toBeLessThan(bytesBefore / 2);
    await store.close();
    await rm(`${path}/store/index`, { recursive: true });

    const { options: again, observer } = optionsFor(path, { segmentBytes: 32_768, soleHome: false });
    const rebuilt = await openLogStore(again);
    expect(observer.of('damage')).toEqual([]);
    expect(rebuilt.storeId).toBe(store.storeId);
    const log = await rebuilt.open(ref('room'));
    expect(log.trim).toMatchObject({ through: { ...through, seq: 60 } });
    expect([log.have(writerId(1)), log.entries, log.lostRanges()]).toEqual([80, 19, []]);
    const range = { writer: writerId(1), firstSeq: 62, count: 19 };
    expect(seqsOf(await rebuilt.read(ref('room'), [range], 1e6)).read).toHaveLength(19);
    expect((await rebuilt.open(ref('other'))).entries).toBe(80);
    await rebuilt.close();
  });

  // However what is left falls beside what heads and pads it.
  test.each([0, 8, 16, 24, 32, 40, 48, 56])(
    'a few bytes that are left of a segment are written once more and not again (%i)',
    async (length) => {
      const path = await directory();
      const { options } = optionsFor(path, { segmentBytes: 32_768, soleHome: false });
      const store = await openLogStore(options);
      const a = new TestWriter(store, writerId(1));
      await a.publish(ref('r'), 'x'.repeat(1500));
      await a.publish(ref('o'), 'y'.repeat(length));
      for (let i = 0; i < 80; i++) await a.publish(ref('r'), 'x'.repeat(1500));
      const through = { writer: writerId(1), seq: 60 };
      await a.raise(ref('r'), { through, floors: new Map([[writerId(1), 60]]), round: 1 });
      await a.commit();
      const maintained = async (): Promise<string[]> => {
        for (let i = 0; i < 12; i++) await store.maintain(Date.now());
        return (await readdir(`${path}/store/segments`)).sort();
      };
      const settled = await maintained();
      expect(settled.some((name) => /\.\d+\.seg$/.test(name))).toBe(true);
      expect(await maintained()).toEqual(settled);
      await store.close();
    },
  );
});

/** Of all segments, what is blank left out. */
async function bytesOf(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(`${path}/store/segments`)) {
    const content = await readFile(`${path}/store/segments/${name}`);
    bytes += content.findLastIndex((byte) => byte !== 0) + 1;
  }
  return bytes;
}

describe('a full disk', () => {
  /** Some segments of two channels on a simulated disk: of every third commit `other` has a part. */
  async function filled(more: Partial<LogStoreOptions> = {}) {
    const clock = new SimulatedClock();
    const random = seededRandom(7);
    const disk = new SimulatedDisk({ clock, random });
    const index = new SimulatedIndex({ clock, random });
    const { options } = optionsFor('/data', {
      files: disk.files(),
      openIndex: () => index.keyValue(),
      clock,
      segmentBytes: 65_536,
      plentyBytes: 0,
      reserveBytes: 262_144,
      soleHome: false,
      ...more,
    });
    const store = await clock.until(openLogStore(options));
    const a = new TestWriter(store, writerId(1));
    const work = async (): Promise<void> => {
      for (let i = 0; i < 200; i++) {
        const key = i % 10 === 0 ? { idempotencyKey: `k${i}` } : {};
        const publisher = { id: 'p', epoch: 1, seq: i + 1, ackedThrough: 0 };
        await a.add(ref('room'), { kind: 'publish', publisher, ...key, content: content('x'.repeat(3_000)) });
        await a.commit();
        if (i % 3 === 0) await a.publish(ref('other'), 'y'.repeat(300));
      }
      for (let i = 0; i < 5; i++) await store.maintain(clock.wallMs());
    };
    await clock.until(work());
    const trimAll = async (): Promise<void> => {
      const through = { writer: writerId(1), seq: 200 };
      await a.raise(ref('room'), { through, floors: new Map([[writerId(1), 200]]), round: 1 });
      await a.commit();
    };
    return { clock, disk, store, a, trimAll, options };
  }

  test('gets room from trims soon, also where there is room for nothing but the reserve', async () => {
    const { clock, disk, store, trimAll, options } = await filled();
    const used = disk.usedBytes;
    disk.capacityBytes = used + 50_000;
    await clock.until(store.maintain(clock.wallMs()));
    expect(store.space()).toBe('spent');
    await clock.until(trimAll());
    let steps = 0;
    for (; store.space() !== 'ok' && steps < 20; steps++) await clock.until(store.maintain(clock.wallMs()));
    expect(steps).toBeLessThan(5);
    for (let i = 0; i < 20; i++) await clock.until(store.maintain(clock.wallMs()));
    expect(disk.usedBytes).toBeLessThan(used - 200_000);
    const log = await clock.until(store.open(ref('other')));
    expect(log.entries).toBe(67);
    const range = { writer: writerId(1), firstSeq: 1, count: 67 };
    const read = await clock.until(store.read(ref('other'), [range], 1e6));
    expect(seqsOf(read)).toMatchObject({ missing: [] });
    expect(seqsOf(read).read).toHaveLength(67);
    // The reserve is there again.
    expect(
      await clock.until(
        disk
          .files()
          .open(`/data/store/reserve`, 'write')
          .then((file) => file.size()),
      ),
    ).toBe(262_144);
    await clock.until(store.close());
    const again = await clock.until(openLogStore(options));
    expect((await clock.until(again.open(ref('other')))).entries).toBe(67);
    await clock.until(again.close());
  });

  test('leaves keys of what went where they are asked for', async () => {
    const { clock, disk, store, trimAll } = await filled();
    disk.capacityBytes = disk.usedBytes + 50_000;
    await clock.until(trimAll());
    for (let i = 0; i < 20; i++) await clock.until(store.maintain(clock.wallMs()));
    expect(store.space()).toBe('ok');
    const wanted = { ref: ref('room'), scope: keyScope('', { id: 'p' }), key: 'k10' };
    const [row] = await clock.until(store.findKeys([wanted as never], 0));
    expect(row?.dot.seq).toBe(11);
  });
});
