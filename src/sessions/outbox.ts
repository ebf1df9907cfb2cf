/** What is due to one connection and not written yet, and whether the reader keeps up. Pure; the engine writes all of
 *  it once a turn.
 *
 *  A session that is behind is not fed from memory: its subscriptions go back to reading the log at the reader's own
 *  pace, so the queue stays below the hard bound whatever the channel does. It is closed only when the network took
 *  nothing for `slowReaderMs`. */
import { limits } from '../base/limits.js';

export interface QueuedFrame {
  readonly bytes: Uint8Array;
}

/** Shared by all that have nothing due. */
const none: never[] = [];

export class Outbox<F extends QueuedFrame> {
  #frames: F[] = none;
  #queuedBytes = 0;
  #writtenBytes = 0;
  #takenBytes = 0;
  #progressAt: number | undefined;

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isEmpty(): boolean {
    return this.#frames === none;
  }

  push(frame: F): void {
    // A list of one: an empty one makes room for many with its first push, and mostly there is one frame a turn.
    if (this.#frames === none) this.#frames = [frame];
    else this.#frames.push(frame);
    this.#queuedBytes += frame.bytes.length;
  }

  /** Hands out what is due; the caller writes it. */
  take(): readonly F[] {
    const due = this.#frames;
    this.#frames = none;
    this.#writtenBytes += this.#queuedBytes;
    this.#queuedBytes = 0;
    return due;
  }

  /** Above this, new entries are not queued but read from the log later. */
  isBehind(bufferedBytes: number): boolean {
    return this.#queuedBytes + bufferedBytes > limits.outboxSoftBytes;
  }

  /** Even answers no longer fit: a client that asks and never reads. */
  isOverflowing(bufferedBytes: number): boolean {
    return this.#queuedBytes + bufferedBytes > limits.outboxHardBytes;
  }

  /** To be called about once a second: true when bytes wait and none was taken for too long. */
  isStalled(bufferedBytes: number, nowMs: number): boolean {
    const taken = this.#writtenBytes - bufferedBytes;
    if (this.#progressAt === undefined || taken > this.#takenBytes || bufferedBytes === 0) {
      this.#takenBytes = taken;
      this.#progressAt = nowMs;
      return false;
    }
    return nowMs - this.#progressAt >= limits.slowReaderMs;
  }
}
