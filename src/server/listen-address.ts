/** `host:port` of `listen`. */
import { isIP } from 'node:net';
import { ConfigError } from './config-error.js';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `setting`: what is wrong with it is said of this one. */
export function parseListen(text: string, setting = 'listen'): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new ConfigError(
      `${setting} is "${text}"; write it as host:port, such as 127.0.0.1:8080 or [::1]:8080.`,
    );
  }
  // No host is every address, as most servers read ":8080".
  const host = match[1] ?? (match[2] === '' || match[2] === '*' ? '0.0.0.0' : match[2]!);
  return { host, port };
}

export function formatListen({ host, port }: ListenAddress): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
