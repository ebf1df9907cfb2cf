/** How many connections there are, in all and from each address. IPv6 clients own whole /64 networks, so those count as
 *  one address. Loopback is not counted by address: a proxy of this machine stands for many clients. */
import type { Socket } from 'node:net';
import { gatewayLimits } from './gateway-limits.js';
import { isLoopback } from '../base/loopback.js';
import { sourceOf } from '../base/source-address.js';

export interface ConnectionBounds {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly countLoopback?: boolean;
}

interface AddressCount {
  open: number;
  pending: number;
}

export class ConnectionCounts {
  readonly #bounds: ConnectionBounds;
  readonly #addresses = new Map<string, AddressCount>();
  /** By the address of the other end: with TLS a request comes from another object than the connection did. */
  readonly #pending = new Map<string, AddressCount>();
  #open = 0;
  #refused = 0;
  /** One for all connections that no address counts. */
  readonly #uncounted = () => void this.#open--;

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  get open(): number {
    return this.#open;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Takes a new connection in or destroys it. */
  accept(socket: Socket): void {
    const address = this.#keyOf(socket.remoteAddress);
    const count =
      address === undefined ? undefined : (this.#addresses.get(address) ?? { open: 0, pending: 0 });
    const full =
      this.#open >= this.#bounds.connectionsMax ||
      (count !== undefined &&
        (count.open >= this.#bounds.connectionsPerAddressMax ||
          count.pending >= gatewayLimits.pendingPerAddressMax));
    if (full) {
      this.#refused++;
      socket.destroy();
      return;
    }
    this.#open++;
    if (count === undefined || address === undefined) {
      socket.once('close', this.#uncounted);
      return;
    }
    count.open++;
    count.pending++;
    this.#addresses.set(address, count);
    const end = endOf(socket);
    this.#pending.set(end, count);
    socket.once('close', () => {
      this.#open--;
      this.#served(end);
      if (--count.open === 0) this.#addresses.delete(address);
    });
  }

  /** The connection has sent a whole request. */
  served(socket: Socket): void {
    if (this.#pending.size > 0) this.#served(endOf(socket));
  }

  #served(end: string): void {
    const count = this.#pending.get(end);
    if (!count) return;
    this.#pending.delete(end);
    count.pending--;
  }

  #keyOf(address: string | undefined): string | undefined {
    if (address === undefined || (!this.#bounds.countLoopback && isLoopback(address))) return undefined;
    return sourceOf(address);
  }
}

function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
