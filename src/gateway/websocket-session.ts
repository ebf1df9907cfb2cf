/** One WebSocket connection as a session's way in and out. `ws` receives, answers pings and closes, apart from the usual
 *  binary frame, which is cut out before it (frame-cutter.ts); frames go straight to the socket as prepared bytes, one
 *  write a turn, because a `send` each costs a system call and an object chain. */
import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import type { Clock } from '../engine/ports.js';
import type { OutFrame, SessionHandle, SessionSink } from '../engine/api.js';
import { errorCatalogue } from '../protocol/errors.js';
import type { Encoding } from '../protocol/messages.js';
import { limits } from '../base/limits.js';
import { FrameCutter, type FrameCutterSink } from './frame-cutter.js';
import { gatewayLimits } from './gateway-limits.js';
import { binaryOpcode, chunksOf, textOpcode } from './websocket-frame.js';

/** Policy violation (RFC 6455 §7.4.1). */
const policyCode = 1008;

export interface WebSocketSessionOptions {
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly encoding: Encoding;
  readonly clock: Clock;
  /** The client is not known yet and must say who it is: little is buffered of it until then. */
  readonly mustAuthenticate: boolean;
  readonly owner: WebSocketSessionOwner;
}

export interface WebSocketSessionOwner {
  /** The connection is gone. */
  ended(session: WebSocketSession): void;
}

/** Where listeners find their session: one set of them serves all connections, since idle ones are many. */
const sessionKey = Symbol('session');
type SessionWebSocket = WebSocket & { [sessionKey]?: WebSocketSession };
type SessionSocket = Socket & { [sessionKey]?: WebSocketSession };

type DataListener = (this: Socket, chunk: Buffer) => void;

export class WebSocketSession implements SessionSink, FrameCutterSink {
  readonly #ws: SessionWebSocket;
  readonly #socket: SessionSocket;
  readonly #isBinary: boolean;
  readonly #clock: Clock;
  readonly #owner: WebSocketSessionOwner;
  /** Only for binary sessions: of text `ws` checks that it is UTF-8. */
  #cutter: FrameCutter | undefined;
  /** What `ws` does with received bytes, where they come to it through the cutter. */
  #receive: DataListener | undefined;
  #handle: SessionHandle | undefined;
  /** Received so far of a client that must say who it is first; `undefined` once that was a whole message. */
  #bytesBeforeFirstMessage: number | undefined;
  #closed = false;
  #paused = false;
  #controlFrames = 0;
  #controlSinceMs = 0;

