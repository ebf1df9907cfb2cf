/** A client connection that costs its process little, so that it is the server that is measured: prepared bytes go out,
 *  received messages are told as ranges of one read buffer that all sockets share. WebSocket, or with `tcp:` plain bytes. */
import { createHash, randomBytes } from 'node:crypto';
import { type Socket, connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { maskedFrame } from './prepared-frames.js';

export interface LoadSocketOptions {
  /** `ws:`, `wss:`, or `tcp:` for a plain connection. */
  readonly url: string;
  /** The WebSocket sub-protocol. */
  readonly protocol?: string;
  readonly token?: string;
}

export interface LoadSocketEvents {
  /** It may be written to. */
  opened(): void;
  /** One message, or with `tcp:` what was read. The buffer is used again afterwards. */
  message(bytes: Buffer, start: number, end: number): void;
  /** All that one read brought was told. */
  turn(): void;
  /** The connection is over although nobody here closed it. Nothing is told afterwards. */
  failed(error: Error): void;
}

const readBytes = 1_048_576;
const messageBytesMax = 67_108_864;
const headBytesMax = 16_384;

/** Where the system hands out the buffer only once bytes are there, one serves all sockets. */
const mayShare = process.platform !== 'win32';
const sharedRead = Buffer.allocUnsafeSlow(mayShare ? readBytes : 0);

const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const final = 0x80;

export class LoadSocket {
  readonly #options: LoadSocketOptions;
  readonly #events: LoadSocketEvents;
  readonly #socket: Socket;
  readonly #isPlain: boolean;
  #state: 'connecting' | 'handshake' | 'open' | 'over' = 'connecting';
  /** What a read left over: the start of a frame, or of the answer to the handshake. */
  #rest = Buffer.alloc(0);
  #restLength = 0;
  #accept = '';

  constructor(options: LoadSocketOptions, events: LoadSocketEvents) {
    this.#options = options;
    this.#events = events;
    const url = new URL(options.url);
    this.#isPlain = url.protocol === 'tcp:';
    const isTls = url.protocol === 'wss:';
    const target = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (isTls ? 443 : 80),
      noDelay: true,
      onread: {
        buffer: mayShare ? sharedRead : Buffer.allocUnsafeSlow(65_536),
        callback: (length: number, bytes: Uint8Array) => this.#read(bytes as Buffer, length),
      },
    };
    this.#socket = isTls ? connectTls({ ...target, servername: url.hostname }) : connectTcp(target);
    this.#socket.once(isTls ? 'secureConnect' : 'connect', () => this.#connected(url));
    this.#socket.once('error', (error) => this.#fail(error));
    this.#socket.once('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** Bytes that are frames already. */
  write(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#socket.write(bytes);
  }

  /** One binary message; frames of the hot path are prepared and use `write`. */
  send(message: Uint8Array): void {
    this.write(this.#isPlain ? message : maskedFrame(message));
  }

  close(): void {
    this.#state = 'over';
    this.#socket.destroy();
  }

  #connected(url: URL): void {
    if (this.#state === 'over') return;
    if (this.#isPlain) {
      this.#state = 'open';
      this.#events.opened();
      return;
    }
    this.#state = 'handshake';
    const key = randomBytes(16).toString('base64');
    this.#accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const { protocol, token } = this.#options;
    const lines = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ];
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  #read(bytes: Buffer, length: number): boolean {
    if (this.#state === 'open' && this.#isPlain) {
      this.#events.message(bytes, 0, length);
    } else if (this.#state === 'open') {
      this.#readFrames(bytes, length);
    } else if (this.#state === 'handshake') {
      this.#readHead(bytes, length);
    }
    if (this.#state === 'open') this.#events.turn();
    return true;
  }

  #readHead(bytes: Buffer, length: number): void {
    this.#keep(bytes, 0, length);
    const seen = this.#rest.subarray(0, this.#restLength);
    const end = seen.indexOf('\r\n\r\n');
    if (end < 0) {
      if (seen.length > headBytesMax) this.#fail(new Error('the server does not answer the handshake'));
      return;
    }
    const head = seen.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(this.#accept)) {
      const status = head.split('\r\n', 1)[0];
      const body = seen.toString('utf8', end + 4).slice(0, 500);
      this.#fail(new Error(`the server refuses the connection: ${status} ${body}`.trim()));
      return;
    }
    this.#state = 'open';
    this.#restLength = 0;
    const behind = Buffer.from(seen.subarray(end + 4));
    this.#events.opened();
    if (behind.length > 0) this.#readFrames(behind, behind.length);
  }

  #readFrames(bytes: Buffer, length: number): void {
    let at = this.#restLength > 0 ? this.#completeRest(bytes, length) : 0;
    while (this.#state === 'open') {
      const end = frameEnd(bytes, at, length);
      if (end > length) break;
      this.#frame(bytes, at, end);
      at = end;
    }
    if (at < length && this.#state === 'open') this.#keep(bytes, at, length);
  }

  /** Takes what the frame that was cut off still lacks; returns how much that was. */
  #completeRest(bytes: Buffer, length: number): number {
    let at = 0;
    while (at < length) {
      const end = frameEnd(this.#rest, 0, this.#restLength);
      const missing = end - this.#restLength;
      if (missing <= 0) break;
      const taken = Math.min(missing, length - at);
      this.#keep(bytes, at, at + taken);
      at += taken;
    }
    const end = frameEnd(this.#rest, 0, this.#restLength);
    if (end === this.#restLength) {
      this.#restLength = 0;
      this.#frame(this.#rest, 0, end);
    }
    return at;
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    const needed = this.#restLength + end - start;
    if (needed > messageBytesMax) return this.#fail(new Error('the server sends a message without end'));
    if (needed > this.#rest.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#rest.length, 1_024));
      this.#rest.copy(grown, 0, 0, this.#restLength);
      this.#rest = grown;
    }
    bytes.copy(this.#rest, this.#restLength, start, end);
    this.#restLength = needed;
  }

  #frame(bytes: Buffer, start: number, end: number): void {
    const first = bytes[start]!;
    const second = bytes[start + 1]!;
    const payload = start + (second < 126 ? 2 : second === 126 ? 4 : 10);
    if (first === (final | opcodes.binary) || first === (final | opcodes.text)) {
      this.#events.message(bytes, payload, end);
    } else if (first === (final | opcodes.ping)) {
      this.write(maskedFrame(bytes.subarray(payload, end), opcodes.pong));
    } else if (first === (final | opcodes.close)) {
      const code = end - payload >= 2 ? bytes.readUInt16BE(payload) : 1005;
      this.#fail(
        new Error(`the server closed the connection: ${code} ${bytes.toString('utf8', payload + 2, end)}`),
      );
    } else if (first !== (final | opcodes.pong)) {
      this.#fail(
        new Error(`the server sent a frame that starts with ${first}: this generator takes whole ones`),
      );
    }
  }

  #fail(error: Error): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#socket.destroy();
    this.#events.failed(error);
  }
}

/** Where the frame at `at` ends; beyond `length` when not all of it is here, as far as that can be told. */
function frameEnd(bytes: Buffer, at: number, length: number): number {
  if (length - at < 2) return at + 2;
  const size = bytes[at + 1]!;
  if (size < 126) return at + 2 + size;
  if (size === 126) return length - at < 4 ? at + 4 : at + 4 + bytes.readUInt16BE(at + 2);
  // The mask bit of a server's frame, or more than 4 GiB: it will never be complete, and `keep` ends it.
  if (size !== 127) return Number.MAX_SAFE_INTEGER;
  if (length - at < 10) return at + 10;
  return at + 10 + bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
}
