/** How connections between nodes are proved: by mutual TLS 1.3 with certificates of one authority, or, on one machine only,
 *  not at all. */
import type { PeerCertificate } from 'node:tls';
import type { Certificates } from './certificates.js';
import { type ClusterKey, derive } from './cluster-key.js';
import { isForNodes } from './given-certificates.js';
import { type NodeName, nodeOf } from './node-name.js';

export type Security =
  | { readonly kind: 'plain' }
  | {
      readonly kind: 'sealed';
      readonly certificates: Certificates;
      /** By the operator; else they are derived from the cluster key. */
      readonly isGiven: boolean;
      /** What packets are sealed with: 32 bytes, the same at all nodes. */
      readonly packetSecret: Buffer;
    };

export function sealedBy(key: ClusterKey, certificates: Certificates, isGiven = false): Security {
  return { kind: 'sealed', certificates, isGiven, packetSecret: derive(key, 'packets', 32) };
}

/** Who is at the other end of a connection, as its certificate says. */
export function provenBy(certificate: PeerCertificate | undefined): NodeName | undefined {
  return isForNodes(certificate?.ext_key_usage) ? nodeOf(certificate?.subjectaltname) : undefined;
}

/** For `createSecureContext` and servers. */
export function tlsOf({ authority, certificate, key, revoked }: Certificates) {
  return { ca: authority, cert: certificate, key, crl: revoked, minVersion: 'TLSv1.3' } as const;
}
