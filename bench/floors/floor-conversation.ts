/** What a load says to the bare `ws` servers: messages that are nothing but payload. */
import { randomBytes } from 'node:crypto';
import type { Conversation, Speaker } from '../../src/cli/bench/conversation.js';
import type { LoadSocketOptions } from '../../src/cli/bench/load-socket.js';
import { PreparedFrames, maskedFrame } from '../../src/cli/bench/prepared-frames.js';

const framesPrepared = 2_048;

/** Sends payloads that come back (`/`), or that others get (`/pub`). */
export class FloorSpeaker implements Speaker {
  readonly target: LoadSocketOptions;
  readonly frames: PreparedFrames;
  readonly operationsPerFrame = 1;
  readonly isReady = true;
  readonly #payloadBytes: number;

  constructor(url: string, payloadBytes: number) {
    this.target = { url };
    this.#payloadBytes = payloadBytes;
    this.frames = new PreparedFrames(
      Array.from({ length: framesPrepared }, () => maskedFrame(randomBytes(payloadBytes))),
    );
  }

  take(_bytes: Buffer, start: number, end: number): number {
    checkLength(end - start, this.#payloadBytes);
    return 1;
  }

  problem(): string | undefined {
    return undefined;
  }
}

export class FloorListener implements Conversation {
  readonly target: LoadSocketOptions;
  readonly isReady = true;
  readonly #payloadBytes: number;

  constructor(url: string, payloadBytes: number) {
    this.target = { url };
    this.#payloadBytes = payloadBytes;
  }

  take(_bytes: Buffer, start: number, end: number): number {
    checkLength(end - start, this.#payloadBytes);
    return 1;
  }
}

function checkLength(length: number, expected: number): void {
  if (length !== expected) throw new Error(`a message of ${length} bytes came, not of ${expected}`);
}
