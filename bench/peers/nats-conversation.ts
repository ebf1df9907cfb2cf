/** Core NATS over WebSocket: one subject, messages of one size. */
import { randomBytes } from 'node:crypto';
import type { Conversation, Speaker } from '../../src/cli/bench/conversation.js';
import type { LoadSocketOptions } from '../../src/cli/bench/load-socket.js';
import { PreparedFrames, maskedFrame } from '../../src/cli/bench/prepared-frames.js';

export interface NatsOptions {
  readonly subject: string;
  readonly payloadBytes: number;
}

const framesPrepared = 2_048;
const hello = 'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\n';
const mark = { newLine: 0x0a, error: 0x2d, message: 0x4d, p: 0x50, o: 0x4f };
const pong = Buffer.from('PONG\r\n');

/** What a server says, cut anywhere. */
class NatsStream {
  isReady = false;
  readonly #messageBytes: number;
  /** Bytes of the message at hand that are still to come. */
  #missing = 0;
  #line: number[] = [];

  constructor({ subject, payloadBytes }: NatsOptions) {
    this.#messageBytes = `MSG ${subject} 1 ${payloadBytes}\r\n`.length + payloadBytes + 2;
  }

  take(bytes: Buffer, start: number, end: number, answer: (message: Uint8Array) => void): number {
    let messages = 0;
    for (let at = start; at < end;) {
      if (this.#missing === 0 && this.#line.length === 0 && bytes[at] === mark.message)
        this.#missing = this.#messageBytes;
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, end - at);
        at += taken;
        this.#missing -= taken;
        if (this.#missing === 0) messages++;
      } else {
        this.#line.push(bytes[at]!);
        if (bytes[at++] === mark.newLine) this.#readLine(answer);
      }
    }
    return messages;
  }

  #readLine(answer: (message: Uint8Array) => void): void {
    const line = this.#line;
    this.#line = [];
    if (line[0] === mark.error) throw new Error(Buffer.from(line).toString('latin1'));
    if (line[0] !== mark.p) return;
    if (line[1] === mark.o) this.isReady = true;
    else answer(pong);
  }
}

export class NatsListener implements Conversation {
  readonly target: LoadSocketOptions;
  readonly greeting: Uint8Array;
  readonly #stream: NatsStream;

  constructor(url: string, options: NatsOptions) {
    this.target = { url };
    this.greeting = Buffer.from(`${hello}SUB ${options.subject} 1\r\nPING\r\n`);
    this.#stream = new NatsStream(options);
  }

  get isReady(): boolean {
    return this.#stream.isReady;
  }

  take(bytes: Buffer, start: number, end: number, answer: (message: Uint8Array) => void): number {
    return this.#stream.take(bytes, start, end, answer);
  }
}

/** Its publishes are not answered. */
export class NatsSpeaker implements Speaker {
  readonly target: LoadSocketOptions;
  readonly greeting = Buffer.from(`${hello}PING\r\n`);
  readonly frames: PreparedFrames;
  readonly operationsPerFrame = 1;
  readonly #stream: NatsStream;

  constructor(url: string, options: NatsOptions) {
    this.target = { url };
    this.#stream = new NatsStream(options);
    const head = Buffer.from(`PUB ${options.subject} ${options.payloadBytes}\r\n`);
    const tail = Buffer.from('\r\n');
    this.frames = new PreparedFrames(
      Array.from({ length: framesPrepared }, () =>
        maskedFrame(Buffer.concat([head, randomBytes(options.payloadBytes), tail])),
      ),
    );
  }

  get isReady(): boolean {
    return this.#stream.isReady;
  }

  take(bytes: Buffer, start: number, end: number, answer: (message: Uint8Array) => void): number {
    this.#stream.take(bytes, start, end, answer);
    return 0;
  }

  problem(): string | undefined {
    return undefined;
  }
}
