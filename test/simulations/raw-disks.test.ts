/** What lies synced on a disk is followed from its bytes also where the writing over of redacted content was cut short. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import type { LogStore } from '../../src/engine/ports.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { RawDisk } from '../../simulations/cluster/raw-disks.js';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';
import { Recorder, TestWriter, baseOptions, ref, writerId } from '../storage/support.js';

const room = ref('room');
const [first, second] = [writerId(1), writerId(2)];

class Machine {
  readonly clock = new SimulatedClock();
  raw = this.#rawDisk();
  readonly disk = new SimulatedDisk({
    clock: this.clock,
    random: seededRandom(3),
    onSynced: (path, inode) => this.raw.synced(path, inode),
  });
  readonly index = new SimulatedIndex({ clock: this.clock, random: seededRandom(4) });

  #rawDisk(copied?: RawDisk): RawDisk {
    const nowMs = (): number => this.clock.monotonicMs();
    return new RawDisk({ number: 0, node: 'n1', copied, nowMs, conflict: () => {}, synced: () => {} });
  }

  /** The process is gone, and with it where its files were read to. */
  kill(): void {
    this.disk.kill();
    this.index.kill();
    this.raw.restarted();
  }

  /** Read as a disk that holds a copy of this one. */
  copy(): RawDisk {
    const copied = this.#rawDisk(this.raw);
    for (const [path, inode] of this.disk.names.files()) copied.synced(path, inode);
    return copied;
  }

  async open(): Promise<LogStore> {
    return await openLogStore({
      ...baseOptions('/data', seededRandom(5)),
      files: this.disk.files(),
      openIndex: () => this.index.keyValue(),
      clock: this.clock,
      observer: new Recorder(),
      plentyBytes: 0,
    });
  }
}

test('what is written behind a redaction that a failed write left half done is there', async () => {
  const machine = new Machine();
  await machine.clock.until(
    (async () => {
      const store = await machine.open();
      const writer = new TestWriter(store, first);
      await writer.publish(room, 'one', 'a secret of some length: '.repeat(60), 'three');
      await writer.add(room, { kind: 'redact', redacts: { writer: first, seq: 2 } });
      await writer.commit();
      machine.disk.faults.failWrite = 1;
      await expect(store.maintain(0)).rejects.toThrow('EIO');
    })(),
  );
  machine.kill();
  await machine.clock.until(
    (async () => {
      const store = await machine.open();
      await new TestWriter(store, second, 2_000_000).publish(room, 'four');
      expect(machine.raw.sumOf('default/room', second, 1)).toBeDefined();
      expect(machine.copy().sumOf('default/room', second, 1)).toBeDefined();
      await store.close();
    })(),
  );
});

test('what was never whole ends it', async () => {
  const machine = new Machine();
  await machine.clock.until(
    (async () => {
      const store = await machine.open();
      const writer = new TestWriter(store, first);
      await writer.publish(room, 'one');
      await writer.publish(room, 'two');
      await writer.publish(room, 'three');
      await store.close();
    })(),
  );
  for (const [path, inode] of machine.disk.names.files())
    if (path.endsWith('.seg'))
      inode.corrupt((bytes) => {
        const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('two');
        if (at > 0) bytes[at]! ^= 1;
      });
  const fresh = new Machine();
  for (const [path, inode] of machine.disk.names.files()) fresh.raw.synced(path, inode);
  expect([1, 2, 3].map((seq) => fresh.raw.sumOf('default/room', first, seq) !== undefined)).toEqual([
    true,
    false,
    false,
  ]);
});
