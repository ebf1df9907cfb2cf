/** What is redacted is read without its content at once, written over once that is committed, and counts in digests as the same
 *  at every home. What came without its content and is redacted by nobody is not read. */
import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.js';
import { seededRandom } from '../../src/base/random.js';
import type { LogStore } from '../../src/engine/ports.js';
import { RecordWalk, placeSeed, recordSeq } from '../../src/log/record-layout.js';
import { redactBody } from '../../src/log/redaction.js';
import { runOf } from '../../src/log/run-bytes.js';
import { verifyRun } from '../../src/log/run-reader.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';
import { Recorder, TestWriter, baseOptions, ref, seqsOf, writerId } from './support.js';

const room = ref('room');
const first = writerId(1);
const secret = 'a secret of some length: '.repeat(60);

class Machine {
  readonly clock = new SimulatedClock();
  readonly observer = new Recorder();
  readonly disk = new SimulatedDisk({ clock: this.clock, random: seededRandom(3) });
  readonly index = new SimulatedIndex({ clock: this.clock, random: seededRandom(4) });

  constructor(readonly soleHome = false) {}

  open(): Promise<LogStore> {
    return openLogStore({
      ...baseOptions('/data', seededRandom(5)),
      soleHome: this.soleHome,
      files: this.disk.files(),
      openIndex: () => this.index.keyValue(),
      clock: this.clock,
      observer: this.observer,
      segmentBytes: 65_536,
      plentyBytes: 0,
    });
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    return this.clock.until(task());
  }

  get hasSecret(): boolean {
    return [...this.disk.names.inodes()].some(({ data }) => Buffer.from(data).includes('a secret'));
  }
}

async function written(machine: Machine): Promise<{ store: LogStore; writer: TestWriter }> {
  const store = await machine.open();
  const writer = new TestWriter(store, first);
  await writer.publish(room, 'one', secret, 'three');
  return { store, writer };
}

async function redact(writer: TestWriter, seq: number): Promise<void> {
  await writer.add(room, { kind: 'redact', redacts: { writer: first, seq } });
  await writer.commit();
}

async function digestOf(store: LogStore): Promise<string> {
  await store.open(room);
  const digest = await store.digest(room);
  store.release(room);
  return digest ? toHex(digest.digest) : '';
}

async function read(store: LogStore, count = 4) {
  const result = await store.read(room, [{ writer: first, firstSeq: 1, count }], 1e6);
  const text = result.slices.map(({ records }) => Buffer.from(records).toString('latin1')).join('');
  return { ...seqsOf(result), hasSecret: text.includes('a secret') };
}

const whole = { read: [1, 2, 3, 4], missing: [], hasSecret: false };

test('it is read without its content from the commit on, and written over once it is in the order', async () => {
  const machine = new Machine();
  await machine.run(async () => {
    const { store, writer } = await written(machine);
    const before = await digestOf(store);
    await redact(writer, 2);
    expect(await read(store)).toEqual(whole);
    const hidden = await digestOf(store);
    expect(hidden).not.toBe(before);
    await store.maintain(0);
    expect(machine.hasSecret).toBe(true);
    store.peek(room)!.commitThrough({ writer: first, seq: 4 });
    await store.maintain(0);
    expect(machine.hasSecret).toBe(false);
    expect([await read(store), await digestOf(store)]).toEqual([whole, hidden]);
    await store.scrub(1);
    expect(store.damaged(10)).toEqual([]);
    await store.close();
  });
});

test('what is due is still due after a crash, with its index and without', async () => {
  for (const losesIndex of [false, true]) {
    const machine = new Machine(true);
    await machine.run(async () => {
      const { writer } = await written(machine);
      await redact(writer, 2);
    });
    machine.disk.powerLoss();
    machine.index.powerLoss();
    if (losesIndex) machine.index.drop();
    await machine.run(async () => {
      const store = await machine.open();
      expect([machine.hasSecret, await read(store)]).toEqual([true, whole]);
      await store.maintain(0);
      expect(machine.hasSecret).toBe(false);
      await store.close();
    });
    await machine.run(async () => {
      const store = await machine.open();
      expect(await read(store)).toEqual(whole);
      await store.close();
    });
    expect(machine.observer.of('damage')).toEqual([]);
  }
});

test('what power loss left half written over is written to its end', async () => {
  const machine = new Machine(true);
  await machine.run(async () => {
    const { store, writer } = await written(machine);
    await redact(writer, 2);
    await store.close();
  });
  // As a write of several sectors ends that was not synced: some of them zero, some as they were.
  for (const [path, inode] of machine.disk.names.files()) {
    if (!path.endsWith('.seg')) continue;
    inode.corrupt((bytes) => {
      const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('a secret');
      if (at > 0) bytes.fill(0, at + 200, at + 712);
    });
  }
  await machine.run(async () => {
    const store = await machine.open();
    // Before that it is read, and told of as damaged to nobody (seed 313 of clusters).
    expect([machine.hasSecret, await read(store)]).toEqual([true, whole]);
    expect(store.damaged(10)).toEqual([]);
    await store.maintain(0);
    expect([machine.hasSecret, await read(store)]).toEqual([false, whole]);
    await store.close();
  });
  expect(machine.observer.of('damage')).toEqual([]);
});

