/** Notes that go into the next commit beside what the replica writes. */
/** Notes that are to be durable, and what follows once they are. */
export interface Writing {
  /** As they are when a commit takes them in. */
  notes(): ReadonlyMap<string, Uint8Array>;
  /** No commit is under way then. */
  done(): void;
}

export class Writings {
  #waiting: Writing[] = [];
  /** In the commit under way. */
  #written: Writing[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(writing: Writing): void {
    this.#waiting.push(writing);
  }

  /** With those of the replica; later ones win. */
  cut(notes: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
    if (this.isEmpty) return notes;
    this.#written = this.#waiting;
    this.#waiting = [];
    const all = new Map(notes);
    for (const writing of this.#written) for (const [name, note] of writing.notes()) all.set(name, note);
    return all;
  }

  synced(): void {
    for (const writing of this.#written.splice(0)) writing.done();
  }
}
