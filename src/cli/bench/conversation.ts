/** What a load says and hears on one connection. The loads count and keep time; a conversation knows the protocol, so
 *  that the same loads drive Ringlog, the floors and other systems. */
import type { LoadSocketOptions } from './load-socket.js';
import type { PreparedFrames } from './prepared-frames.js';

export interface Conversation {
  readonly target: LoadSocketOptions;
  /** Sent when the connection stands. */
  readonly greeting?: Uint8Array;
  /** It may be loaded: the greeting was answered, where an answer comes. */
  readonly isReady: boolean;
  /** How many operations this message answers, or how many messages it delivers. Throws what is wrong with it.
   *  `answer` sends a message back. */
  take(bytes: Buffer, start: number, end: number, answer: (message: Uint8Array) => void): number;
}

/** Makes operations: publishes, echoes. They are answered in their order, as far as latencies are told. */
export interface Speaker extends Conversation {
  readonly frames: PreparedFrames;
  readonly operationsPerFrame: number;
  /** What is wrong with the answers once everything sent is answered; undefined when nothing is. */
  problem(sentFrames: number): string | undefined;
}