test('it is written over before retention forgets where it lies', async () => {
  const machine = new Machine(true);
  await machine.run(async () => {
    const { store, writer } = await written(machine);
    await redact(writer, 2);
    const trim = store.peek(room)!.trimAt(4)!;
    await writer.add(room, { kind: 'trim', trim });
    await writer.commit();
    for (let i = 0; i < 3; i++) await store.maintain(0);
    expect([machine.hasSecret, store.peek(room)!.redactions.size]).toEqual([false, 0]);
    await store.close();
  });
});

test('what is trimmed before its redaction is committed is written over all the same', async () => {
  const machine = new Machine();
  await machine.run(async () => {
    const { store, writer } = await written(machine);
    const log = store.peek(room)!;
    log.commitThrough({ writer: first, seq: 3 });
    await redact(writer, 2);
    await writer.raise(room, log.trimAt(3)!);
    await writer.commit();
    for (let i = 0; i < 3; i++) await store.maintain(0);
    expect(machine.hasSecret).toBe(false);
    await store.close();
  });
});

test('the index knows of a commit for good before anything in it is written over', async () => {
  const machine = new Machine(true);
  await machine.run(async () => {
    const { store, writer } = await written(machine);
    await redact(writer, 2);
    await store.maintain(0);
  });
  const rows = machine.index.rows().length;
  machine.index.powerLoss();
  // All that was put before: a start scans nothing of it again.
  expect(machine.index.rows().length).toBe(rows);
});

/** The records of a store as another home sends them, some without their content. */
async function sentBy(store: LogStore, redacted: readonly number[], count = 3) {
  const { slices } = await store.read(room, [{ writer: first, firstSeq: 1, count }], 1e6);
  const { records, round } = slices[0]!;
  const sent = records.slice();
  for (const walk = new RecordWalk(sent); walk.next();)
    if (redacted.includes(recordSeq(sent, walk.bodyStart)))
      redactBody(sent, walk.bodyStart, walk.end, placeSeed(room, first, round));
  const bytes = runOf({ ref: room, writer: first, round, firstSeq: 1, count, records: sent });
  const run = verifyRun(bytes, 0, bytes.length);
  if (!run.ok) throw new Error(run.error);
  return { bytes, run: run.value };
}

test('what came without its content is unreadable until a redaction is there, or the content', async () => {
  const [machine, other, third] = [new Machine(), new Machine(), new Machine()];
  const origin = await machine.run(async () => await written(machine));
  const { store, writer } = origin;
  const lie = await machine.run(() => sentBy(store, [2]));
  const truth = await machine.run(() => sentBy(store, []));
  await machine.run(() => redact(writer, 2));
  const said = await machine.run(async () => {
    const { slices } = await store.read(room, [{ writer: first, firstSeq: 4, count: 1 }], 1e6);
    const bytes = runOf({ ref: room, ...slices[0]! });
    const run = verifyRun(bytes, 0, bytes.length);
    return run.ok ? { bytes, run: run.value } : undefined;
  });
  const digest = await machine.run(() => digestOf(store));
  // With the redaction behind it: as at a home that was away.
  await other.run(async () => {
    const away = await other.open();
    await away.open(room);
    await away.commit({ bytes: lie.bytes, runs: [lie.run] });
    expect(await read(away, 3)).toEqual({ read: [1, 3], missing: [2], hasSecret: false });
    expect(await away.examine(room, first, 2)).toMatchObject({ firstSeq: 1, count: 3 });
    await away.commit({ bytes: said!.bytes, runs: [said!.run] });
    expect(await read(away)).toEqual(whole);
    expect(await away.examine(room, first, 2)).toBeUndefined();
    expect(await digestOf(away)).toBe(digest);
    await away.close();
  });
  // With the content, from a home that does not lie; also after a start without an index.
  await third.run(async () => {
    const lied = await third.open();
    await lied.open(room);
    await lied.commit({ bytes: lie.bytes, runs: [lie.run] });
    await lied.commit({ bytes: truth.bytes, runs: [], repairs: [truth.run] });
    expect(await read(lied, 3)).toEqual({ read: [1, 2, 3], missing: [], hasSecret: true });
    await lied.close();
  });
  third.index.drop();
  await third.run(async () => {
    const again = await third.open();
    expect(await read(again, 3)).toEqual({ read: [1, 2, 3], missing: [], hasSecret: true });
    await again.close();
  });
});
