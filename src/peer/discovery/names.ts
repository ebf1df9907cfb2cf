/** Finds nodes by name: SRV records where there are some, else every address of the name. Looked up again and again: what a
 *  platform puts behind a name comes and goes. */
import { resolve4, resolve6, resolveSrv } from 'node:dns/promises';
import { lookup } from 'node:dns/promises';
import type { Timers } from '../../engine/ports.js';
import { formatAddress } from '../addresses.js';

export interface NameToFind {
  readonly name: string;
  /** Of addresses without an SRV record. */
  readonly port: number;
}

export interface NamesOptions {
  readonly names: readonly NameToFind[];
  readonly timers: Timers;
  found(addresses: readonly string[]): void;
  /** Nobody stands behind it now. */
  missing(name: string): void;
}

const againMs = 10_000;

export class Names {
  readonly #options: NamesOptions;
  #cancel: () => void = () => {};
  #isStopped = false;

  constructor(options: NamesOptions) {
    this.#options = options;
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    for (const name of this.#options.names) {
      const addresses = await addressesOf(name);
      if (this.#isStopped) return;
      if (addresses.length > 0) this.#options.found(addresses);
      else this.#options.missing(name.name);
    }
    this.#cancel = this.#options.timers.after(againMs, () => void this.#look());
  }
}

async function addressesOf({ name, port }: NameToFind): Promise<string[]> {
  const services = await resolveSrv(name).catch(() => []);
  if (services.length > 0)
    return services.map((service) => formatAddress({ host: service.name, port: service.port }));
  const [four, six, local] = await Promise.all([
    resolve4(name).catch(() => []),
    resolve6(name).catch(() => []),
    // Names that only the system itself knows.
    lookup(name, { all: true }).catch(() => []),
  ]);
  const hosts = new Set([...four, ...six, ...local.map(({ address }) => address)]);
  return [...hosts].map((host) => formatAddress({ host, port }));
}
