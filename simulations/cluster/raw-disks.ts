/** What lies synced on the disks of all nodes, followed sync by sync from the bytes alone. */
import { crc32 } from 'node:zlib';
import { RawScan, lineageOf } from '../checkers/raw-segments.js';
import type { Inode } from '../world/disk-names.js';

const segments = /\/store\/segments\/([^/]+\.seg)$/;

/** One disk, from when it was put in until it is lost. */
export class RawDisk {
  /** By channel, writer and seq: the sum of the record. Only grows: trims are not deletions of what was there. */
  readonly #sums = new Map<string, (number | undefined)[]>();
  readonly #places = new Map<string, { scan: RawScan; at: number }>();

  constructor(
    readonly number: number,
    readonly onConflict: (what: string) => void,
  ) {}

  /** A file's contents are safe now. */
  synced(path: string, inode: Inode): void {
    const name = segments.exec(path)?.[1];
    if (name === undefined) return;
    const file = { name, bytes: inode.data.subarray(0, inode.size) };
    let place = this.#places.get(name);
    if (!place) {
      const lineage = lineageOf(file);
      if (lineage === undefined) return;
      place = { scan: new RawScan(crc32(lineage)), at: 0 };
      this.#places.set(name, place);
    }
    place.at = place.scan.tail(file, place.at);
    for (const { channel, writer, seq, bytes } of place.scan.records.splice(0)) {
      this.#note(`${channel} ${writer}`, seq, crc32(bytes));
    }
  }

  /** A process ended: the next may cut what it finds and write there anew. */
  restarted(): void {
    this.#places.clear();
  }

  sumOf(channel: string, writer: string, seq: number): number | undefined {
    return this.#sums.get(`${channel} ${writer}`)?.[seq];
  }

  *dots(): Generator<readonly [key: string, seq: number, sum: number], void, undefined> {
    for (const [key, sums] of this.#sums)
      for (let seq = 0; seq < sums.length; seq++) if (sums[seq] !== undefined) yield [key, seq, sums[seq]!];
  }

  #note(key: string, seq: number, sum: number): void {
    let sums = this.#sums.get(key);
    if (!sums) this.#sums.set(key, (sums = []));
    const known = sums[seq];
    if (known !== undefined && known !== sum)
      this.onConflict(`disk ${this.number} has two entries ${key.replace(/ /g, ' of ')}-${seq}`);
    sums[seq] = sum;
  }
}
