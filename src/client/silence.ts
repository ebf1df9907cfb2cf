/** How long an open connection may be silent before it counts as dead: pure, its times are given.
 *
 *  A server that lost its machine closes nothing. While something is unanswered, a short silence is asked about with a ping, and
 *  a short one after that is the end; while nothing is, the heartbeat finds out. Whatever is heard is a sign of life, so a
 *  server that is slow to answer, and answers pings, keeps its clients. */

export interface SilenceOptions {
  /** A silent connection with something unanswered is asked after this long. */
  readonly askAfterMs: number;
  /** Silence this long after that ends it. */
  readonly silenceMs: number;
  /** The most silence before a ping where nothing is unanswered, if less than the server says. */
  readonly heartbeatMs: number;
}

/** Silence this long after a ping ends a connection on which nothing is unanswered. */
const pongTimeoutMs = 8_000;
/** Whatever is sent at once is taken to arrive at this rate at least, beyond what always fits. */
const bytesPerMs = 64;
const bytesFree = 65_536;
/** A timer that is this late says that this side stood still: what arrived meanwhile has not been read. */
const lateMs = 500;
/** Who gave up a connection twice within this may have a slow network, not dead servers. */
const memoryMs = 600_000;
const doublingsMax = 5;

export class Silence {
  readonly #options: SilenceOptions;
  #intervalMs = 0;
  #heardMs = 0;
  #pingedMs: number | undefined;
  #waitsSinceMs: number | undefined;
  /** Pings since the last answer that was more than a pong: whoever waits long asks ever more seldom. */
  #asked = 0;
  #largestFrame = 0;
  #isForgiven = false;
  /** Connections given up lately: from the second on each doubles the patience. */
  #givenUp = 0;
  #givenUpMs = -Infinity;

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  get isPinged(): boolean {
    return this.#pingedMs !== undefined;
  }

  opened(intervalMs: number, nowMs: number): void {
    if (nowMs - this.#givenUpMs >= memoryMs) this.#givenUp = 0;
    this.#intervalMs = Math.min(intervalMs, this.#options.heartbeatMs);
    this.#waitsSinceMs = undefined;
    this.#asked = 0;
    this.#largestFrame = 0;
    this.heard(nowMs, false);
  }

  heard(nowMs: number, isAnswer: boolean): void {
    this.#heardMs = nowMs;
    this.#pingedMs = undefined;
    this.#isForgiven = false;
    if (isAnswer) this.#asked = 0;
  }

  sent(bytes: number): void {
    this.#largestFrame = Math.max(this.#largestFrame, bytes);
  }

  /** Whether anything is unanswered, from now on. */
  waits(isWaiting: boolean, nowMs: number): void {
    if (isWaiting) {
      this.#waitsSinceMs ??= nowMs;
      return;
    }
    this.#waitsSinceMs = undefined;
    this.#asked = 0;
    this.#largestFrame = 0;
  }

  nextDeadline(): number {
    const askAtMs = this.#askAtMs();
    if (this.#pingedMs === undefined) return Math.min(this.#heardMs + this.#intervalMs, askAtMs);
    const endMs = Math.max(this.#pingedMs, askAtMs) + this.#patient(this.#options.silenceMs);
    return Math.min(this.#pingedMs + pongTimeoutMs, endMs);
  }

  /** What is due; only when something is. */
  tick(nowMs: number): 'ping' | 'lost' | undefined {
    const deadlineMs = this.nextDeadline();
    if (nowMs < deadlineMs) return undefined;
    if (this.#pingedMs === undefined) {
      if (nowMs >= this.#askAtMs()) this.#asked++;
    } else if (nowMs - deadlineMs < lateMs || this.#isForgiven) {
      this.#givenUp = Math.min(this.#givenUp + 1, doublingsMax);
      this.#givenUpMs = nowMs;
      return 'lost';
    } else {
      this.#isForgiven = true;
    }
    this.#pingedMs = nowMs;
    return 'ping';
  }

  #askAtMs(): number {
    if (this.#waitsSinceMs === undefined) return Infinity;
    // The ping that asks counts from when it is sent.
    const asked = this.#pingedMs === undefined ? this.#asked : 0;
    const waitMs = this.#patient(this.#options.askAfterMs) * 2 ** Math.min(asked, doublingsMax);
    const sendingMs = Math.max(0, this.#largestFrame - bytesFree) / bytesPerMs;
    return Math.max(this.#heardMs, this.#waitsSinceMs) + waitMs + sendingMs;
  }

  /** The first that is given up says nothing against the next. */
  #patient(ms: number): number {
    return ms * 2 ** Math.max(0, this.#givenUp - 1);
  }
}
