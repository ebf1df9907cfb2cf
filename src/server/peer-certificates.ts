/** Certificates for other nodes that the operator gives, in place of those that come from the cluster key. */
import { readFile } from 'node:fs/promises';
import type { NodeId } from '../base/ids.js';
import type { Certificates } from '../peer/certificates.js';
import { nodeOfGiven } from '../peer/given-certificates.js';
import { ConfigError } from './config-error.js';
import type { Config } from './config-schema.js';
import { Watched, type WatchOptions } from './watched.js';

export interface GivenCertificates {
  /** The node they are for: the first start of a data directory takes its id from here. */
  readonly node: NodeId;
  readonly files: Watched<Certificates>;
}

/** Throws ConfigError for what cannot be used. `undefined`: none are given. */
export async function openGivenCertificates(
  { peer, cluster, workers }: Pick<Config, 'peer' | 'cluster' | 'workers'>,
  options: WatchOptions & { readonly nowMs?: () => number },
): Promise<GivenCertificates | undefined> {
  const { caFile, certFile, keyFile, crlFile } = peer;
  const needed = [caFile, certFile, keyFile];
  if ([...needed, crlFile].every((file) => file === '')) return undefined;
  if (needed.includes(''))
    throw new ConfigError(
      'Certificates for other nodes need all of --peer-ca-file, --peer-cert-file and --peer-key-file.',
    );
  if (workers > 0)
    throw new ConfigError(
      'Each worker is a node, and has no certificate among those that are given: start edge nodes with --role edge and certificates of their own instead.',
    );
  const found: { node?: NodeId } = {};
  const read = async (): Promise<Certificates> => {
    const certificates = {
      authority: await readPem(caFile),
      certificate: await readPem(certFile),
      key: await readPem(keyFile),
      ...(crlFile !== '' && { revoked: await readPem(crlFile) }),
    };
    const files = { authority: caFile, certificate: certFile };
    const nowMs = (options.nowMs ?? Date.now)();
    const name = nodeOfGiven(certificates, files, { cluster: cluster.name, nowMs });
    if (!name.ok) throw new ConfigError(name.error);
    refuseOther(name.value.node, (found.node ??= name.value.node), certFile);
    return certificates;
  };
  const files = await Watched.open(read, options);
  return { node: found.node!, files };
}

/** `known`: of the data directory, or of the certificate before. */
export function refuseOther(named: NodeId, known: NodeId, certFile: string): void {
  if (named !== known)
    throw new ConfigError(
      `${certFile} is for node ${named}, and this is node ${known}: give each node a certificate of its own.`,
    );
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`The certificate for other nodes cannot be read: ${(error as Error).message}.`);
  }
}
