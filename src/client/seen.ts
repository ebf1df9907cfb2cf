/** What a reader has surfaced, so that nothing surfaces twice: the last number of each writer, and for publishes that
 *  were written twice (retried at another owner while the first copy was out of sight) who published them. */
import type { WriterId } from '../base/ids.js';
import { type Entry, type Publisher, isNumbered } from '../log/entry.js';

const writersMax = 4_096;
const publishersMax = 4_096;
/** Keys of publishes without a number: those of plain HTTP clients. */
const keysMax = 4_096;
/** A publisher's numbers arrive in order, so more ranges than this mean very old ones. */
const rangesMax = 32;

export class Seen {
  readonly #writers = new Map<WriterId, number>();
  readonly #publishers = new Map<string, Ranges>();
  readonly #keys = new Set<string>();

  /** Everything of this writer through `seq` counts as surfaced. */
  coverWriter(writer: WriterId, seq: number): void {
    if ((this.#writers.get(writer) ?? 0) >= seq) return;
    this.#writers.delete(writer);
    this.#writers.set(writer, seq);
    dropOldest(this.#writers, writersMax);
  }

  /** A writer's entries come in order, so one that is not above the last came before. */
  isRepeated(entry: Entry): boolean {
    return entry.seq <= (this.#writers.get(entry.writer) ?? 0);
  }

  /** Notes an entry; false when the same publish surfaced before under another number. */
  add(entry: Entry): boolean {
    this.coverWriter(entry.writer, entry.seq);
    const { publisher, idempotencyKey, actor = '' } = entry;
    if (idempotencyKey === undefined) return true;
    if (isNumbered(publisher)) return this.#addPublish(actor, publisher);
    const { id = '' } = publisher ?? {};
    return this.#addKey(`${actor.length}/${actor}${id.length}/${id}${idempotencyKey}`);
  }

  #addPublish(actor: string, { id, epoch, seq }: Publisher): boolean {
    const name = `${actor.length}/${actor}${epoch}/${id}`;
    let ranges = this.#publishers.get(name);
    if (!ranges) {
      this.#publishers.set(name, (ranges = new Ranges()));
      dropOldest(this.#publishers, publishersMax);
    }
    return ranges.add(seq);
  }

  #addKey(name: string): boolean {
    if (this.#keys.has(name)) return false;
    this.#keys.add(name);
    dropOldest(this.#keys, keysMax);
    return true;
  }
}

/** A set of numbers that mostly rise by one: as ranges it stays one pair however long it grows. */
class Ranges {
  readonly #bounds: [from: number, to: number][] = [];

  /** False when the number was in it. */
  add(value: number): boolean {
    const bounds = this.#bounds;
    let at = bounds.length;
    while (at > 0 && bounds[at - 1]![0] > value) at--;
    const before = bounds[at - 1];
    const after = bounds[at];
    if (before && value <= before[1]) return false;
    const joinsBefore = before !== undefined && before[1] === value - 1;
    const joinsAfter = after !== undefined && after[0] === value + 1;
    if (joinsBefore && joinsAfter) {
      before[1] = after[1];
      bounds.splice(at, 1);
    } else if (joinsBefore) {
      before[1] = value;
    } else if (joinsAfter) {
      after[0] = value;
    } else {
      bounds.splice(at, 0, [value, value]);
      if (bounds.length > rangesMax) bounds.shift();
    }
    return true;
  }
}

/** Maps and sets keep the order of insertion. */
function dropOldest(collection: Map<string, unknown> | Set<string>, max: number): void {
  if (collection.size <= max) return;
  for (const oldest of collection.keys()) {
    collection.delete(oldest);
    return;
  }
}
