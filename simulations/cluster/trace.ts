/** What happened: a hash over all of it, to compare two runs of one seed, and the last of it in words, for people. */
import { crc32 } from 'node:zlib';

const storyMax = 60;

export class Trace {
  #hash = 0x811c9dc5;
  #events = 0;
  readonly #story: string[] = [];
  readonly #nowMs: () => number;
  /** Told of everything, to find where two runs part. */
  listener: ((line: string) => void) | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get events(): number {
    return this.#events;
  }

  get hash(): string {
    return `${this.#hash.toString(16).padStart(8, '0')}-${this.#events}`;
  }

  /** FNV-1a over the time, the text and the number. */
  add(what: string, number = 0): void {
    let hash = Math.imul(this.#hash ^ number, 0x01000193) ^ Math.floor(this.#nowMs() * 1_000);
    for (let i = 0; i < what.length; i++) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193);
    this.#hash = hash >>> 0;
    this.#events++;
    this.listener?.(`${this.#nowMs().toFixed(3)} ${what} ${number}`);
  }

  bytes(what: string, bytes: Uint8Array): void {
    this.add(what, crc32(bytes));
  }

  /** Something worth telling. */
  tell(what: string): void {
    this.add(what);
    this.#story.push(`${(this.#nowMs() / 1_000).toFixed(3).padStart(9)} s  ${what}`);
    if (this.#story.length > storyMax) this.#story.shift();
  }

  get story(): readonly string[] {
    return this.#story;
  }
}
