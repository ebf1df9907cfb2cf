/** Retention by count keeps the newest messages, whatever owners write between them, and reads no entry more than twice. */
import { expect, test } from 'vitest';
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { MessageCounts } from '../../src/engine/message-counts.js';
import type { ReadRange, ReadResult } from '../../src/engine/ports.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import type { EntryKind } from '../../src/log/entry.js';
import { encodeContent, iterateRecords } from '../../src/log/entry-wire.js';
import { RunWriter } from '../../src/log/run-writer.js';

const ref = { hub: 'h', channel: 'c' } as ChannelRef;
const writer = 'aa'.repeat(12) as WriterId;

/** A channel of one writer; `read` counts the entries that were asked for and given. */
class Room {
  readonly ref = ref;
  readonly log = new ChannelLog(ref);
  readonly logs = { read: (_: ChannelRef, ranges: readonly ReadRange[]) => this.#read(ranges) };
  read = 0;
  readonly #records: Uint8Array[] = [];
  #checksum = 0;

  add(...kinds: readonly EntryKind[]): void {
    const out = new RunWriter();
    out.begin(ref, writer, 1, this.#records.length + 1, this.#checksum);
    const parents = this.log.parentsFor(writer, this.log.isEmpty);
    kinds.forEach((kind, i) =>
      out.append({
        timestamp: this.#records.length + i,
        kind,
        ...(kind === 'merge' ? {} : { content: encodeContent({ payload: new Uint8Array([1]) }) }),
        ...(parents && i === 0 ? { parents } : {}),
      }),
    );
    this.#checksum = out.lastChecksum;
    const run = out.end();
    const bytes = out.bytes().slice(run.offset + run.headerBytes);
    for (const { start, end } of iterateRecords(bytes)) this.#records.push(bytes.slice(start, end));
    this.log.apply(run);
    this.log.commitThrough({ writer, seq: this.log.have(writer) });
  }

  async #read([range]: readonly ReadRange[]): Promise<ReadResult> {
    const { firstSeq, count } = range!;
    this.read += count;
    const records = new Uint8Array(Buffer.concat(this.#records.slice(firstSeq - 1, firstSeq - 1 + count)));
    return { slices: [{ writer, round: 1, firstSeq, count, records }], missing: [] };
  }
}

const many = (count: number, kind: EntryKind): EntryKind[] => Array.from({ length: count }, () => kind);

test('of one message that is to be kept none of what owners write takes the place', async () => {
  const [room, counts] = [new Room(), new MessageCounts()];
  room.add('publish', ...many(9, 'merge'));
  expect(await counts.keptFrom(room, 1)).toBe(0);
  room.add('publish', 'merge');
  expect(await counts.keptFrom(room, 1)).toBe(10);
  room.add(...many(5, 'merge'));
  expect(await counts.keptFrom(room, 1)).toBe(10);
  expect(await counts.keptFrom(room, 0)).toBe(17);
});

test('all messages that a rule keeps are kept, and the trim may wait', async () => {
  const [room, counts] = [new Room(), new MessageCounts()];
  for (let i = 0; i < 40; i++) room.add('merge', 'publish');
  // The oldest of the newest ten: position 2 × 30 + 1.
  expect(await counts.keptFrom(room, 10)).toBe(61);
  room.add('publish');
  // No trim yet, and an eighth more is not there: what was found stands.
  expect(await counts.keptFrom(room, 10)).toBe(61);
  room.log.applyTrim(room.log.trimAt(61)!, 0);
  expect(await counts.keptFrom(room, 10)).toBe(61);
  room.add('publish');
  expect(await counts.keptFrom(room, 10)).toBe(65);
  // A rule that keeps more, and a trim that took more: counted anew.
  expect(await counts.keptFrom(room, 11)).toBe(61);
  room.log.applyTrim(room.log.trimAt(75)!, 0);
  expect(await counts.keptFrom(room, 10)).toBe(75);
});

test('entries are read once, and those of a page where some go; none where there cannot be enough', async () => {
  const [room, counts] = [new Room(), new MessageCounts()];
  room.add(...many(100, 'publish'));
  await counts.keptFrom(room, 100);
  expect(room.read).toBe(0);
  let kept = 0;
  for (let i = 0; i < 40; i++) {
    room.add(...many(5, 'publish'));
    kept = await counts.keptFrom(room, 100);
    if (kept > room.log.firstPosition) room.log.applyTrim(room.log.trimAt(kept)!, 0);
  }
  expect(room.log.endPosition - kept).toBeLessThanOrEqual(113);
  // A test reads a page as long as it likes.
  expect(room.read).toBeLessThan(2 * 300 + 20 * 130);
});
