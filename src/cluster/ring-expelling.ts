/** Who has been out of reach for how long, and whether a member is to be let go for it. */
import type { NodeId } from '../base/ids.js';
import { nodeToExpel } from './ring-change.js';
import type { Ring } from './ring.js';

const checkMs = 1_000;

export class Expelling {
  readonly #expelAfterMs: number | undefined;
  /** Since when members cannot be reached. */
  readonly #unreachable = new Map<NodeId, number>();
  #checkAt: number;

  constructor(expelAfterMs: number | undefined, now: number) {
    this.#expelAfterMs = expelAfterMs;
    this.#checkAt = expelAfterMs === undefined ? Infinity : now + checkMs;
  }

  get deadline(): number {
    return this.#checkAt;
  }

  /** Not before now, as far as is known. */
  missed(node: NodeId, now: number): void {
    if (!this.#unreachable.has(node)) this.#unreachable.set(node, now);
  }

  reached(node: NodeId): void {
    this.#unreachable.delete(node);
  }

  /** Whether it is time to look. */
  isDue(now: number): boolean {
    if (now < this.#checkAt) return false;
    this.#checkAt = now + checkMs;
    return true;
  }

  nodeToExpel(ring: Ring, now: number): NodeId | undefined {
    const unreachableMs = new Map([...this.#unreachable].map(([node, since]) => [node, now - since]));
    return nodeToExpel(ring, { unreachableMs, expelAfterMs: this.#expelAfterMs });
  }
}
