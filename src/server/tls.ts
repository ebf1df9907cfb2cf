/** What a node shows clients that speak TLS: a certificate of its own, or files that somebody else renews. Both are looked
 *  at again while it runs; connections that are open keep what they began with. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { TlsMaterial } from '../gateway/context.js';
import { isAnywhere, ownAddress } from './client-addresses.js';
import { ConfigError } from './config-error.js';
import type { Config } from './config-schema.js';
import { readIfThere, writeDurably } from './data-directory.js';
import { parseListen } from './listen-address.js';
import { Watched, type WatchOptions } from './watched.js';

export const ownCertificateFile = 'tls-cert.pem';
/** A certificate of its own is made anew when less than this is left of it. */
const renewAheadMs = 30 * 86_400_000;
export interface TlsOptions extends WatchOptions {
  readonly nowMs?: () => number;
}

/** Throws ConfigError for what cannot be used. `undefined`: clients speak plain HTTP. */
export async function openTls(
  config: Pick<Config, 'tls' | 'tlsCertFile' | 'tlsKeyFile' | 'data' | 'listen' | 'advertise' | 'http'>,
  options: TlsOptions,
): Promise<ServerTls | undefined> {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = config;
  if (config.tls !== 'files' && (certFile !== '' || keyFile !== ''))
    throw new ConfigError('A certificate is named but not used: add --tls files.');
  if (config.tls === 'off') return undefined;
  if (config.tls === 'files') {
    if (certFile === '' || keyFile === '')
      throw new ConfigError('--tls files needs --tls-cert-file and --tls-key-file.');
    const read = () => readMaterial(certFile, keyFile);
    return ServerTls.open(certFile, read, options);
  }
  const read = () => readOwn(config.data, () => namesOf(config), (options.nowMs ?? Date.now)());
  return ServerTls.open(ownFiles(config.data).tlsCertFile, read, options);
}

export class ServerTls {
  readonly #files: Watched<TlsMaterial>;

  static async open(
    path: string,
    read: () => Promise<TlsMaterial>,
    options: WatchOptions,
  ): Promise<ServerTls> {
    return new ServerTls(path, await Watched.open(read, options));
  }

  private constructor(
    readonly certFile: string,
    files: Watched<TlsMaterial>,
  ) {
    this.#files = files;
  }

  get material(): TlsMaterial {
    return this.#files.content;
  }

  /** SHA-256 over the certificate, as browsers show it. */
  get fingerprint(): string {
    return new X509Certificate(this.material.cert).fingerprint256;
  }

  onRenewed(listener: (material: TlsMaterial) => void): void {
    this.#files.onRenewed(listener);
  }

  stop(): void {
    this.#files.stop();
  }
}

/** Where the certificate of `tls: auto` lies. */
export function ownFiles(directory: string): Pick<Config, 'tlsCertFile' | 'tlsKeyFile'> {
  return { tlsCertFile: join(directory, ownCertificateFile), tlsKeyFile: join(directory, 'tls-key.pem') };
}

async function readMaterial(certFile: string, keyFile: string): Promise<TlsMaterial> {
  const material = { cert: await readPem(certFile), key: await readPem(keyFile) };
  try {
    createSecureContext(material);
  } catch (error) {
    throw new ConfigError(
      `${certFile} and ${keyFile} are not a certificate and its key in PEM form: ${(error as Error).message}.`,
    );
  }
  return material;
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`The certificate cannot be read: ${(error as Error).message}.`);
  }
}

/** The one of the data directory; a new one where there is none, or where it ends soon. */
async function readOwn(
  directory: string,
  names: () => readonly string[],
  nowMs: number,
): Promise<TlsMaterial> {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = ownFiles(directory);
  const isThere = (await readIfThere(certFile)) !== undefined && (await readIfThere(keyFile)) !== undefined;
  if (isThere) {
    const found = await readMaterial(certFile, keyFile);
    if (new Date(new X509Certificate(found.cert).validTo).getTime() - nowMs > renewAheadMs) return found;
  }
  const { makeOwnCertificate } = await import('./own-certificate.js');
  const made = await makeOwnCertificate(names(), nowMs);
  await writeDurably(directory, basename(keyFile), made.key);
  await writeDurably(directory, basename(certFile), made.cert);
  return made;
}

/** By what clients may call a node. */
function namesOf({
  listen,
  advertise,
  http,
}: Pick<Config, 'listen' | 'advertise' | 'http'>): readonly string[] {
  const { host } = parseListen(listen);
  const told = http.advertise.flatMap((url) => (URL.canParse(url) ? [new URL(url).hostname] : []));
  const named = advertise === 'auto' ? ownAddress() : advertise.replace(/:\d+$/, '');
  const all = [
    'localhost',
    hostname(),
    '127.0.0.1',
    '::1',
    ...(isAnywhere(host) ? [] : [host]),
    named,
    ...told,
  ];
  return [...new Set(all.map((name) => name.replace(/^\[|\]$/g, '')))].filter((name) => name !== '');
}
