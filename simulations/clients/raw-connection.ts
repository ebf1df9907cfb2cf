/** A WebSocket to a node that comes back: bytes in and out, nothing of the SDK. */
import { WebSocket } from 'ws';
import { seededRandom } from '../../src/base/random.js';

export interface ConnectionEvents {
  /** A connection stands; called again after each reconnect. */
  opened(): void;
  frame(bytes: Buffer): void;
  /** It fell; the next one is being made. */
  lost(): void;
  /** The node took the connection and then said nothing. The next one is being made. */
  stalled(): void;
}

const handshakeLimitMs = 20_000;

const pauseMinMs = 10;
const pauseMaxMs = 200;

export class RawConnection {
  connects = 0;
  readonly #urls: readonly string[];
  readonly #events: ConnectionEvents;
  readonly #random: () => number;
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = pauseMinMs;
  #attempt = 0;
  #closed = false;

  /** Of several addresses the next is tried each time. `seed` spreads the clients' attempts, so that a node coming back is not met by all in one moment. */
  constructor(url: string | readonly string[], hub: string, seed: number, events: ConnectionEvents) {
    const urls = typeof url === 'string' ? [url] : url;
    this.#urls = urls.map((each) => `${each.replace(/^http/, 'ws')}/v1/hubs/${hub}/ws`);
    this.#events = events;
    const random = seededRandom(seed);
    this.#random = () => random.next();
    this.#open();
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** For people, where it does not get on. */
  get state(): string {
    const names = ['connecting', 'open', 'closing', 'closed'];
    return `${names[this.#socket?.readyState ?? 3]}, after ${this.connects} connections`;
  }

  /** False when there is no connection. */
  send(frame: Uint8Array): boolean {
    if (!this.isOpen) return false;
    this.#socket!.send(frame);
    return true;
  }

  /** Gives up the connection there is; the next is made. */
  drop(): void {
    this.#socket?.terminate();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
  }

  #open(): void {
    const options = { perMessageDeflate: false, handshakeTimeout: handshakeLimitMs };
    const url = this.#urls[this.#attempt++ % this.#urls.length]!;
    const socket = new WebSocket(url, 'ringlog.v1.protobuf', options);
    this.#socket = socket;
    socket.on('open', () => {
      this.connects++;
      this.#pauseMs = pauseMinMs;
      this.#events.opened();
    });
    socket.on('message', (data) => this.#events.frame(data as Buffer));
    // Every failure is told by 'close' too.
    socket.on('error', ({ message }) => {
      if (message.includes('handshake has timed out')) this.#events.stalled();
    });
    socket.on('close', () => this.#lost());
  }

  #lost(): void {
    if (this.#closed) return;
    this.#events.lost();
    this.#timer = setTimeout(() => this.#open(), this.#pauseMs * (0.5 + this.#random()));
    this.#pauseMs = Math.min(pauseMaxMs, this.#pauseMs * 2);
  }
}
