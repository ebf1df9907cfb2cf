/** Runs that could not be read are stored again: reads, restarts, rebuilt indexes and compaction see the whole ones. */
import { describe, expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import type { Damage, LogStore } from '../../src/engine/ports.js';
import { floorWriter } from '../../src/log/floors.js';
import type { RunSummary } from '../../src/log/run.js';
import { runOf } from '../../src/log/run-bytes.js';
import { verifyRun } from '../../src/log/run-reader.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { compose, piecesHere } from '../../src/replication/repair-pieces.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';
import { Recorder, TestWriter, baseOptions, content, ref, seqsOf, writerId } from './support.js';

const room = ref('room');
const first = writerId(1);

class Machine {
  readonly clock = new SimulatedClock();
  readonly observer = new Recorder();
  readonly disk = new SimulatedDisk({ clock: this.clock, random: seededRandom(3) });
  readonly index = new SimulatedIndex({ clock: this.clock, random: seededRandom(4) });
  /** Goes on from start to start: a store that is renamed gets a name it never had. */
  readonly #random = seededRandom(5);

  open(): Promise<LogStore> {
    return openLogStore({
      ...baseOptions('/data', this.#random),
      soleHome: false,
      files: this.disk.files(),
      openIndex: () => this.index.keyValue(),
      clock: this.clock,
      observer: this.observer,
      segmentBytes: 16_384,
      plentyBytes: 0,
    });
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    return this.clock.until(task());
  }

  /** The process ends, and with it what is said of the index. */
  kill(index: 'kept' | 'lost' | 'dropped'): void {
    this.disk.kill();
    this.index.kill();
    if (index === 'lost') this.index.loseBatch();
    if (index === 'dropped') this.index.drop();
  }

  /** Flips a bit wherever this text is stored. */
  rot(text: string): void {
    const wanted = Buffer.from(text);
    for (const [path, inode] of this.disk.names.files()) {
      if (!path.endsWith('.seg')) continue;
      inode.corrupt((bytes) => {
        const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
        for (let at = found.indexOf(wanted); at >= 0; at = found.indexOf(wanted, at + 1)) bytes[at]! ^= 1;
      });
    }
  }

  /** Nothing is left of a segment that compaction wrote but its header. */
  endRewritten(): void {
    const [, inode] = this.disk.names.files().find(([path]) => /\.\d+\.seg$/.test(path))!;
    inode.corrupt((bytes) => bytes.fill(0, 4_096));
  }

  /** Flips a bit of the last byte that was stored. */
  rotLast(): void {
    const [, inode] = this.disk.names.files().findLast(([path]) => path.endsWith('.seg'))!;
    inode.corrupt((bytes) => {
      bytes[bytes.findLastIndex((byte) => byte !== 0)]! ^= 1;
    });
  }
}

/** What another home would send: the records as they were written. */
class Elsewhere {
  readonly #records = new Map<string, { round: number; bytes: Uint8Array }>();

  async copy(store: LogStore, writer: WriterId, count: number): Promise<void> {
    for (let seq = 1; seq <= count; seq++) {
      const { slices } = await store.read(room, [{ writer, firstSeq: seq, count: 1 }], 1);
      this.#records.set(`${writer}-${seq}`, { round: slices[0]!.round, bytes: slices[0]!.records.slice() });
    }
  }

  /** Stores the damaged run again, or in one commit these parts of it. */
  async repair(
    store: LogStore,
    ...parts: Pick<Damage, 'ref' | 'writer' | 'firstSeq' | 'count'>[]
  ): Promise<void> {
    const writer = new RunWriter();
    const repairs = parts.map((part) => {
      const { bytes, run } = this.#run(part);
      return writer.add(bytes, run);
    });
    await store.open(room);
    await store.commit({ bytes: writer.bytes(), runs: [], repairs });
    store.release(room);
  }

  #run({ ref: of, writer, firstSeq, count }: Pick<Damage, 'ref' | 'writer' | 'firstSeq' | 'count'>): {
    bytes: Uint8Array;
    run: RunSummary;
  } {
    const found = Array.from({ length: count }, (_, i) => this.#records.get(`${writer}-${firstSeq + i}`)!);
    const records = Buffer.concat(found.map(({ bytes }) => bytes));
    const bytes = runOf({ ref: of, writer, round: found[0]!.round, firstSeq, count, records });
    const run = verifyRun(bytes, 0, bytes.length);
    if (!run.ok) throw new Error(run.error);
    return { bytes, run: run.value };
  }
}

async function seqs(store: LogStore, count: number, writer = first) {
  return seqsOf(await store.read(room, [{ writer, firstSeq: 1, count }], 1e6));
}

const all = (count: number) => ({ read: Array.from({ length: count }, (_, i) => i + 1), missing: [] });

async function damaged(machine: Machine) {
  const store = await machine.open();
  const a = new TestWriter(store, first);
  await a.publish(room, 'one', 'two', 'three');
  await a.publish(room, 'four', 'five', 'six');
  await a.publish(room, 'seven');
  const elsewhere = new Elsewhere();
  await elsewhere.copy(store, first, 7);
  machine.rot('five');
  return { store, elsewhere, a };
}

describe('a damaged run', () => {
  test('is told with all that is known of it, stored again, and read from there', async () => {
    const machine = new Machine();
    await machine.run(async () => {
      const { store, elsewhere } = await damaged(machine);
      expect(store.damaged(10)).toEqual([]);
      expect(await seqs(store, 7)).toEqual({ read: [1, 2, 3, 4, 6, 7], missing: [5] });
      expect(store.damaged(10)).toEqual([{ ref: room, writer: first, firstSeq: 4, count: 3 }]);
      const damage = await store.examine(room, first, 5);
      expect(damage?.whole.map(({ firstSeq, count }) => [firstSeq, count])).toEqual([
        [4, 1],
        [6, 1],
      ]);
      expect(damage?.known?.round).toBe(1);
      expect([damage?.before, damage?.last].every((sum) => typeof sum === 'number' && sum > 0)).toBe(true);
      const broken = await store.digest(room);
      expect(broken?.missing).toEqual([{ writer: first, fromSeq: 5, toSeq: 5 }]);
      await elsewhere.repair(store, damage!);
      const { digest, entries, missing } = (await store.digest(room))!;
      expect([entries, missing]).toEqual([7, []]);
      expect(digest).toEqual((await store.digest(room, { notBefore: machine.clock.wallMs() + 1 }))!.digest);
      expect(await seqs(store, 7)).toEqual(all(7));
      expect(store.damaged(10)).toEqual([]);
      expect(await store.examine(room, first, 5)).toBe(undefined);
      expect((await store.arrivedSince(7, 10)).runs.map(({ firstSeq, count }) => [firstSeq, count])).toEqual([
        [4, 3],
      ]);
      await store.close();
    });
  });

  test.each(['kept', 'lost', 'dropped'] as const)('is whole after a restart, the index %s', async (index) => {
    const machine = new Machine();
    await machine.run(async () => {
      const { store, elsewhere } = await damaged(machine);
      expect((await store.digest(room))?.missing).toHaveLength(1);
      await elsewhere.repair(store, (await store.examine(room, first, 5))!);
      if (index !== 'lost') await store.close();
    });
    machine.kill(index);
    await machine.run(async () => {
      const store = await machine.open();
      expect((await store.digest(room))?.missing).toEqual([]);
      expect(await seqs(store, 7)).toEqual(all(7));
      expect((await store.open(room)).lostRanges()).toEqual([]);
      expect(store.damaged(10)).toEqual([]);
      await store.close();
    });
  });

  test('that a start found is a hole until it is stored again', async () => {
    const machine = new Machine();
    let elsewhere = new Elsewhere();
    await machine.run(async () => {
      const made = await damaged(machine);
      elsewhere = made.elsewhere;
      await made.store.close();
    });
    machine.index.drop();
    const check = async (store: LogStore): Promise<void> => {
      const log = await store.open(room);
      expect([log.have(first), log.holes(), log.hasUnplacedHole]).toEqual([7, [], false]);
      expect(log.writer(first)?.round).toBe(1);
      expect(log.heads()).toEqual([{ writer: first, seq: 7 }]);
      expect(await seqs(store, 7)).toEqual(all(7));
      store.release(room);
    };
    await machine.run(async () => {
      const store = await machine.open();
      const log = await store.open(room);
      expect([log.have(first), log.holes()]).toEqual([7, [{ writer: first, fromSeq: 5, toSeq: 5 }]]);
      expect(log.hasUnplacedHole).toBe(true);
      store.release(room);
      const damage = await store.examine(room, first, 5);
      expect(damage).toMatchObject({ firstSeq: 5, count: 1, known: undefined });
      await elsewhere.repair(store, damage!);
      await check(store);
      await store.close();
    });
    for (const drops of [false, true]) {
      if (drops) machine.index.drop();
      await machine.run(async () => {
        const store = await machine.open();
        await check(store);
        await store.close();
      });
    }
  });

  test('that begins in what is trimmed is found in its new place', async () => {
    const machine = new Machine();
    await machine.run(async () => {
      const store = await machine.open();
      const a = new TestWriter(store, first);
      for (const texts of [['one', 'two'], ['three', 'four'], ['five', 'six'], ['seven']])
        await a.publish(room, ...texts);
      const elsewhere = new Elsewhere();
      await elsewhere.copy(store, first, 7);
      await a.raise(room, { through: { writer: first, seq: 5 }, floors: new Map([[first, 5]]), round: 1 });
      await a.commit();
      machine.rot('six');
      // Another home has these in one run.
      await elsewhere.repair(store, { ref: room, writer: first, firstSeq: 1, count: 6 });
      const read = await store.read(room, [{ writer: first, firstSeq: 6, count: 2 }], 1e6);
      expect(seqsOf(read)).toEqual({ read: [6, 7], missing: [] });
      await store.close();
    });
  });

  test('that is partly below floors gives what is whole and above them', async () => {
    const machine = new Machine();
    await machine.run(async () => {
      const store = await machine.open();
      const a = new TestWriter(store, first);
      await a.publish(room, 'one', 'two', 'three', 'four', 'five');
      await a.raise(room, { through: { writer: first, seq: 3 }, floors: new Map([[first, 3]]), round: 1 });
      await a.commit();
      machine.rot('two');
      await store.close();
    });
    machine.index.drop();
    await machine.run(async () => {
      const store = await machine.open();
      const read = await store.read(room, [{ writer: first, firstSeq: 4, count: 2 }], 1e6);
      expect(seqsOf(read)).toEqual({ read: [4, 5], missing: [] });
      await store.close();
    });
  });

  test('is found by scrubbing, which goes on where the last process stopped', async () => {
    const machine = new Machine();
    await machine.run(async () => {
      const { store } = await damaged(machine);
      await store.maintain(Date.now());
      expect(await store.scrub(1)).toBe(true);
      expect(store.damaged(10)).toEqual([{ ref: room, writer: first, firstSeq: 4, count: 3 }]);
      await store.close();
    });
  });

  test('stands in the way of compaction only until it is stored again', async () => {
    const machine = new Machine();
    await machine.run(async () => {
      const { store, elsewhere, a } = await damaged(machine);
      for (let i = 0; i < 40; i++) await a.publish(ref('other'), 'x'.repeat(2_000));
      const log = await store.open(ref('other'));
      log.commitThrough({ writer: first, seq: 40 });
      await a.raise(ref('other'), log.trimAt(40)!);
      await a.commit();
      const files = () => machine.disk.names.files().filter(([path]) => path.endsWith('.seg'));
      for (let i = 0; i < 20; i++) await store.maintain(Date.now());
      const before = files().map(([path]) => path);
      expect(before.some((path) => path.endsWith('/0000000001.seg'))).toBe(true);
      await seqs(store, 7);
      await elsewhere.repair(store, (await store.examine(room, first, 5))!);
      for (let i = 0; i < 20; i++) await store.maintain(Date.now());
      expect(files().some(([path]) => path.endsWith('/0000000001.seg'))).toBe(false);
      expect(await seqs(store, 7)).toEqual(all(7));
      await store.close();
    });
    machine.index.drop();
    await machine.run(async () => {
      const store = await machine.open();
      expect(await seqs(store, 7)).toEqual(all(7));
      expect((await store.open(room)).lostRanges()).toEqual([]);
      await store.close();
    });
  });
});

describe('a damaged run of which an entry in the middle was given up', () => {
  const parts = [
    { ref: room, writer: first, firstSeq: 1, count: 3 },
    { ref: room, writer: first, firstSeq: 5, count: 2 },
  ];
  const rest = { read: [1, 2, 3, 5, 6, 7], missing: [] };

  async function givenUp(machine: Machine) {
    const store = await machine.open();
    const a = new TestWriter(store, first);
    await a.publish(room, 'one', 'two', 'three', 'four', 'five', 'six');
    await a.publish(room, 'seven');
    const elsewhere = new Elsewhere();
    await elsewhere.copy(store, first, 7);
    machine.rot('two');
    machine.rot('four');
    const b = new TestWriter(store, writerId(2), 2_000_000);
    await b.add(room, { kind: 'gap', lost: { writer: first, fromSeq: 4, toSeq: 4 } });
    await b.commit();
    return { store, elsewhere };
  }

  test('is stored again without it, in parts that take its place together', async () => {
    const machine = new Machine();
    await machine.run(async () => {
      const { store, elsewhere } = await givenUp(machine);
      expect((await seqs(store, 7)).missing).toEqual([2, 4]);
      await elsewhere.repair(store, parts[0]!);
      // The rest would be nowhere.
      expect((await seqs(store, 7)).missing).toEqual([2, 4]);
      await elsewhere.repair(store, ...parts);
      expect((await seqs(store, 7)).read).toEqual(rest.read);
      expect(await store.examine(room, first, 2)).toBe(undefined);
      expect((await store.digest(room))?.missing).toEqual([]);
      for (let i = 0; i < 3; i++) await store.scrub(1);
      expect(store.damaged(10)).toEqual([]);
      await store.close();
    });
  });

  test.each(['kept', 'lost', 'dropped'] as const)('is so after a restart, the index %s', async (index) => {
    const machine = new Machine();
    const digest = await machine.run(async () => {
      const { store, elsewhere } = await givenUp(machine);
      await seqs(store, 7);
      await elsewhere.repair(store, ...parts);
      const found = await store.digest(room);
      if (index !== 'lost') await store.close();
      return found;
    });
    machine.kill(index);
    await machine.run(async () => {
      const store = await machine.open();
      expect((await seqs(store, 7)).read).toEqual(rest.read);
      const found = await store.digest(room);
      expect([found?.digest, found?.entries, found?.missing]).toEqual([digest?.digest, digest?.entries, []]);
      expect((await store.open(room)).holes()).toEqual([]);
      expect(await store.examine(room, first, 2)).toBe(undefined);
      store.release(room);
      await store.close();
    });
  });
});

describe('a start that reads all anew', () => {
  test('finds what was lacking before lacking, and is the same store still', async () => {
    const machine = new Machine();
    const other = writerId(2);
    const holes = [{ writer: first, fromSeq: 1, toSeq: 3 }];
    const storeId = await machine.run(async () => {
      const store = await machine.open();
      const log = await store.open(room);
      const writer = new RunWriter();
      writer.begin(room, other, 1, 1, 0);
      const parents = [{ writer: first, seq: 3 }];
      writer.append({ kind: 'publish', content: content('behind it'), parents, timestamp: 1_000_000 });
      writer.end();
      // Another home said that these were given up.
      const lost = new Map([[0, [{ writer: first, fromSeq: 1, toSeq: 3 }]]]);
      await store.commit({ bytes: writer.bytes(), runs: [...writer.runs], lost });
      expect(log.holes()).toEqual(holes);
      store.release(room);
      await store.close();
      return store.storeId;
    });
    machine.index.drop();
    await machine.run(async () => {
      const store = await machine.open();
      expect(store.storeId).toBe(storeId);
      expect((await store.open(room)).holes()).toEqual(holes);
      expect(machine.observer.of('damage')).toEqual([]);
      store.release(room);
      await store.close();
    });
  });

  test('and finds that a rewritten segment ends too soon is another store', async () => {
    const machine = new Machine();
    const storeId = await machine.run(async () => {
      const store = await machine.open();
      const a = new TestWriter(store, first);
      // Nothing comes behind it in its channel that would show that it was there.
      await a.publish(ref('other'), 'kept');
      for (let i = 1; i <= 24; i++) await a.publish(room, 'x'.repeat(1_500));
      const floors = new Map([[first, 24]]);
      await a.raise(room, { through: { writer: first, seq: 24 }, floors, round: 1 });
      await a.commit();
      for (let i = 0; i < 20; i++) await store.maintain(machine.clock.wallMs());
      await store.close();
      return store.storeId;
    });
    machine.index.drop();
    machine.endRewritten();
    await machine.run(async () => {
      const store = await machine.open();
      expect(store.storeId).not.toBe(storeId);
      await store.close();
    });
  });
});

describe('floors that cannot be read', () => {
  const floorsThrough = (seq: number) => ({
    through: { writer: first, seq },
    floors: new Map([[first, seq]]),
    round: 1,
  });

  /** Rots the newest of two. */
  async function rotten(machine: Machine): Promise<LogStore> {
    const store = await machine.open();
    const a = new TestWriter(store, first);
    await a.publish(room, 'one', 'two', 'three', 'four');
    for (const seq of [1, 3]) {
      await a.raise(room, floorsThrough(seq));
      await a.commit();
    }
    machine.rotLast();
    return store;
  }

  test('are written down again by who knows them, without another home', async () => {
    const machine = new Machine();
    await machine.run(async () => {
      const store = await rotten(machine);
      await store.maintain(Date.now());
      await store.scrub(1);
      expect(store.damaged(10)).toEqual([{ ref: room, writer: floorWriter, firstSeq: 3, count: 1 }]);
      const damage = await store.examine(room, floorWriter, 3);
      const composed = compose(damage!, piecesHere(damage!), () => false);
      if (typeof composed === 'string') throw new Error(composed);
      const [{ bytes, run }] = composed as [(typeof composed)[number]];
      await store.commit({ bytes, runs: [], repairs: [run] });
      expect(store.damaged(10)).toEqual([]);
      for (let i = 0; i < 3; i++) await store.scrub(1);
      expect(store.damaged(10)).toEqual([]);
      expect(await store.examine(room, floorWriter, 3)).toBe(undefined);
      await store.close();
    });
    machine.index.drop();
    await machine.run(async () => {
      const store = await machine.open();
      const log = await store.open(room);
      expect([log.writer(first)?.floor, log.have(first), log.entries]).toEqual([3, 4, 1]);
      expect((await store.digest(room))?.entries).toBe(1);
      await store.close();
    });
  });

  test('are left where newer ones say all', async () => {
    const machine = new Machine();
    await machine.run(async () => {
      const store = await rotten(machine);
      const a = new TestWriter(store, writerId(2));
      await a.raise(room, floorsThrough(4));
      await a.commit();
      expect(await store.examine(room, floorWriter, 3)).toBe(undefined);
      await store.close();
    });
  });
});
