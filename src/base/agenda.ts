/** What is due when, of many things: the next deadline in constant time, a change in logarithmic time. A binary heap
 *  (Williams 1964) that knows the place of each thing, so that its deadline can move. */

interface Slot<T> {
  readonly item: T;
  /** Of two with one deadline the one that came first is due first: the same run always runs alike. */
  readonly order: number;
  at: number;
  index: number;
}

export class Agenda<T> {
  readonly #deadlineOf: (item: T) => number;
  readonly #heap: Slot<T>[] = [];
  readonly #slots = new Map<T, Slot<T>>();
  readonly #changed = new Set<T>();
  #nextOrder = 0;

  /** `deadlineOf` is Infinity for what has none. */
  constructor(deadlineOf: (item: T) => number) {
    this.#deadlineOf = deadlineOf;
  }

  /** The deadline of `item` may be another now; looked up when the next one is asked for, once for many changes. */
  changed(item: T): void {
    this.#changed.add(item);
  }

  delete(item: T): void {
    this.#changed.delete(item);
    this.#remove(item);
  }

  /** The earliest deadline; Infinity without one. */
  next(): number {
    this.#catchUp();
    return this.#heap[0]?.at ?? Infinity;
  }

  /** Everything due by `now`, the earliest first. Each is looked up again afterwards. */
  take(now: number): readonly T[] {
    const due: T[] = [];
    while (this.next() <= now) {
      const { item } = this.#heap[0]!;
      this.#remove(item);
      due.push(item);
    }
    for (const item of due) this.#changed.add(item);
    return due;
  }

  /** All that have a deadline. */
  items(): readonly T[] {
    this.#catchUp();
    return [...this.#slots.keys()];
  }

  #catchUp(): void {
    if (this.#changed.size === 0) return;
    for (const item of this.#changed) this.#set(item, this.#deadlineOf(item));
    this.#changed.clear();
  }

  #set(item: T, at: number): void {
    if (at === Infinity) return this.#remove(item);
    let slot = this.#slots.get(item);
    if (!slot) {
      slot = { item, order: this.#nextOrder++, at, index: this.#heap.length };
      this.#slots.set(item, slot);
      this.#heap.push(slot);
    } else if (slot.at === at) return;
    slot.at = at;
    this.#settle(slot);
  }

  #remove(item: T): void {
    const slot = this.#slots.get(item);
    if (!slot) return;
    this.#slots.delete(item);
    const last = this.#heap.pop()!;
    if (last === slot) return;
    last.index = slot.index;
    this.#heap[last.index] = last;
    this.#settle(last);
  }

  /** Moves a slot to where it belongs, up or down. */
  #settle(slot: Slot<T>): void {
    const heap = this.#heap;
    while (slot.index > 0) {
      const above = heap[(slot.index - 1) >> 1]!;
      if (isBefore(above, slot)) break;
      this.#swap(above, slot);
    }
    for (;;) {
      const left = heap[2 * slot.index + 1];
      const right = heap[2 * slot.index + 2];
      const below = left && right && isBefore(right, left) ? right : left;
      if (!below || isBefore(slot, below)) return;
      this.#swap(slot, below);
    }
  }

  #swap(a: Slot<T>, b: Slot<T>): void {
    const { index } = a;
    a.index = b.index;
    b.index = index;
    this.#heap[a.index] = a;
    this.#heap[b.index] = b;
  }
}

function isBefore<T>(a: Slot<T>, b: Slot<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
