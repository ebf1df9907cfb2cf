/** What a channel has of each writer. Most channels have one writer or a few: a list takes a fraction of a map's memory,
 *  and finds as fast. */
import type { WriterId } from '../base/ids.js';

const scannedMax = 8;

export class ByWriter<T extends { readonly writer: WriterId }> {
  #list: T[] = [];
  #byWriter: Map<WriterId, T> | undefined;

  get size(): number {
    return this.#list.length;
  }

  /** In the order they were added. */
  values(): readonly T[] {
    return this.#list;
  }

  get(writer: WriterId): T | undefined {
    if (this.#byWriter) return this.#byWriter.get(writer);
    for (const each of this.#list) if (each.writer === writer) return each;
    return undefined;
  }

  /** Of a writer that has none yet. */
  add(item: T): void {
    // A first push would make room for many.
    if (this.#list.length === 0) this.#list = [item];
    else this.#list.push(item);
    if (this.#byWriter) this.#byWriter.set(item.writer, item);
    else if (this.#list.length > scannedMax) {
      this.#byWriter = new Map(this.#list.map((each) => [each.writer, each]));
    }
  }
}
