/** What waits until it is known who a session is. */
import { limits } from '../base/limits.js';

/** Frames that came behind an Auth, or a key, without an answer yet. */
export class HeldFrames {
  readonly frames: { readonly frame: Uint8Array; readonly from: number }[] = [];
  #bytes = 0;

  /** `from`: the first of its envelopes that counts. False when it is too much. */
  add(frame: Uint8Array, from: number): boolean {
    this.#bytes += frame.length;
    if (this.#bytes > limits.heldFrameBytesMax) return false;
    // The frame is a view of what the socket read.
    this.frames.push({ frame: frame.slice(), from });
    return true;
  }
}

export const restoredFirst = 'A session is restored before anything else, once.';
