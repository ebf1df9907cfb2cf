/** A queue whose head moves instead of its elements, and into whose front things can go back in order. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  items(): T[] {
    return this.#items.slice(this.#head) as T[];
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    // Whoever took it may let it go; so does the queue.
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts an item before the first one that `isLater`: cheap near the front, where it is used. */
  insert(item: T, isLater: (other: T) => boolean): void {
    let at = this.#head;
    while (at < this.#items.length && !isLater(this.#items[at]!)) at++;
    if (at === this.#head && at > 0) this.#items[--this.#head] = item;
    else this.#items.splice(at, 0, item);
  }

  removeFirst(matches: (item: T) => boolean): void {
    const at = this.#items.findIndex((item, index) => index >= this.#head && matches(item as T));
    if (at >= 0) this.#items.splice(at, 1);
  }
}
