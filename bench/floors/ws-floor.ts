/** Bare `ws` servers: `/` echoes; what comes in at `/pub` goes to all at `/sub`, with or without being on disk first.
 *
 *    ws-floor <way> [directory]     way: send | frame | turn; with a directory it is appended and synced first */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { serveJobs } from '../processes/worker.js';
import { AppendFile } from './append-file.js';

/** `send`: `ws.send` of each message to each. `frame`: the frame is made once, and written to each. `turn`: the frames
 *  of one turn, or one commit, are joined and written to each at once. */
export type BroadcastWay = 'send' | 'frame' | 'turn';

interface Subscriber {
  readonly ws: WebSocket;
  readonly socket: Socket;
}

class Broadcast {
  readonly #way: BroadcastWay;
  readonly #file: AppendFile | undefined;
  readonly #subscribers = new Set<Subscriber>();
  #waiting: Buffer[] = [];
  #isBusy = false;

  constructor(way: BroadcastWay, directory: string | undefined) {
    this.#way = way;
    this.#file = directory === undefined ? undefined : new AppendFile(join(directory, 'append'));
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
    subscriber.ws.once('close', () => this.#subscribers.delete(subscriber));
  }

  publish(message: Buffer): void {
    if (!this.#file && this.#way !== 'turn') return this.#deliver([message]);
    this.#waiting.push(message);
    if (this.#isBusy) return;
    this.#isBusy = true;
    // Everything that this turn brings goes together.
    setImmediate(() => this.#next());
  }

  #next(): void {
    const messages = this.#waiting;
    this.#waiting = [];
    this.#isBusy = messages.length > 0;
    if (messages.length === 0) return;
    if (!this.#file) {
      this.#isBusy = false;
      return this.#deliver(messages);
    }
    this.#file.append(messages, (error) => {
      if (error) throw error;
      // The next commit goes to the disk while these are delivered.
      this.#next();
      this.#deliver(messages);
    });
  }

  #deliver(messages: readonly Buffer[]): void {
    if (this.#way === 'send') {
      for (const message of messages)
        for (const { ws } of this.#subscribers) ws.send(message, { binary: true });
      return;
    }
    const frames = messages.map(serverFrame);
    const writes = this.#way === 'turn' ? [Buffer.concat(frames)] : frames;
    for (const bytes of writes) for (const { socket } of this.#subscribers) socket.write(bytes);
  }
}

function serverFrame(message: Buffer): Buffer {
  const head = message.length < 126 ? 2 : 4;
  const frame = Buffer.allocUnsafe(head + message.length);
  frame[0] = 0x82;
  frame[1] = head === 2 ? message.length : 126;
  if (head === 4) frame.writeUInt16BE(message.length, 2);
  message.copy(frame, head);
  return frame;
}

const [way = 'send', directory] = process.argv.slice(2) as [BroadcastWay?, string?];
const broadcast = new Broadcast(way, directory);
const http = createServer();
const server = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  clientTracking: false,
  skipUTF8Validation: true,
});
http.on('upgrade', (request, socket, head) => {
  server.handleUpgrade(request, socket, head, (ws) => {
    ws.on('error', () => {});
    if (request.url === '/sub') broadcast.add({ ws, socket: socket as Socket });
    else if (request.url === '/pub') ws.on('message', (data: RawData) => broadcast.publish(data as Buffer));
    else ws.on('message', (data: RawData) => ws.send(data as Buffer, { binary: true }));
  });
});
const listening = new Promise<number>((resolve) => {
  http.listen(0, '127.0.0.1', 4_096, () => resolve((http.address() as AddressInfo).port));
});
/** The one job: say the port. */
serveJobs<'port', number>(() => listening);
