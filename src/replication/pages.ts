/** How much is read for homes that lack much, and sent to them: few pages at a time, of a channel the next one once the last is
 *  acked. A home that is sent more than it takes in lets go of it, and is sent it again, and again. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Channel } from './channel.js';
import { timing } from './timing.js';

interface Page {
  /** It counts as lost then. */
  readonly until: number;
  /** All that the home lacked as it was read: what came since may follow at once. */
  isLast: boolean;
}

interface Window {
  /** Read or sent and not acked, by key of the channel. */
  readonly pages: Map<string, Page>;
  /** What waits for room, in its order. */
  readonly waiting: Map<string, Channel>;
}

export class Pages {
  readonly #windows = new Map<NodeId, Window>();

  /** Whether one of the channel may be read for the home now; else its turn comes. */
  begin(channel: Channel, home: NodeId, now: number): boolean {
    const { pages, waiting } = this.#window(home);
    const last = pages.get(channel.key);
    if (last && !last.isLast && now < last.until) return false;
    if (!last && !this.#hasRoom(pages, now)) {
      waiting.set(channel.key, channel);
      return false;
    }
    waiting.delete(channel.key);
    pages.set(channel.key, { until: now + timing.pageMs, isLast: false });
    return true;
  }

  /** What was read for it was sent. */
  sent(channel: Channel, home: NodeId, isLast: boolean): void {
    const page = this.#windows.get(home)?.pages.get(channel.key);
    if (page) page.isLast = isLast;
  }

  /** It is acked, or lost, or there was none. Returns whether it was under way. */
  end({ key }: Channel, home: NodeId): boolean {
    return this.#windows.get(home)?.pages.delete(key) === true;
  }

  /** A channel whose turn it is, if there is room. */
  next(home: NodeId, now: number): Channel | undefined {
    const window = this.#windows.get(home);
    if (!window || !this.#hasRoom(window.pages, now)) return undefined;
    const [channel] = window.waiting.values();
    if (channel) window.waiting.delete(channel.key);
    else if (window.pages.size === 0) this.#windows.delete(home);
    return channel;
  }

  /** Nothing is on its way to the home any more. */
  drop(home: NodeId): void {
    this.#windows.delete(home);
  }

  #hasRoom(pages: Map<string, Page>, now: number): boolean {
    if (pages.size < limits.pushedPagesMax) return true;
    for (const [key, { until }] of pages) if (now >= until) pages.delete(key);
    return pages.size < limits.pushedPagesMax;
  }

  #window(home: NodeId): Window {
    let window = this.#windows.get(home);
    if (!window) this.#windows.set(home, (window = { pages: new Map(), waiting: new Map() }));
    return window;
  }
}
