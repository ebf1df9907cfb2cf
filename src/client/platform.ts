/** Everything the client needs from where it runs, and the one file that touches it. A test or a simulator gives its
 *  own `Platform`, and then a seed repeats a run. */
import type { Random } from '../base/random.js';

export interface Platform {
  /** Milliseconds that never step back; their zero means nothing. */
  nowMs(): number;
  /** Wall clock: only ever used to number the starts of a named publisher. */
  unixMs(): number;
  /** Runs `callback` once after `delayMs`; returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
  /** Runs `callback` after the work of this turn, so that what happens together is sent together. */
  soon(callback: () => void): void;
  readonly random: Random;
  /** Begins to connect; never throws. Exactly one `closed` ends every socket. */
  openSocket(url: string, subprotocol: string, events: SocketEvents): Socket;
  /** Tells of an error thrown by the application's own listener. */
  report(error: unknown): void;
}

export interface SocketEvents {
  opened(): void;
  received(frame: Uint8Array): void;
  /** 1006 when the connection ended without a close frame, or was never made. */
  closed(code: number, reason: string): void;
}

export interface Socket {
  /** Takes the bytes before it returns; does nothing on a socket that is not open. */
  send(frame: Uint8Array): void;
  /** `code`: 1000, or 4000 to 4999. */
  close(code: number, reason: string): void;
  /** Bytes that ever arrived, parts of messages too, where that can be known. */
  bytesReceived?(): number | undefined;
}

/** What browsers call `WebSocket`, as far as it is used here. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** Ends the connection without waiting for the other side; the package `ws` has it. */
  terminate?(): void;
  /** What a connection of the package `ws` runs on. */
  readonly _socket?: { readonly bytesRead: number } | null;
}
export type WebSocketConstructor = new (url: string, subprotocols: string[]) => WebSocketLike;

const normalClosure = 1000;
const abnormal = 1006;
const openState = 1;

/** Browsers and Node. `webSocket` replaces the global one; Node 20 has none and loads the package `ws`. */
export function systemPlatform(webSocket?: WebSocketConstructor): Platform {
  return {
    nowMs: () => performance.now(),
    unixMs: () => Date.now(),
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    soon: afterThisTurn(),
    random: {
      next: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
      bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    },
    openSocket: (url, subprotocol, events) => openWebSocket(webSocket, url, subprotocol, events),
    report: (error) =>
      queueMicrotask(() => {
        throw error;
      }),
  };
}

/** Later than every promise that is settled already, earlier than any timer: pages in the background slow timers down. */
function afterThisTurn(): (callback: () => void) => void {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };
  if (setImmediate) return (callback) => setImmediate(callback);
  const { port1, port2 } = new MessageChannel();
  const due: (() => void)[] = [];
  port1.addEventListener('message', () => due.shift()?.());
  port1.start();
  return (callback) => {
    due.push(callback);
    port2.postMessage(undefined);
  };
}

function openWebSocket(
  given: WebSocketConstructor | undefined,
  url: string,
  subprotocol: string,
  events: SocketEvents,
): Socket {
  let socket: WebSocketLike | undefined;
  let isEnded = false;
  const ended = (code: number, reason: string): void => {
    if (isEnded) return;
    isEnded = true;
    events.closed(code, reason);
  };
  const attach = (constructor: WebSocketConstructor): void => {
    if (isEnded) return;
    socket = new constructor(url, [subprotocol]);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => events.opened();
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (data instanceof ArrayBuffer) events.received(new Uint8Array(data));
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => ended(code, reason);
    // What went wrong is not told here; the close that follows ends it.
    socket.onerror = () => {};
  };
  const failed = (error: unknown): void => ended(abnormal, error instanceof Error ? error.message : '');
  const known = given ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (known === undefined) {
    webSocketOfNode().then(attach).catch(failed);
  } else {
    // Even a refusal of the address comes later, as every other answer does.
    Promise.resolve(known).then(attach).catch(failed);
  }
  return {
    send(frame) {
      if (socket?.readyState === openState) socket.send(frame as Uint8Array<ArrayBuffer>);
    },
    close(code, reason) {
      // A connection that is given up would be waited for, and keep a process from ending.
      if (code !== normalClosure && socket?.terminate) socket.terminate();
      else socket?.close(code, reason);
      // The other side may never answer: for the client it is over now.
      ended(code, reason);
    },
    bytesReceived: () => socket?._socket?.bytesRead,
  };
}

async function webSocketOfNode(): Promise<WebSocketConstructor> {
  // Not a literal, so that bundlers for browsers do not look for it.
  const name = 'ws';
  const loaded = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
    WebSocket: WebSocketConstructor;
  };
  return loaded.WebSocket;
}
