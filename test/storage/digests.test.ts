/** Digests where something is wrong: with records, with rows, with clocks. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';
import { fromHex, toHex } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import type { LogStore } from '../../src/engine/ports.js';
import { HashSum } from '../../src/log/hash-sum.js';
import { decodeDigestRow, digestKey, encodeDigestRow } from '../../src/storage/digest-rows.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { sha256 } from '../../src/storage/sha256.js';
import { Recorder, TestWriter, baseOptions, ref, writerId } from './support.js';

const room = ref('room');
const first = writerId(1);

function machine() {
  const clock = new SimulatedClock();
  const random = seededRandom(5);
  const disk = new SimulatedDisk({ clock, random });
  const index = new SimulatedIndex({ clock, random });
  const open = () =>
    openLogStore({
      ...baseOptions('/data', seededRandom(5)),
      files: disk.files(),
      openIndex: () => index.keyValue(),
      observer: new Recorder(),
      clock,
      segmentBytes: 65_536,
      plentyBytes: 0,
    });
  const flip = (text: string): void => {
    for (const [path, inode] of disk.names.files()) {
      if (!path.includes('segments')) continue;
      inode.corrupt((bytes) => {
        const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(text.slice(1)) - 1;
        if (at >= 0) bytes[at]! ^= 1;
      });
    }
  };
  return {
    clock,
    flip,
    open,
    run: <T>(task: () => Promise<T>): Promise<T> => clock.until(task(), 2 * limits.digestAgeMs),
  };
}

async function filled(open: () => Promise<LogStore>): Promise<LogStore> {
  const store = await open();
  const a = new TestWriter(store, first);
  for (const text of ['one', 'two', 'three-is-hit', 'four', 'five']) await a.publish(room, text);
  return store;
}

test('what rotted since is seen by a digest that is read anew, and by none before', async () => {
  const { clock, flip, open, run } = machine();
  await run(async () => {
    const store = await filled(open);
    const whole = (await store.digest(room))!;
    flip('three-is-hit');
    expect(await store.digest(room)).toEqual(whole);
    const fresh = (await store.digest(room, { notBefore: clock.wallMs() + 1 }))!;
    expect(fresh.missing).toEqual([{ writer: first, fromSeq: 3, toSeq: 3 }]);
    expect([fresh.entries, toHex(fresh.digest) === toHex(whole.digest)]).toEqual([4, false]);
    // It says so for as long as it is kept.
    await store.maintain(clock.wallMs());
    const [told] = await store.contents(room.hub, { limit: 1 });
    expect(told!.digest?.missing).toHaveLength(1);
    flip('three-is-hit');
    await clock.sleep(limits.digestDamagedAgeMs + 1);
    const mended = (await store.digest(room))!;
    expect([toHex(mended.digest), mended.missing]).toEqual([toHex(whole.digest), []]);
    await store.close();
  });
});

test('within a week everything is read anew', async () => {
  const { clock, flip, open, run } = machine();
  await run(async () => {
    const store = await filled(open);
    await store.digest(room);
    flip('three-is-hit');
    await clock.sleep(limits.digestAgeMs - 1_000);
    expect((await store.digest(room))!.missing).toEqual([]);
    await clock.sleep(2_000);
    expect((await store.digest(room))!.missing).toHaveLength(1);
    await store.close();
  });
});

test('what is given up is in no digest, whether it was summed up before or could not be read', async () => {
  const digests: string[] = [];
  for (const isDamaged of [false, true]) {
    const { clock, flip, open, run } = machine();
    await run(async () => {
      const store = await filled(open);
      if (isDamaged) flip('three-is-hit');
      expect((await store.digest(room))!.entries).toBe(isDamaged ? 4 : 5);
      const b = new TestWriter(store, writerId(2), 2_000_000);
      await b.add(room, { kind: 'gap', lost: { writer: first, fromSeq: 3, toSeq: 3 } });
      await b.commit();
      const { digest, entries, missing } = (await store.digest(room))!;
      expect([entries, missing]).toEqual([5, []]);
      const [told] = await store.contents(room.hub, { limit: 1 });
      expect(told!.digest?.digest).toEqual(digest);
      digests.push(toHex(digest));
      await clock.sleep(limits.digestAgeMs + 1);
      digests.push(toHex((await store.digest(room))!.digest));
      await store.close();
    });
  }
  expect(new Set(digests).size).toBe(1);
});

test('the row of a digest keeps its bytes, and is made anew where they are wrong', () => {
  const sum = new HashSum();
  sum.add(sha256(new Uint8Array([1])));
  sum.add(sha256(new Uint8Array([2])));
  const row = {
    readAt: 1_700_000_000_000,
    sum,
    writers: new Map([
      [first, { floor: 4, through: 300 }],
      [writerId(2), { floor: 0, through: 1 }],
    ]),
    missing: [{ writer: first, fromSeq: 7, toSeq: 9 }],
    redactions: 2,
  };
  const key = digestKey(room);
  const golden =
    '067856a7020068e5cf8b01000026b7c7f83444395393398c60530bbce4f65668863002aaee2243cdd5dbdc1e21' +
    '02000000000000000200000000000000000000000104ac020000000000000000000000020001010000000000' +
    '00000000000001070902';
  const bytes = encodeDigestRow(key, row);
  expect(toHex(bytes)).toBe(golden);
  const read = decodeDigestRow(key, fromHex(golden))!;
  expect({ ...read, sum: toHex(read.sum.encode()) }).toEqual({ ...row, sum: toHex(sum.encode()) });
  expect(decodeDigestRow(digestKey(ref('other')), bytes)).toBeUndefined();
  for (let i = 0; i < bytes.length; i++) {
    const flipped = bytes.slice();
    flipped[i]! ^= 4;
    expect(decodeDigestRow(key, flipped)).toBeUndefined();
  }
});
