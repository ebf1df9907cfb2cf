/** Addresses as `host:port`, and names looked up now and then: packets cannot wait for an answer each. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { limits } from '../base/limits.js';
import type { Clock } from '../engine/ports.js';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `[::1]:7946`, `10.0.0.5:7946`, `node-1:7946`. */
export function parseAddress(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match && port >= 1 && port <= 65_535 ? { host: match[1] ?? match[2]!, port } : undefined;
}

export function formatAddress({ host, port }: HostPort): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

export class AddressBook {
  readonly #clock: Clock;
  readonly #found = new Map<string, { readonly ip: string | undefined; readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of a host, as far as it is known now; a name is looked up meanwhile. */
  numberOf(host: string): string | undefined {
    if (isIP(host) !== 0) return host;
    const found = this.#found.get(host);
    const now = this.#clock.monotonicMs();
    if (!found || now - found.atMs > limits.addressLookupMs) this.#lookUp(host, found?.ip, now);
    return found?.ip;
  }

  #lookUp(host: string, known: string | undefined, atMs: number): void {
    if (this.#found.size >= limits.membersMax) this.#found.delete(this.#found.keys().next().value!);
    this.#found.set(host, { ip: known, atMs });
    lookup(host).then(
      ({ address }) => this.#found.set(host, { ip: address, atMs }),
      // It is tried again; the links say that nobody is found.
      () => undefined,
    );
  }
}
