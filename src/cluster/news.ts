/** Statements still to be told: each rides on packets that leave anyway, a bounded number of times, those told least
 *  often first and among them the newest. SWIM's infection-style dissemination (Das et al. 2002, §4.1 and §4.4). */
import type { NodeId } from '../base/ids.js';
import type { Statement } from './member.js';
import { statementFieldLength } from './membership-wire.js';

interface Item {
  readonly statement: Statement;
  readonly bytes: number;
  told: number;
  /** Overruled by something newer. */
  stale: boolean;
}

/** ⌈log10(n + 1)⌉ is the number of decimal digits of n, which every machine counts alike. */
export function transmitLimit(memberCount: number, factor: number): number {
  return factor * String(Math.max(1, Math.floor(memberCount))).length;
}

export class News {
  /** Items told i times are in bucket i, oldest first. */
  readonly #buckets: Item[][] = [];
  readonly #items = new Map<NodeId, Item[]>();
  #waiting = 0;

  get waiting(): number {
    return this.#waiting;
  }

  /** To be told from now on, beside what is told of the same node already. */
  add(statement: Statement): void {
    const item = { statement, bytes: statementFieldLength(statement), told: 0, stale: false };
    const items = this.#items.get(statement.node);
    if (items) items.push(item);
    else this.#items.set(statement.node, [item]);
    this.#put(item);
    this.#waiting++;
  }

  /** Nothing said of that node so far is told on: `statement`, if any, takes its place. */
  replace(node: NodeId, statement?: Statement): void {
    for (const item of this.#items.get(node) ?? []) {
      item.stale = true;
      this.#waiting--;
    }
    this.#items.delete(node);
    if (statement) this.add(statement);
  }

  /** What to tell in a packet with so many bytes left; counts as told. `limit`: how often each may be told. */
  take(bytesMax: number, limit: number): Statement[] {
    const taken: Item[] = [];
    let left = bytesMax;
    for (const bucket of this.#buckets) left = this.#takeFrom(bucket, left, taken);
    for (const item of taken) {
      item.told++;
      if (item.told < limit) this.#put(item);
      else this.#drop(item);
    }
    return taken.map((item) => item.statement);
  }

  #takeFrom(bucket: Item[], bytesMax: number, taken: Item[]): number {
    let left = bytesMax;
    for (let i = bucket.length - 1; i >= 0 && left >= smallestBytes; i--) {
      const item = bucket[i]!;
      if (!item.stale && item.bytes > left) continue;
      bucket.splice(i, 1);
      if (item.stale) continue;
      left -= item.bytes;
      taken.push(item);
    }
    return left;
  }

  #put(item: Item): void {
    while (this.#buckets.length <= item.told) this.#buckets.push([]);
    this.#buckets[item.told]!.push(item);
  }

  #drop(item: Item): void {
    const { node } = item.statement;
    const others = this.#items.get(node)?.filter((other) => other !== item) ?? [];
    if (others.length > 0) this.#items.set(node, others);
    else this.#items.delete(node);
    this.#waiting--;
  }
}

/** No statement is shorter: ids alone are 16 and 8 bytes. */
const smallestBytes = 30;
