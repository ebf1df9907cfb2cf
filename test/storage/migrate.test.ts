import { expect, test } from 'vitest';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';
import { seededRandom } from '../../src/base/random.js';
import { utf8, utf8Text } from '../../src/base/bytes.js';
import { readFile } from '../../src/storage/files.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { type StoreMigration, migrate } from '../../src/storage/migrate.js';
import { Recorder, TestWriter, baseOptions, ref, seqsOf, writerId } from './support.js';
import golden from '../golden/storage/v1.json' with { type: 'json' };

function machine() {
  const clock = new SimulatedClock();
  const random = seededRandom(5);
  const disk = new SimulatedDisk({ clock, random });
  const index = new SimulatedIndex({ clock, random });
  const store = '/data/store';
  const open = () =>
    openLogStore({
      ...baseOptions('/data', seededRandom(5)),
      files: disk.files(),
      openIndex: () => index.keyValue(),
      observer: new Recorder(),
      clock,
      segmentBytes: 65_536,
    });
  const run = <T>(task: () => Promise<T>): Promise<T> => clock.until(task());
  return { disk, store, open, run };
}

const step = (from: number, note: string): StoreMigration => ({
  from,
  async run(files, directory) {
    const path = `${directory}/${note}`;
    if (await readFile(files, path)) return;
    const file = await files.open(path, 'create');
    file.write(utf8(note), 0);
    await file.sync();
    await file.close();
  },
});

test('steps run in order from the format found, each once', async () => {
  const { disk, store, open, run } = machine();
  await run(async () => await (await open()).close());
  const files = disk.files();
  const steps = [step(2, 'two'), step(1, 'one')];
  expect(await run(() => migrate({ files, directory: store, steps, target: 3 }))).toEqual([2, 3]);
  expect(utf8Text((await run(() => readFile(files, `${store}/two`)))!)).toBe('two');
  expect(await run(() => migrate({ files, directory: store, steps, target: 3 }))).toEqual([]);
  await expect(run(open)).rejects.toThrow(/format 3; this program knows formats up to 1/);
});

test('a format without a step is refused with what to do', async () => {
  const { disk, store, open, run } = machine();
  await run(async () => await (await open()).close());
  const migrating = run(() => migrate({ files: disk.files(), directory: store, steps: [], target: 2 }));
  await expect(migrating).rejects.toThrow(/older program/);
});

test('a step that was interrupted is run again, and nothing is skipped', async () => {
  const { disk, store, open, run } = machine();
  await run(async () => await (await open()).close());
  const failing: StoreMigration = { from: 1, run: () => Promise.reject(new Error('power')) };
  await expect(
    run(() => migrate({ files: disk.files(), directory: store, steps: [failing], target: 2 })),
  ).rejects.toThrow('power');
  expect(
    await run(() => migrate({ files: disk.files(), directory: store, steps: [step(1, 'one')], target: 2 })),
  ).toEqual([2]);
});

test('a directory without a store needs no migration', async () => {
  const { disk, store, run } = machine();
  expect(await run(() => migrate({ files: disk.files(), directory: store, steps: [], target: 9 }))).toEqual(
    [],
  );
});

/** The files a store of format 1 leaves, written in one way for ever. */
async function writeFixture() {
  const { disk, open, run } = machine();
  await run(async () => {
    const store = await open();
    const a = new TestWriter(store, writerId(1));
    await a.publish(ref('room'), 'one', 'two');
    await a.add(ref('other'), { kind: 'publish', idempotencyKey: 'k', actor: 'alice' });
    await a.commit({ clock: Uint8Array.of(1, 2, 3) });
    await store.close();
  });
  return disk.names
    .files()
    .filter(([path]) => /store\.json$|\.seg$/.test(path))
    .map(([path, inode]) => {
      let end = inode.size;
      while (end > 0 && inode.data[end - 1] === 0) end--;
      // A commit may end in zeros: a disk keeps whole sectors.
      if (path.endsWith('.seg')) end = Math.ceil(end / 512) * 512;
      return { path, base64: Buffer.from(inode.data.subarray(0, end)).toString('base64') };
    });
}

test('the stored form of format 1 is what it was', async () => {
  expect(await writeFixture()).toEqual(golden.files);
});

test('a store of format 1 opens, from its files alone', async () => {
  const { disk, open, run } = machine();
  const files = disk.files();
  await run(async () => {
    await files.makeDirectory('/data/store/segments');
    for (const { path, base64 } of golden.files) {
      const file = await files.open(path, 'create');
      file.write(Buffer.from(base64, 'base64'), 0);
      await file.sync();
      await file.close();
    }
    const store = await open();
    expect((await store.open(ref('room'))).have(writerId(1))).toBe(2);
    const read = await store.read(ref('room'), [{ writer: writerId(1), firstSeq: 1, count: 2 }], 1e6);
    expect(seqsOf(read)).toEqual({ read: [1, 2], missing: [] });
    expect(store.notes.get('clock')).toEqual(Uint8Array.of(1, 2, 3));
    expect(
      (await store.arrivedSince(0, 10)).runs.map(({ ref: { channel }, count }) => [channel, count]),
    ).toEqual([
      ['room', 2],
      ['other', 1],
    ]);
    await store.close();
  });
});
