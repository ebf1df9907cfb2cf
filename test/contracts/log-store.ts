/** What every `LogStore` must do, whatever it stores in. */
import { describe, expect, test } from 'vitest';
import type { ChannelRef } from '../../src/base/ids.js';
import { type LogStore, StoreFailedError } from '../../src/engine/ports.js';
import { ChannelDigestSum } from '../../src/log/digest.js';
import { timestampFromUnixMs } from '../../src/log/timestamp.js';
import { floorRun, floorWriter } from '../../src/log/floors.js';
import { sha256 } from '../../src/storage/sha256.js';
import { runOf } from '../../src/log/run-bytes.js';
import { verifyRun } from '../../src/log/run-reader.js';
import { crc32 } from '../../src/base/crc32.js';
import { TestWriter, content, ref, seqsOf, writerId } from '../storage/support.js';

export interface LogStoreUnderTest {
  /** Opens the same store again and again; the one before must be closed. */
  open(): Promise<LogStore>;
  run<T>(task: () => Promise<T>): Promise<T>;
  done(): Promise<void>;
  /** Unix milliseconds, by the store's clock. */
  nowMs(): number;
}

const room = ref('room');
const [first, second] = [writerId(1), writerId(2)];

export function logStoreContract(name: string, make: () => Promise<LogStoreUnderTest>): void {
  const scenario = (
    title: string,
    body: (world: LogStoreUnderTest, store: LogStore) => Promise<void>,
  ): void =>
    test(title, async () => {
      const world = await make();
      try {
        await world.run(async () => await body(world, await world.open()));
      } finally {
        await world.done();
      }
    });

  describe(`log store: ${name}`, () => {
    scenario('a new store is empty', async (_, store) => {
      expect([...store.notes]).toEqual([]);
      expect(await store.hubs()).toEqual([]);
      expect((await store.open(room)).isEmpty).toBe(true);
      expect(await store.arrivedSince(0, 10)).toEqual({ runs: [], through: 0 });
      expect(store.newestArrival).toBe(0);
      await store.close();
    });

    scenario(
      'entries of several writers and channels come back as they were, after closing too',
      async (world, store) => {
        const a = new TestWriter(store, first);
        await a.publish(room, 'one', 'two');
        await a.add(room, 'three');
        await a.add(ref('other'), 'x');
        await a.commit();
        const check = async (opened: LogStore): Promise<void> => {
          expect((await opened.open(room)).have(first)).toBe(3);
          expect(await seqs(opened, room, 1, 3)).toEqual([1, 2, 3]);
          expect(await seqs(opened, room, 2, 1)).toEqual([2]);
          expect(await seqs(opened, ref('other'), 1, 1)).toEqual([1]);
          expect(await opened.hubs()).toEqual(['default']);
          const sizes = await opened.channels(room.hub, { limit: 10 });
          expect(sizes.map(({ ref: { channel }, entries }) => [channel, entries])).toEqual([
            ['other', 1],
            ['room', 3],
          ]);
          expect(await opened.channels(room.hub, { limit: 10, after: 'other' })).toHaveLength(1);
        };
        await check(store);
        await store.close();
        const again = await world.open();
        expect(again.storeId).toBe(store.storeId);
        await check(again);
        const b = new TestWriter(again, second, 2_000_000);
        await b.publish(room, 'four');
        const log = await again.open(room);
        expect([log.endPosition, log.heads()]).toEqual([4, [{ writer: second, seq: 1 }]]);
        await again.close();
      },
    );

    scenario('notes are replaced by newer ones of their name, and last', async (world, store) => {
      const a = new TestWriter(store, first);
      await a.commit({ clock: Uint8Array.of(1), promise: Uint8Array.of(2) });
      await a.commit({ clock: Uint8Array.of(3) });
      expect(Object.fromEntries(store.notes)).toEqual({ clock: Uint8Array.of(3), promise: Uint8Array.of(2) });
      await store.close();
      const again = await world.open();
      expect(Object.fromEntries(again.notes)).toEqual({ clock: Uint8Array.of(3), promise: Uint8Array.of(2) });
      await again.close();
    });

    scenario('reading keeps to its bytes, but gives one record however large', async (_, store) => {
      const a = new TestWriter(store, first);
      for (let i = 0; i < 5; i++) await a.publish(room, 'x'.repeat(2_000), 'y'.repeat(2_000));
      const seen: number[] = [];
      while (seen.length < 10) {
        const range = { writer: first, firstSeq: seen.length + 1, count: 10 - seen.length };
        const { read, missing } = seqsOf(await store.read(room, [range], 1));
        expect([read.length >= 1, read.length < 10, missing]).toEqual([true, true, []]);
        seen.push(...read);
      }
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      await store.close();
    });

    scenario('the first entry at or after a time is found exactly', async (_, store) => {
      const a = new TestWriter(store, first, 1_000);
      for (let i = 0; i < 4; i++) await a.publish(room, 'a', 'b', 'c');
      // Stamped 1001 … 1012.
      for (const [time, seq] of [
        [0, 1],
        [1_001, 1],
        [1_002, 2],
        [1_006, 6],
        [1_012, 12],
      ] as const) {
        expect(Object.fromEntries(await store.seqsSince(room, time))).toEqual({ [first]: seq });
      }
      expect((await store.seqsSince(room, 1_013)).size).toBe(0);
      await store.close();
    });

    scenario(
      'idempotency keys are found at once and after closing, not those too old',
      async (world, store) => {
        const now = timestampFromUnixMs(world.nowMs());
        const a = new TestWriter(store, first, now);
        await a.add(room, { kind: 'publish', idempotencyKey: 'k', content: content('x') });
        await a.commit();
        const wanted = [
          { ref: room, scope: '/', key: 'k' },
          { ref: room, scope: '/', key: 'other' },
        ];
        const row = {
          ref: room,
          scope: '/',
          key: 'k',
          dot: { writer: first, seq: 1 },
          timestamp: now + 1,
          contentHash: crc32(content('x')),
        };
        expect(await store.findKeys(wanted, 0)).toEqual([row, undefined]);
        await store.close();
        const again = await world.open();
        expect(await again.findKeys(wanted, 0)).toEqual([row, undefined]);
        expect(await again.findKeys(wanted, 0, now - 1)).toEqual([undefined, undefined]);
        expect(await again.findKeys(wanted, now + 2)).toEqual([undefined, undefined]);
        await again.close();
      },
    );

    scenario('what arrived is listed in order of arrival, from any number on', async (world, store) => {
      const a = new TestWriter(store, first);
      await a.publish(room, 'one', 'two');
      await a.add(ref('other'), 'x');
      await a.add(room, 'three');
      await a.commit();
      await store.close();
      const again = await world.open();
      await new TestWriter(again, second, 2_000_000).publish(room, 'four');
      const { runs: all, through } = await again.arrivedSince(0, 100);
      expect(through).toBe(again.newestArrival);
      expect(
        all.map(({ ref: { channel }, writer, firstSeq, count }) => [channel, writer, firstSeq, count]),
      ).toEqual([
        ['room', first, 1, 2],
        ['other', first, 1, 1],
        ['room', first, 3, 1],
        ['room', second, 1, 1],
      ]);
      const start = all[0]!.arrival;
      expect(all.map(({ arrival }) => arrival - start)).toEqual([0, 2, 3, 4]);
      // Two of the first run's numbers are known already, then one, then none.
      expect((await again.arrivedSince(start, 100)).runs.map(({ arrival }) => arrival - start)).toEqual([
        0, 2, 3, 4,
      ]);
      expect((await again.arrivedSince(start + 1, 100)).runs.map(({ arrival }) => arrival - start)).toEqual([
        2, 3, 4,
      ]);
      expect((await again.arrivedSince(start + 3, 100)).runs.map(({ arrival }) => arrival - start)).toEqual([
        4,
      ]);
      expect(await again.arrivedSince(start + 4, 100)).toEqual({ runs: [], through });
      await again.close();
    });

    scenario('a trim removes what lies below it for good', async (world, store) => {
      const a = new TestWriter(store, first);
      for (let i = 0; i < 6; i++) await a.publish(room, `${i}`);
      const trim = (await store.open(room)).trimAt(4)!;
      await a.add(room, { kind: 'trim', trim });
      await a.commit();
      const check = async (opened: LogStore): Promise<void> => {
        const log = await opened.open(room);
        expect([log.firstPosition, log.endPosition, log.floors.get(first)]).toEqual([4, 7, 4]);
        expect(await seqs(opened, room, 5, 3)).toEqual([5, 6, 7]);
      };
      await check(store);
      await store.maintain(Date.now());
      await store.close();
      const again = await world.open();
      await check(again);
      await again.close();
    });

    scenario('what the channels of a hub hold is known at once, hub by hub', async (world, store) => {
      const a = new TestWriter(store, first);
      const there = ref('room', 'other');
      for (let i = 0; i < 6; i++) await a.publish(room, 'x'.repeat(1_000));
      await a.publish(ref('lobby'), 'y'.repeat(500));
      await a.publish(there, 'z');
      const held = async (opened: LogStore, hub: ChannelRef['hub']): Promise<number> => {
        const sizes = await opened.channels(hub, { limit: 10 });
        const sum = sizes.reduce((all, { bytes }) => all + bytes, 0);
        expect(opened.hubBytes(hub)).toBe(sum);
        return sum;
      };
      const heldOfEach = async (opened: LogStore): Promise<number[]> => {
        const each = [await held(opened, room.hub), await held(opened, there.hub)];
        expect(opened.bytes).toBe(each[0]! + each[1]!);
        return each;
      };
      const before = await heldOfEach(store);
      expect(before[0]).toBeGreaterThan(6_500);
      expect(store.hubBytes(ref('room', 'nobody').hub)).toBe(0);
      // What a trim frees counts at once.
      await a.add(room, { kind: 'trim', trim: (await store.open(room)).trimAt(4)! });
      await a.commit();
      const after = await heldOfEach(store);
      expect(after[0]).toBeLessThan(before[0]! - 3_500);
      expect(after[1]).toBe(before[1]);
      await store.close();
      const again = await world.open();
      expect(await heldOfEach(again)).toEqual(after);
      await new TestWriter(again, second, 2_000_000).publish(there, 'four');
      expect(await held(again, there.hub)).toBeGreaterThan(after[1]!);
      await again.close();
    });

    scenario('a digest says what is held, and is gone on from, after closing too', async (world, store) => {
      const a = new TestWriter(store, first);
      await a.publish(room, 'one', 'two');
      const begun = (await store.digest(room))!;
      expect([begun.entries, Object.fromEntries(begun.through), begun.missing]).toEqual([
        2,
        { [first]: 2 },
        [],
      ]);
      await a.publish(room, 'three');
      const more = (await store.digest(room))!;
      expect([more.entries, Object.fromEntries(more.through), more.readAt]).toEqual([
        3,
        { [first]: 3 },
        begun.readAt,
      ]);
      expect(more.digest).toEqual(await byReading(store, room));
      expect(await store.digest(room)).toEqual(more);
      await store.close();
      const again = await world.open();
      expect(await again.digest(room)).toEqual(more);
      const fresh = (await again.digest(room, { notBefore: world.nowMs() + 1 }))!;
      expect(fresh).toEqual({ ...more, readAt: fresh.readAt });
      await new TestWriter(again, second, 2_000_000).publish(room, 'four');
      const last = (await again.digest(room))!;
      expect([last.entries, last.digest]).toEqual([4, await byReading(again, room)]);
      await again.close();
    });

    scenario('a digest begins above the floors', async (_, store) => {
      const a = new TestWriter(store, first);
      for (let i = 0; i < 6; i++) await a.publish(room, `${i}`);
      const before = (await store.digest(room))!;
      await a.add(room, { kind: 'trim', trim: (await store.open(room)).trimAt(4)! });
      await a.commit();
      const after = (await store.digest(room))!;
      expect([before.entries, after.entries, Object.fromEntries(after.floors)]).toEqual([
        6,
        3,
        { [first]: 4 },
      ]);
      expect(after.digest).toEqual(await byReading(store, room));
      await store.close();
    });

    scenario('a digest is made in steps, with a pause after each', async (_, store) => {
      const a = new TestWriter(store, first);
      for (let i = 0; i < 8; i++) await a.publish(room, 'x'.repeat(100_000));
      let bytes = 0;
      let pauses = 0;
      const pause = async (read: number): Promise<void> => {
        bytes += read;
        pauses++;
      };
      const digest = (await store.digest(room, { pause }))!;
      expect([digest.entries, pauses > 2, bytes]).toEqual([8, true, (await store.open(room)).bytes]);
      await store.close();
    });

    scenario(
      'contents are told without digests at first, and with them once they are made',
      async (world, store) => {
        const a = new TestWriter(store, first);
        for (const name of ['a', 'b', 'c']) await a.publish(ref(name), name);
        const digest = (await store.digest(ref('b')))!;
        const told = await store.contents(room.hub, { limit: 2 });
        expect(
          told.map(({ ref: { channel }, through, digest: known }) => [channel, through.get(first), known]),
        ).toEqual([
          ['a', 1, undefined],
          ['b', 1, digest],
        ]);
        expect(await store.contents(room.hub, { after: 'b', limit: 2 })).toMatchObject([{ ref: ref('c') }]);
        await a.publish(ref('b'), 'more');
        const [grown] = await store.contents(room.hub, { after: 'a', limit: 1 });
        expect([grown!.through.get(first), grown!.digest]).toEqual([2, undefined]);
        await store.digest(ref('b'));
        await store.close();
        const again = await world.open();
        expect((await again.contents(room.hub, { after: 'a', limit: 1 }))[0]!.digest?.entries).toBe(2);
        await again.close();
      },
    );

    scenario(
      'floors that came from elsewhere hold for good, and a sub-log goes on above them',
      async (world, store) => {
        const a = new TestWriter(store, first);
        for (let i = 0; i < 6; i++) await a.publish(room, `${i}`);
        const [through, other] = [writerId(7), writerId(8)];
        const floors = new Map([
          [first, 6],
          [through, 40],
        ]);
        const trim = { through: { writer: through, seq: 40 }, floors, round: 3 };
        const elsewhere = new TestWriter(store, other, 3_000_000);
        // Floors and what stands on them in one commit, the floors first.
        await elsewhere.raise(room, trim);
        await elsewhere.add(room, { kind: 'publish', parents: [trim.through], content: content('on top') });
        await elsewhere.commit();
        const check = async (opened: LogStore): Promise<void> => {
          const log = await opened.open(room);
          expect(log.trim).toEqual(trim);
          expect([log.firstPosition, log.entries, log.have(first), log.have(through)]).toEqual([
            46, 1, 6, 40,
          ]);
          expect(log.heads()).toEqual([{ writer: other, seq: 1 }]);
          expect(log.accepts({ ...floorRun(room, trim).run })).toMatchObject({ ok: false });
          const range = { writer: other, firstSeq: 1, count: 1 };
          expect(seqsOf(await opened.read(room, [range], 1e6)).read).toEqual([1]);
          const { runs: arrived, through: newest } = await opened.arrivedSince(0, 100);
          expect(newest).toBe(opened.newestArrival);
          expect(arrived.map(({ writer, firstSeq }) => [writer, firstSeq]).at(-1)).toEqual([other, 1]);
          expect(arrived.map(({ writer }) => writer)).not.toContain(floorWriter);
        };
        await check(store);
        for (let i = 0; i < 3; i++) await store.maintain(Date.now());
        await check(store);
        await store.close();
        const again = await world.open();
        await check(again);
        await again.close();
      },
    );

    scenario(
      'what is stored again is what it was, arrives anew, and raises nothing',
      async (world, store) => {
        const a = new TestWriter(store, first);
        await a.publish(room, 'one', 'two');
        await a.publish(room, 'three');
        const { slices } = await store.read(room, [{ writer: first, firstSeq: 1, count: 2 }], 1e6);
        const { round, records } = slices[0]!;
        const bytes = runOf({ ref: room, writer: first, round, firstSeq: 1, count: 2, records });
        const run = verifyRun(bytes, 0, bytes.length);
        if (!run.ok) throw new Error(run.error);
        await store.open(ref('other'));
        const fresh = new TestWriter(store, second, 2_000_000);
        await fresh.publish(ref('other'), 'before');
        const before = store.newestArrival;
        const { firstArrival } = await store.commit({ bytes, runs: [], repairs: [run.value] });
        expect([firstArrival, store.newestArrival]).toEqual([before + 1, before + 2]);
        await fresh.publish(ref('other'), 'after');
        const check = async (opened: LogStore): Promise<void> => {
          const log = await opened.open(room);
          expect([log.have(first), log.entries, log.holes()]).toEqual([3, 3, []]);
          expect(await seqs(opened, room, 1, 3)).toEqual([1, 2, 3]);
          const { runs } = await opened.arrivedSince(before, 10);
          expect(runs.map(({ writer, firstSeq, count }) => [writer, firstSeq, count])).toEqual([
            [first, 1, 2],
            [second, 2, 1],
          ]);
        };
        await check(store);
        await store.close();
        const again = await world.open();
        await check(again);
        await again.close();
      },
    );

    scenario('nothing is damaged where all can be read', async (_, store) => {
      const a = new TestWriter(store, first);
      await a.publish(room, 'one', 'two');
      await a.raise(ref('other'), {
        through: { writer: second, seq: 3 },
        floors: new Map([[second, 3]]),
        round: 1,
      });
      await a.commit();
      let steps = 0;
      while (!(await store.scrub(1))) expect(++steps).toBeLessThan(10);
      expect(store.damaged(10)).toEqual([]);
      for (const writer of [first, second, floorWriter])
        expect(await store.examine(room, writer, 1)).toBe(undefined);
      expect(await store.examine(ref('other'), second, 2)).toBe(undefined);
      expect(await store.examine(ref('other'), floorWriter, 3)).toBe(undefined);
      await store.close();
    });

    scenario(
      'a run that does not follow is a mistake of the caller, and ends the store',
      async (_, store) => {
        const a = new TestWriter(store, first);
        await a.publish(room, 'one');
        const twin = new TestWriter(store, first);
        await expect(twin.publish(room, 'another one')).rejects.toThrow(StoreFailedError);
        await expect(a.publish(room, 'two')).rejects.toThrow(StoreFailedError);
        await store.close();
      },
    );
  });
}

async function seqs(store: LogStore, of: ChannelRef, firstSeq: number, count: number): Promise<number[]> {
  const { read, missing } = seqsOf(await store.read(of, [{ writer: first, firstSeq, count }], 1e6));
  expect(missing).toEqual([]);
  return read;
}

/** The digest of what a store reads out, by its definition. */
async function byReading(store: LogStore, of: ChannelRef): Promise<Uint8Array> {
  const sum = new ChannelDigestSum(sha256);
  for (const { writer, seq, floor } of (await store.open(of)).writers()) {
    const range = { writer, firstSeq: floor + 1, count: seq - floor };
    for (const slice of (await store.read(of, [range], 1e9)).slices) sum.addRecords(slice);
  }
  return sum.digest();
}
