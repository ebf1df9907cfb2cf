/** What is opened once: it is there, or it ended before. */
import type { RinglogError } from './error.js';

export class Opening {
  readonly done: Promise<void>;
  there: () => void = () => undefined;
  ended: (error: RinglogError) => void = () => undefined;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.there = resolve;
      this.ended = reject;
    });
  }
}
