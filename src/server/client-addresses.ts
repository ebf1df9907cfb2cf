/** Where clients find this node, as other nodes tell theirs. */
import { networkInterfaces } from 'node:os';
import { limits } from '../base/limits.js';
import { parseAddress } from '../peer/addresses.js';
import { ConfigError } from './config-error.js';
import type { Config } from './config-schema.js';
import { type ListenAddress, formatListen } from './listen-address.js';

/** `listening`: where the node does. Throws ConfigError for what no client could use. */
export function clientAddressesOf(config: Config, { host, port }: ListenAddress): readonly string[] {
  const { advertise } = config.http;
  if (advertise.length === 1 && advertise[0] === 'none') return [];
  if (advertise.length === 1 && advertise[0] === 'auto') {
    const reached = isAnywhere(host) ? advertisedHost(config.advertise) : host;
    return [`${schemeOf(config)}://${formatListen({ host: reached, port })}`];
  }
  if (advertise.length > limits.clientAddressesMax)
    throw new ConfigError(`http.advertise has at most ${limits.clientAddressesMax} addresses.`);
  for (const address of advertise)
    if (!/^https?:\/\/[!-~]+$/.test(address) || address.length > limits.addressBytesMax)
      throw new ConfigError(
        `http.advertise has "${address}"; write it as clients would, such as https://node-1.example.`,
      );
  return advertise;
}

export function schemeOf({ tls }: Pick<Config, 'tls'>): 'http' | 'https' {
  return tls === 'off' ? 'http' : 'https';
}

export function isAnywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** The first address that others may know; of a machine without one its own. */
export function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const others = all.filter(({ internal, family }) => !internal && family === 'IPv4');
  return others[0]?.address ?? '127.0.0.1';
}

/** Who is found there by other nodes is found there by clients. */
function advertisedHost(advertise: string): string {
  if (advertise === 'auto') return ownAddress();
  return parseAddress(advertise)?.host ?? advertise;
}
