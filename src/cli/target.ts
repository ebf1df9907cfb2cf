/** Which node a command talks to, and as whom. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parseHubName } from '../base/ids.js';
import { adminTokenFile } from '../server/data-directory.js';
import { ownCertificateFile } from '../server/tls.js';
import { isLoopback } from '../base/loopback.js';
import { CommandError, exitCodes } from './exit-codes.js';

export interface Target {
  /** Without a slash at its end. */
  readonly url: string;
  readonly hub: string;
  readonly token: string | undefined;
  /** Certificates that are trusted instead of the usual ones, PEM. */
  readonly ca?: string | undefined;
}

export interface TargetOptions {
  readonly url?: string;
  readonly hub?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly data?: string;
  readonly caFile?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function addTargetOptions(command: Command): Command {
  return command
    .option('--url <url>', 'address of a node (RINGLOG_URL; default: http://127.0.0.1:8080)')
    .option('--hub <name>', 'hub (RINGLOG_HUB; default: default)')
    .option('--token <token>', 'token (RINGLOG_TOKEN; other users of this machine can see flags)')
    .option('--token-file <file>', 'file with the token')
    .option('--data <directory>', 'data directory whose admin-token is used otherwise (RINGLOG_DATA)')
    .option(
      '--ca-file <file>',
      'certificates to trust, PEM (RINGLOG_CA_FILE; default: that of the data directory, of a node here)',
    );
}

export function targetOf(options: TargetOptions, environment: Environment): Target {
  const url = parsedUrl(options.url ?? (environment['RINGLOG_URL'] || 'http://127.0.0.1:8080'));
  const hub = options.hub ?? (environment['RINGLOG_HUB'] || 'default');
  const name = parseHubName(hub);
  if (!name.ok) throw new CommandError(exitCodes.usage, name.error);
  return {
    url: url.href.replace(/\/+$/, ''),
    hub,
    token: tokenFor(url, options, environment),
    ca: caFor(url, options, environment),
  };
}

function parsedUrl(text: string): URL {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url?.protocol === 'ws:') url.protocol = 'http:';
  if (url?.protocol === 'wss:') url.protocol = 'https:';
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw new CommandError(exitCodes.usage, `"${text}" is no address; write it as http://host:port.`);
  }
  url.search = '';
  url.hash = '';
  return url;
}

function caFor(url: URL, options: TargetOptions, environment: Environment): string | undefined {
  if (url.protocol !== 'https:') return undefined;
  const file = options.caFile ?? environment['RINGLOG_CA_FILE'];
  if (file) return readNamed(file, 'The file of certificates');
  if (!isLoopback(url.hostname)) return undefined;
  const directory = options.data ?? (environment['RINGLOG_DATA'] || 'ringlog-data');
  try {
    return readFileSync(join(directory, ownCertificateFile), 'utf8');
  } catch {
    return undefined;
  }
}

function tokenFor(url: URL, options: TargetOptions, environment: Environment): string | undefined {
  if (options.token !== undefined) return options.token;
  if (options.tokenFile !== undefined) return readToken(options.tokenFile);
  if (environment['RINGLOG_TOKEN']) return environment['RINGLOG_TOKEN'];
  // The token of a node on this machine is for this machine: it is never sent elsewhere unasked.
  if (!isLoopback(url.hostname)) return undefined;
  const directory = options.data ?? environment['RINGLOG_DATA'];
  if (directory) return readToken(join(directory, adminTokenFile));
  try {
    return readFileSync(join('ringlog-data', adminTokenFile), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function readToken(file: string): string {
  return readNamed(file, 'The token file').trim();
}

function readNamed(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${what} cannot be read: ${(error as Error).message}.`);
  }
}
