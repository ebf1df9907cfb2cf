/** Whether who is at the other end may be talked to, and who that is. */
import type { PeerCertificate } from 'node:tls';
import { type Result, err, ok } from '../base/result.js';
import { type Hello, type Which, versionWith } from './hello.js';
import { type Security, provenBy } from './security.js';

/** Nobody needs to hear of it: the node called itself, as happens where it is among the addresses given to all. */
export const calledItself = 'This is the node itself.';

/** Somebody answered whom this node does not talk to, for the reason in the message. */
export class WrongPeer extends Error {}

/** The sentence is for whoever called. `certificate`: of the connection the hello came over. */
export function provenHello(
  own: Hello,
  hello: Hello | undefined,
  certificate: PeerCertificate | undefined,
  security: Security,
  which: Which = 'called',
): Result<Hello, string> {
  if (!hello) return err(`What ${which} is no node of Ringlog.`);
  const version = versionWith(own, hello, which);
  if (!version.ok) return version;
  if (security.kind === 'sealed') {
    const proven = provenBy(certificate);
    if (proven?.cluster !== hello.cluster || proven.node !== hello.node)
      return err(
        `The certificate is of another cluster or node than the one that ${which} says to be: give that one a certificate of its own.`,
      );
  }
  if (hello.node !== own.node) return ok(hello);
  return err(
    hello.boot === own.boot
      ? calledItself
      : `Two nodes have the id ${own.node}: one was started on a copy of the other's data directory. Stop one of them, and give it an empty one with --data.`,
  );
}
