/** Channels that came into memory only to be looked at leave it again as soon as nothing is under way in them. */
import type { ChannelRef } from '../../base/ids.js';

/** Beyond it they leave when they fall idle, like others. */
const waitingMax = 16_384;

export class Passing {
  readonly #drop: (ref: ChannelRef) => boolean;
  #waiting: ChannelRef[] = [];

  /** `drop`: false where something is still under way. */
  constructor(drop: (ref: ChannelRef) => boolean) {
    this.#drop = drop;
  }

  close(refs: readonly ChannelRef[]): void {
    for (const ref of refs)
      if (!this.#drop(ref) && this.#waiting.length < waitingMax) this.#waiting.push(ref);
  }

  /** Between two commits. */
  retry(): void {
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((ref) => !this.#drop(ref));
  }
}
