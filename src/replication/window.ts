/** Questions to one peer of which few wait for an answer at a time; the others wait for their turn. Asked all at once, a peer that
 *  needs long for them is asked each of them again and again, and needs longer. */
export class Window<T> {
  readonly #max: number;
  /** When a question counts as lost, by its key. */
  readonly #asked = new Map<string, number>();
  readonly #waiting = new Map<string, T>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether it may be asked now, and once more if it was asked `forMs` ago; else its turn comes. */
  begin(key: string, question: T, now: number, forMs: number): boolean {
    if (now < (this.#asked.get(key) ?? -Infinity)) return false;
    if (!this.#asked.has(key) && !this.#hasRoom(now)) {
      this.#waiting.set(key, question);
      return false;
    }
    this.#waiting.delete(key);
    this.#asked.set(key, now + forMs);
    return true;
  }

  /** It is answered, or of no use any more. */
  end(key: string): void {
    this.#asked.delete(key);
    this.#waiting.delete(key);
  }

  /** What was asked may be lost: it is asked anew by whoever wants it. */
  forgetAsked(): void {
    this.#asked.clear();
  }

  get isWaitedFor(): boolean {
    return this.#waiting.size > 0;
  }

  /** One whose turn it is, if there is room: to be begun. */
  next(now: number): T | undefined {
    if (this.#waiting.size === 0 || !this.#hasRoom(now)) return undefined;
    const [first] = this.#waiting;
    this.#waiting.delete(first![0]);
    return first![1];
  }

  #hasRoom(now: number): boolean {
    if (this.#asked.size < this.#max) return true;
    for (const [key, until] of this.#asked) if (now >= until) this.#asked.delete(key);
    return this.#asked.size < this.#max;
  }
}
