/** A client's way to the nodes, which can be cut: as a telephone's in a tunnel. */
import { WebSocket } from 'ws';
import type { WebSocketConstructor } from '../../src/client/index.js';

export class Line {
  #isCut = false;
  readonly #sockets = new Set<WebSocket>();

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.terminate();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** For `connect`. */
  get webSocket(): WebSocketConstructor {
    const opened = (socket: WebSocket): void => this.#opened(socket);
    return class extends WebSocket {
      constructor(url: string, subprotocols: string[]) {
        super(url, subprotocols);
        opened(this);
      }
    } as unknown as WebSocketConstructor;
  }

  #opened(socket: WebSocket): void {
    if (this.#isCut) socket.terminate();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
