/** `XADD` to a stream, as Redis' own protocol has it. */
import { randomBytes } from 'node:crypto';
import type { Speaker } from '../../src/cli/bench/conversation.js';
import type { LoadSocketOptions } from '../../src/cli/bench/load-socket.js';
import { PreparedFrames } from '../../src/cli/bench/prepared-frames.js';

const framesPrepared = 2_048;
const newLine = 0x0a;
const errorMark = 0x2d;

export class RedisSpeaker implements Speaker {
  readonly target: LoadSocketOptions;
  /** What earlier runs stored would only fill the memory. */
  readonly greeting = command('FLUSHALL');
  readonly frames: PreparedFrames;
  readonly operationsPerFrame = 1;
  isReady = false;
  /** Of a reply: an id is a line with its length and a line with itself. */
  #lines = 0;
  #atLineStart = true;

  constructor(
    url: string,
    { channel, payloadBytes }: { readonly channel: string; readonly payloadBytes: number },
  ) {
    this.target = { url };
    this.frames = new PreparedFrames(
      Array.from({ length: framesPrepared }, () =>
        command('XADD', channel, '*', 'd', randomBytes(payloadBytes)),
      ),
    );
  }

  take(bytes: Buffer, start: number, end: number): number {
    const before = this.#lines >> 1;
    for (let i = start; i < end; i++) {
      if (this.#atLineStart && bytes[i] === errorMark) throw new Error(bytes.toString('latin1', i, end));
      this.#atLineStart = bytes[i] === newLine;
      if (this.#atLineStart) this.#lines++;
    }
    if (this.isReady) return (this.#lines >> 1) - before;
    // The answer to the greeting is one line.
    this.isReady = this.#lines > 0;
    this.#lines = 0;
    return 0;
  }

  problem(): string | undefined {
    return undefined;
  }
}

function command(...words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap((word) => {
    const bytes = Buffer.from(word);
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}
