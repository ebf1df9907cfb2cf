/** What was published and what became of it, as the publishers' side knows it. Every publish has a number of its own,
 *  its *line*, written into its payload as the first member (`{"line":17,…`), so that it is known again wherever its
 *  bytes turn up, whatever the product says about them. About 24 bytes a line. */
import { crc32 } from 'node:zlib';

export type Outcome = 'unknown' | 'acked' | 'rejected';

const outcomes: readonly Outcome[] = ['unknown', 'acked', 'rejected'];
const prefix = Buffer.from('{"line":');

export interface Dot {
  readonly writer: string;
  readonly seq: number;
}

interface Columns {
  readonly crc: Uint32Array;
  readonly publisher: Uint32Array;
  readonly channel: Uint16Array;
  readonly outcome: Uint8Array;
  readonly writer: Uint16Array;
  readonly seq: Uint32Array;
}

export class Ledger {
  published = 0;
  acked = 0;
  rejected = 0;
  readonly #channels = new Names();
  readonly #writers = new Names();
  readonly #publishers = new Names();
  #columns = columnsFor(1 << 16);

  /** Takes note of a publish that is about to be sent; returns its line. Lines of one publisher must be sent to a
   *  channel in the order in which they were taken. */
  publish(channel: string, publisher: string): number {
    const line = ++this.published;
    if (line >= this.#columns.crc.length) this.#columns = grown(this.#columns);
    this.#columns.channel[line] = this.#channels.idOf(channel);
    this.#columns.publisher[line] = this.#publishers.idOf(publisher);
    return line;
  }

  /** The bytes that were sent for the line. */
  sent(line: number, payload: Uint8Array): void {
    this.#columns.crc[line] = crc32(payload);
  }

  /** The publisher was told that it is stored, and as what. */
  ack(line: number, dot: Dot): void {
    if (this.outcomeOf(line) !== 'unknown') throw new Error(`line ${line} has an outcome already`);
    this.#columns.outcome[line] = outcomes.indexOf('acked');
    this.#columns.writer[line] = this.#writers.idOf(dot.writer);
    this.#columns.seq[line] = dot.seq;
    this.acked++;
  }

  /** The publisher was told that it is not stored, and did not try again. */
  reject(line: number): void {
    if (this.outcomeOf(line) !== 'unknown') throw new Error(`line ${line} has an outcome already`);
    this.#columns.outcome[line] = outcomes.indexOf('rejected');
    this.rejected++;
  }

  knows(line: number): boolean {
    return line >= 1 && line <= this.published;
  }

  outcomeOf(line: number): Outcome {
    return outcomes[this.#columns.outcome[line]!]!;
  }

  dotOf(line: number): Dot | undefined {
    if (this.outcomeOf(line) !== 'acked') return undefined;
    return { writer: this.#writers.nameOf(this.#columns.writer[line]!), seq: this.#columns.seq[line]! };
  }

  channelOf(line: number): string {
    return this.#channels.nameOf(this.#columns.channel[line]!);
  }

  publisherOf(line: number): string {
    return this.#publishers.nameOf(this.#columns.publisher[line]!);
  }

  /** Whether these are the bytes that were sent for the line. */
  fits(line: number, payload: Uint8Array): boolean {
    return this.#columns.crc[line] === crc32(payload);
  }
}

/** The line written into a payload; 0 when there is none. */
export function lineOf(payload: Uint8Array): number {
  for (let i = 0; i < prefix.length; i++) if (payload[i] !== prefix[i]) return 0;
  let line = 0;
  for (let at = prefix.length; at < payload.length; at++) {
    const digit = payload[at]! - 48;
    if (digit < 0 || digit > 9) break;
    line = line * 10 + digit;
  }
  return line;
}

/** Numbers for names, from 0. */
class Names {
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];

  idOf(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#names.length;
      this.#ids.set(name, id);
      this.#names.push(name);
    }
    return id;
  }

  nameOf(id: number): string {
    return this.#names[id]!;
  }
}

function columnsFor(lines: number): Columns {
  return {
    crc: new Uint32Array(lines),
    publisher: new Uint32Array(lines),
    channel: new Uint16Array(lines),
    outcome: new Uint8Array(lines),
    writer: new Uint16Array(lines),
    seq: new Uint32Array(lines),
  };
}

function grown(columns: Columns): Columns {
  const larger = columnsFor(columns.crc.length * 2);
  for (const name of Object.keys(larger) as (keyof Columns)[]) larger[name].set(columns[name]);
  return larger;
}
