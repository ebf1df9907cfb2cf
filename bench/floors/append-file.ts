/** Appends with group commit, and nothing else: what waits goes out in one write of whole pages to a file that was filled
 *  before, then one `fdatasync`. Ringlog's store does this and much more; this is its floor. */
import { closeSync, fdatasync, fdatasyncSync, openSync, writeSync } from 'node:fs';

const pageBytes = 4_096;
const fileBytes = 67_108_864;
const batchBytesMax = 4_194_304;

export class AppendFile {
  readonly #file: number;
  readonly #buffer = Buffer.alloc(batchBytesMax + pageBytes);
  #position = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'wx');
    const zeros = Buffer.alloc(1_048_576);
    for (let at = 0; at < fileBytes; at += zeros.length) writeSync(this.#file, zeros, 0, zeros.length, at);
    fdatasyncSync(this.#file);
  }

  /** Writes the records, each behind its length; `done` is called when they are on disk. */
  append(records: readonly Uint8Array[], done: (error: Error | null) => void): void {
    this.#write(records);
    fdatasync(this.#file, done);
  }

  /** The same without a thread: nothing is faster, and nothing else runs meanwhile. */
  appendSync(records: readonly Uint8Array[]): void {
    this.#write(records);
    fdatasyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(records: readonly Uint8Array[]): void {
    const buffer = this.#buffer;
    let at = 0;
    for (const record of records) {
      buffer.writeUInt32LE(record.length, at);
      buffer.set(record, at + 4);
      at += 4 + record.length;
    }
    const padded = Math.ceil(at / pageBytes) * pageBytes;
    buffer.fill(0, at, padded);
    // It starts over at the end: for a floor it does not matter what the file holds.
    if (this.#position + padded > fileBytes) this.#position = 0;
    writeSync(this.#file, buffer, 0, padded, this.#position);
    this.#position += padded;
  }
}
