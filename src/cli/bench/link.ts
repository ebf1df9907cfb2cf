/** One connection of a load with its conversation. */
import type { Conversation } from './conversation.js';
import { LoadSocket } from './load-socket.js';
import { within } from './within.js';

export interface LinkEvents {
  /** So many operations were answered, or messages delivered. */
  taken(count: number): void;
  /** All that one read brought was taken. */
  turn(): void;
  failed(error: Error): void;
}

const openingMax = 100;
const openLimitMs = 60_000;

export class Link<C extends Conversation> {
  readonly conversation: C;
  readonly #socket: LoadSocket;
  readonly #events: LinkEvents;
  #whenReady: () => void = () => {};
  #whenRefused: (error: Error) => void = () => {};
  #wasReady = false;
  readonly #answer = (message: Uint8Array) => this.#socket.send(message);

  private constructor(conversation: C, events: LinkEvents) {
    this.conversation = conversation;
    this.#events = events;
    this.#socket = new LoadSocket(conversation.target, {
      opened: () => {
        if (conversation.greeting) this.#socket.send(conversation.greeting);
        this.#lookIfReady();
      },
      message: (bytes, start, end) => this.#message(bytes, start, end),
      turn: () => {
        if (this.#wasReady) events.turn();
      },
      failed: (error) => this.#fail(error),
    });
  }

  /** Opens one; resolves when it may be loaded. */
  static async open<C extends Conversation>(conversation: C, events: LinkEvents): Promise<Link<C>> {
    const link = new Link(conversation, events);
    try {
      await new Promise<void>((resolve, reject) => {
        link.#whenReady = resolve;
        link.#whenRefused = reject;
      });
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** Opens all, some at a time; when one fails, those that were opened are closed again. */
  static async openAll<C extends Conversation>(
    conversations: readonly C[],
    eventsOf: (index: number) => LinkEvents,
  ): Promise<Link<C>[]> {
    const links: Link<C>[] = [];
    let next = 0;
    const work = async () => {
      while (next < conversations.length) {
        const index = next++;
        links[index] = await Link.open(conversations[index]!, eventsOf(index));
      }
    };
    try {
      const all = Promise.all(Array.from({ length: openingMax }, work));
      await within(all, openLimitMs, `opening ${conversations.length} connections`);
      return links;
    } catch (error) {
      next = conversations.length;
      for (const link of links) link?.close();
      throw error;
    }
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.close();
  }

  #message(bytes: Buffer, start: number, end: number): void {
    let count: number;
    try {
      count = this.conversation.take(bytes, start, end, this.#answer);
    } catch (error) {
      this.#socket.close();
      this.#fail(error as Error);
      return;
    }
    if (!this.#wasReady) this.#lookIfReady();
    if (this.#wasReady) this.#events.taken(count);
  }

  #lookIfReady(): void {
    if (!this.conversation.isReady || this.#wasReady) return;
    this.#wasReady = true;
    this.#whenReady();
  }

  #fail(error: Error): void {
    if (this.#wasReady) this.#events.failed(error);
    else this.#whenRefused(error);
  }
}
