/** Why a node could not be reached, as a sentence with what to do. */
import * as grpc from '@grpc/grpc-js';
import { WrongPeer } from './proof.js';
import type { Security } from './security.js';

export interface Fault {
  readonly code: 'PEER_UNREACHABLE' | 'PEER_REFUSED' | 'PEER_FOREIGN';
  readonly message: string;
}

const { status } = grpc;
const refusedMax = 300;

export function faultOf(error: unknown, address: string, security: Security): Fault {
  if (error instanceof WrongPeer)
    return { code: 'PEER_REFUSED', message: `The node at ${address} is not talked to: ${error.message}` };
  const isSealed = security.kind === 'sealed';
  const isGiven = isSealed && security.isGiven;
  const { code, details = String(error) } = error as Partial<grpc.ServiceError>;
  if (code === status.FAILED_PRECONDITION)
    return { code: 'PEER_REFUSED', message: `The node at ${address} refuses: ${printable(details)}` };
  if (isGiven && /certificate|self.signed|issuer|revoked|CRL|purpose|verify|alert/i.test(details)) {
    const message = `The certificate of the node at ${address} is not taken (${printable(details)}): it must be of an authority in --peer-ca-file, be within its time, and be for serverAuth and clientAuth. A node without --peer-cert-file has none.`;
    return { code: 'PEER_REFUSED', message };
  }
  if (isSealed && /certificate|self.signed|verify|alert/i.test(details)) {
    const message = `The node at ${address} has another cluster key: give both the same with --cluster-key-file. If they have the same, that node has certificates of its own: give this one some too, with --peer-cert-file.`;
    return { code: 'PEER_REFUSED', message };
  }
  if (/wrong version number|packet length too long|EPROTO/i.test(details)) {
    const message = `What answers at ${address} does not speak TLS: either it has no cluster key, or it is no peer port of Ringlog (7946 by default).`;
    return { code: 'PEER_FOREIGN', message };
  }
  if (code === status.UNIMPLEMENTED || /protocol error|http2|non-grpc|HTTP\/1|status code/i.test(details)) {
    const message = `What answers at ${address} is no peer port of Ringlog: name the one that a node prints at its start (7946 by default).`;
    return { code: 'PEER_FOREIGN', message };
  }
  if (isGiven && /Last error: Failed to connect|ECONNRESET|before secure TLS/i.test(details)) {
    const message = `The node at ${address} ends the connection: where it does not take the certificate of this node, its log says why.`;
    return { code: 'PEER_UNREACHABLE', message };
  }
  // Connected, and ended without a word: gRPC has no error of the system to tell then.
  if (!isSealed && /Last error: Failed to connect/.test(details)) {
    const message = `What answers at ${address} ends the connection: either it has a cluster key and this node has none (give it the same with --cluster-key-file), or it is no peer port of Ringlog (7946 by default).`;
    return { code: 'PEER_UNREACHABLE', message };
  }
  const why = /deadline|in time|starts, or stops/i.test(details) ? '' : ` (${printable(details)})`;
  const message = `No node answers at ${address}: is it running, and does a firewall let TCP and UDP of that port through?${why}`;
  return { code: 'PEER_UNREACHABLE', message };
}

/** Others' words: short, and no control characters. */
function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, refusedMax);
}
