/** The peer port for packets: UDP. */
import { type Socket, createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { formatAddress } from './addresses.js';
import type { ListenAt } from './listener.js';

export type Received = (datagram: Uint8Array, from: string) => void;

export class Datagrams {
  readonly #socket: Socket;
  readonly #isV6: boolean;

  private constructor(socket: Socket, isV6: boolean) {
    this.#socket = socket;
    this.#isV6 = isV6;
  }

  /** Rejects with what the system says: EADDRINUSE and the like. */
  static async open({ host, port }: ListenAt, received: Received): Promise<Datagrams> {
    const isV6 = isIPv6(host);
    const socket = createSocket({ type: isV6 ? 'udp6' : 'udp4' });
    socket.on('message', (datagram, { address, port: fromPort }) =>
      received(datagram, formatAddress({ host: address.replace(/^::ffff:/, ''), port: fromPort })),
    );
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.off('error', reject);
        // Such as "no route": packets may be lost.
        socket.on('error', () => undefined);
        resolve();
      });
    });
    return new Datagrams(socket, isV6);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(datagram: Uint8Array, ip: string, port: number): void {
    const host = this.#isV6 && !isIPv6(ip) ? `::ffff:${ip}` : ip;
    if (!this.#isV6 && isIPv6(ip)) return;
    this.#socket.send(datagram, port, host, () => undefined);
  }

  close(): void {
    this.#socket.close();
  }
}
