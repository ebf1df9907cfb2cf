/** Files that somebody else renews and tells nobody: read again and again, and taken when they have changed and are good. */

export interface WatchOptions {
  /** Told once of what was renewed and cannot be used; what was there before stays. */
  readonly warn: (message: string) => void;
  /** Time between two looks at the files. */
  readonly lookEveryMs?: number;
}

const defaultLookEveryMs = 10_000;

export class Watched<Content extends object> {
  readonly #read: () => Promise<Content>;
  readonly #warn: (message: string) => void;
  readonly #listeners: ((content: Content) => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  #content: Content;
  #fault = '';

  /** Rejects with what `read` says of the files as they are now. */
  static async open<Content extends object>(
    read: () => Promise<Content>,
    options: WatchOptions,
  ): Promise<Watched<Content>> {
    return new Watched(await read(), read, options);
  }

  private constructor(
    content: Content,
    read: () => Promise<Content>,
    { warn, lookEveryMs = defaultLookEveryMs }: WatchOptions,
  ) {
    this.#content = content;
    this.#read = read;
    this.#warn = warn;
    this.#timer = setInterval(() => void this.#look(), lookEveryMs);
    this.#timer.unref();
  }

  get content(): Content {
    return this.#content;
  }

  onRenewed(listener: (content: Content) => void): void {
    this.#listeners.push(listener);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      const found = await this.#read();
      this.#fault = '';
      if (JSON.stringify(found) === JSON.stringify(this.#content)) return;
      this.#content = found;
      for (const listener of this.#listeners) listener(found);
    } catch (error) {
      const { message } = error as Error;
      // Said once, not at every look.
      if (message !== this.#fault) this.#warn(`${message} The certificate before it stays in use.`);
      this.#fault = message;
    }
  }
}
