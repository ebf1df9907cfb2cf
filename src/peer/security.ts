/** How connections between nodes are proved: by mutual TLS 1.3 with certificates of one authority, or, on one machine only,
 *  not at all. */
import type { PeerCertificate } from 'node:tls';
import type { NodeId } from '../base/ids.js';
import { type Certificates, nodeOf } from './certificates.js';
import { type ClusterKey, derive } from './cluster-key.js';

export type Security =
  | { readonly kind: 'plain' }
  | {
      readonly kind: 'sealed';
      readonly certificates: Certificates;
      /** What packets are sealed with: 32 bytes, the same at all nodes. */
      readonly packetSecret: Buffer;
    };

export interface Proven {
  readonly cluster: string;
  readonly node: NodeId;
}

export function sealedBy(key: ClusterKey, certificates: Certificates): Security {
  return { kind: 'sealed', certificates, packetSecret: derive(key, 'packets', 32) };
}

/** Who is at the other end of a connection, as its certificate says. */
export function provenBy(certificate: PeerCertificate | undefined): Proven | undefined {
  return nodeOf(certificate?.subjectaltname);
}
