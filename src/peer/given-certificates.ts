/** Certificates of an authority of the operator's own, in place of those that are derived from the cluster key: looked at before
 *  they are used, so that what is wrong is told here and not by whoever is called. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { type Result, err, ok } from '../base/result.js';
import type { Certificates } from './certificates.js';
import { type NodeName, nodeOf } from './node-name.js';

/** Names of the files, for those who are told of them. */
export interface CertificateFiles {
  readonly authority: string;
  readonly certificate: string;
}

/** Longer chains are none that anybody has. */
const chainMax = 8;
/** What a certificate may be used for: 1.3.6.1.5.5.7.3.1 serverAuth, .2 clientAuth (RFC 5280 §4.2.1.12). */
const nodeUsages = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'];

/** A node calls and is called. What is for clients alone is of no node. */
export function isForNodes(usages: readonly string[] | undefined): boolean {
  return nodeUsages.every((usage) => usages?.includes(usage));
}

/** The node it is for, or a sentence with what to do. */
export function nodeOfGiven(
  given: Certificates,
  files: CertificateFiles,
  { cluster, nowMs }: { readonly cluster: string; readonly nowMs: number },
): Result<NodeName, string> {
  let chain: X509Certificate[];
  let authorities: X509Certificate[];
  try {
    chain = certificatesIn(given.certificate);
    authorities = certificatesIn(given.authority);
    // An empty key would be passed over.
    createPrivateKey(given.key);
    createSecureContext({ ca: given.authority, cert: given.certificate, key: given.key, crl: given.revoked });
  } catch (error) {
    return err(`The certificate for other nodes cannot be used: ${(error as Error).message}.`);
  }
  const [own] = chain;
  if (!own || authorities.length === 0) {
    const empty = own ? files.authority : files.certificate;
    return err(`${empty} has no certificate in PEM form.`);
  }
  const name = nodeOf(own.subjectAltName);
  if (!name)
    return err(
      `${files.certificate} names no node: it needs the alternative name URI:ringlog://${cluster}/NODE, NODE being 32 hexadecimal digits.`,
    );
  if (name.cluster !== cluster)
    return err(
      `${files.certificate} is for the cluster "${name.cluster}", and this node belongs to "${cluster}": give it one for its own, or change --cluster-name.`,
    );
  if (!isForNodes(own.keyUsage))
    return err(
      `${files.certificate} is not for nodes: its extended key usage needs both serverAuth and clientAuth.`,
    );
  if (Date.parse(own.validTo) <= nowMs) return err(`${files.certificate} ended on ${own.validTo}: renew it.`);
  if (Date.parse(own.validFrom) > nowMs)
    return err(`${files.certificate} begins on ${own.validFrom}: is the clock of this machine right?`);
  if (!isIssued(own, chain, authorities))
    return err(`${files.certificate} was not issued by an authority of ${files.authority}.`);
  return ok(name);
}

function certificatesIn(pem: string): X509Certificate[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((text) => new X509Certificate(text));
}

/** By an authority, or by others of its file that are. */
function isIssued(
  own: X509Certificate,
  between: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  let last: X509Certificate | undefined = own;
  for (let length = 0; last && length < chainMax; length++) {
    const subject: X509Certificate = last;
    const isIssuer = (issuer: X509Certificate) =>
      subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
    if (authorities.some(isIssuer)) return true;
    last = between.find(isIssuer);
  }
  return false;
}