  constructor(options: WebSocketSessionOptions) {
    this.#ws = options.ws;
    this.#socket = options.socket;
    this.#isBinary = options.encoding === 'protobuf';
    this.#clock = options.clock;
    this.#owner = options.owner;
    this.#ws[sessionKey] = this;
    this.#socket[sessionKey] = this;
    this.#ws.on('message', onMessage);
    this.#ws.on('ping', onPing);
    this.#ws.on('pong', onPong);
    this.#ws.on('error', onError);
    this.#ws.on('close', onClose);
    this.#socket.on('drain', onDrain);
    if (options.mustAuthenticate) this.#bytesBeforeFirstMessage = 0;
    if (this.#isBinary) {
      this.#cutter = new FrameCutter(this, limits.frameBytesMax);
      this.#receive = this.#socket.listeners('data')[0] as DataListener;
      this.#socket.off('data', this.#receive);
    }
    if (this.#isBinary || options.mustAuthenticate) this.#socket.on('data', onData);
  }

  /** Frames may be written before; nothing is received. */
  attach(handle: SessionHandle): void {
    this.#handle = handle;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(frames: readonly OutFrame[]): void {
    if (this.#closed || frames.length === 0 || !this.#socket.writable) return;
    const chunks = chunksOf(frames, this.#isBinary ? binaryOpcode : textOpcode);
    if (chunks.length === 1) {
      this.#socket.write(chunks[0]!);
    } else {
      this.#socket.cork();
      for (const chunk of chunks) this.#socket.write(chunk);
      this.#socket.uncork();
    }
    // Who does not read answers may not ask on. What one read brought in is still handled: at most 64 KiB.
    if (!this.#paused && this.#socket.writableLength > gatewayLimits.pauseReadingBytes) {
      this.#paused = true;
      this.#ws.pause();
    }
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#resume();
    this.#ws.close(code, closeReason(reason));
  }

  /** Ends the connection without waiting for the other side. */
  terminate(): void {
    this.#ws.terminate();
  }

  // --- for the listeners below

  /** Bytes from the socket. */
  data(chunk: Buffer): void {
    this.#cutter?.push(chunk);
    // A whole message in this chunk has been seen by now.
    if (this.#bytesBeforeFirstMessage === undefined) return;
    this.#bytesBeforeFirstMessage += chunk.length;
    if (this.#bytesBeforeFirstMessage <= gatewayLimits.unauthenticatedBytesMax) return;
    this.#bytesBeforeFirstMessage = undefined;
    this.#refuse(errorCatalogue.FRAME_TOO_LARGE.close, 'The first message must authenticate.');
  }

  cut(payload: Buffer): void {
    this.#bytesBeforeFirstMessage = undefined;
    if (!this.#closed) this.#handle?.receive(payload);
  }

  pass(bytes: Buffer): void {
    this.#receive?.call(this.#socket, bytes);
  }

  /** `ws` found a violation and takes nothing more. */
  violated(): void {
    this.#cutter?.end();
  }

  received(frame: Buffer, isBinary: boolean): void {
    this.#bytesBeforeFirstMessage = undefined;
    if (this.#closed) return;
    if (isBinary === this.#isBinary) {
      this.#handle?.receive(frame);
      return;
    }
    const expected = this.#isBinary ? 'binary' : 'text';
    this.#refuse(errorCatalogue.BAD_FRAME.close, `This session takes ${expected} frames only.`);
  }

  /** False, and the end, when there are too many. */
  takeControlFrame(): boolean {
    if (this.#closed) return false;
    const now = this.#clock.monotonicMs();
    if (now - this.#controlSinceMs >= 1_000) {
      this.#controlSinceMs = now;
      this.#controlFrames = 0;
    }
    this.#controlFrames++;
    if (this.#controlFrames <= gatewayLimits.controlFramesPerSecondMax) return true;
    this.#refuse(policyCode, 'Too many ping or pong frames.');
    return false;
  }

  /** Ends the connection for the client's fault; unlike `close` the engine did not ask for it. */
  #refuse(code: number, reason: string): void {
    const handle = this.#handle;
    this.close(code, reason);
    // What else it sends stays in the network until the connection ends.
    this.#ws.pause();
    this.#handle = undefined;
    handle?.disconnected();
  }

  drained(): void {
    if (this.#closed) return;
    this.#resume();
    this.#handle?.drained();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#ws.resume();
  }

  ended(): void {
    const handle = this.#handle;
    const closedByEngine = this.#closed;
    this.#closed = true;
    this.#handle = undefined;
    if (!closedByEngine) handle?.disconnected();
    this.#owner.ended(this);
  }
}

function onData(this: SessionSocket, chunk: Buffer): void {
  this[sessionKey]!.data(chunk);
}

function onMessage(this: SessionWebSocket, data: RawData, isBinary: boolean): void {
  this[sessionKey]!.received(data as Buffer, isBinary);
}

function onPing(this: SessionWebSocket, payload: Buffer): void {
  if (this[sessionKey]!.takeControlFrame()) this.pong(payload);
}

function onPong(this: SessionWebSocket): void {
  this[sessionKey]!.takeControlFrame();
}

/** A protocol error: ws has sent its close code already. */
function onError(this: SessionWebSocket): void {
  this[sessionKey]!.violated();
}

function onClose(this: SessionWebSocket): void {
  this[sessionKey]!.ended();
}

function onDrain(this: SessionSocket): void {
  this[sessionKey]!.drained();
}

/** A close frame has room for 123 bytes. */
function closeReason(reason: string): string {
  if (Buffer.byteLength(reason) <= 123) return reason;
  const cut = Buffer.from(reason).subarray(0, 120).toString();
  return `${cut.replace(/\uFFFD+$/, '')}…`;
}
