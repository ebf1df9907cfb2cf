/** The links of a node: one a pair. Of two nodes the one with the smaller id dials; the other one dials too when nothing came,
 *  for where only one direction is open. What fails is tried again after a pause that grows, with chance in it so that all of a
 *  cluster do not come at once. */
import type * as grpc from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Clock, Random, Timers } from '../engine/ports.js';
import { Dial, type Dialed } from './dial.js';
import { faultOf } from './faults.js';
import type { Hello } from './hello.js';
import { Link, type LinkParts } from './link.js';
import type { Notices } from './notices.js';
import { calledItself, provenHello } from './proof.js';
import type { IsRevoked } from './revoked.js';
import type { Security } from './security.js';
import { helloIn, metadataOf } from './service.js';

export interface LinksParts {
  readonly own: Hello;
  readonly security: Security;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly notices: Notices;
  makeClient(address: string): grpc.Client;
  /** Ends the connection that a call came over. */
  cut(from: string): void;
}

export interface LinksHooks {
  linked(peer: NodeId): void;
  unlinked(peer: NodeId): void;
  received(peer: NodeId, letter: Uint8Array): void;
  /** The process at the other end is who it says. */
  met(hello: Hello): void;
}

/** On the way to a link. */
interface Way {
  readonly dial: Dial | undefined;
  readonly sinceMs: number;
  readonly backOffMs: number;
  readonly cancel: () => void;
}

/** How long the node that should dial keeps the other one from doing so. */
const precedenceMs = 500;

export class Links {
  readonly #parts: LinksParts;
  readonly #hooks: LinksHooks;
  readonly #links = new Map<NodeId, Link>();
  readonly #ways = new Map<NodeId, Way>();
  #wanted: ReadonlyMap<NodeId, string> = new Map();
  #isStopped = false;

  constructor(parts: LinksParts, hooks: LinksHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
  }

  keep(wanted: ReadonlyMap<NodeId, string>): void {
    if (this.#isStopped) return;
    const { own } = this.#parts;
    this.#wanted = new Map([...wanted].filter(([peer]) => peer !== own.node));
    for (const [peer, link] of this.#links) if (!wanted.has(peer)) link.break();
    for (const peer of this.#ways.keys()) if (!wanted.has(peer)) this.#forget(peer);
    for (const peer of this.#wanted.keys()) this.#seek(peer);
  }

  send(peer: NodeId, letter: Uint8Array): void {
    this.#links.get(peer)?.send(letter);
  }

  /** Ends the links of those that showed such a certificate; tells whose. */
  endRevoked(isRevoked: IsRevoked): NodeId[] {
    const ended = [...this.#links.values()].filter(
      ({ certificate }) => certificate !== undefined && isRevoked(certificate),
    );
    for (const link of ended) link.break();
    return ended.map(({ peer }) => peer);
  }

  stop(): void {
    this.#isStopped = true;
    for (const peer of this.#ways.keys()) this.#forget(peer);
    for (const link of this.#links.values()) link.silence();
    this.#links.clear();
  }

  /** Another node dials. */
  called(call: grpc.ServerDuplexStream<Buffer, Buffer>): void {
    const { own, security } = this.#parts;
    const from = call.getPeer();
    call.on('error', () => undefined);
    const certificate = call.getAuthContext()?.sslPeerCertificate;
    const proven = provenHello(own, helloIn(call.metadata), certificate, security);
    const refusal = proven.ok ? this.#refusalOf(proven.value) : proven.error;
    if (!proven.ok || refusal !== undefined) return this.#refuse(call, from, refusal!);
    const hello = proven.value;
    call.sendMetadata(metadataOf(own));
    const late = this.#parts.timers.after(limits.linkHelloMs, () => this.#parts.cut(from));
    call.once('cancelled', late);
    // The first message tells that the dialer has seen who answers.
    call.once('data', () => {
      late();
      if (this.#isStopped || call.cancelled) return;
      this.#made(hello, { certificate: certificate?.raw, call, close: () => this.#parts.cut(from) });
    });
  }

  #refusalOf({ node }: Hello): string | undefined {
    const { own, clock } = this.#parts;
    const way = this.#ways.get(node);
    const isFirst = own.node < node && way?.dial !== undefined;
    if (isFirst && clock.monotonicMs() - way.sinceMs < precedenceMs) return beingDialed;
    if (this.#isStopped || (!this.#links.has(node) && this.#links.size >= limits.linksMax))
      return 'This node has no room for further links.';
    return undefined;
  }

  #refuse(call: grpc.ServerDuplexStream<Buffer, Buffer>, from: string, refusal: string): void {
    call.emit('error', { code: status.FAILED_PRECONDITION, details: refusal });
    if (refusal !== calledItself && refusal !== beingDialed)
      this.#parts.notices.tell('PEER_REFUSED', `A call from ${from} was refused: ${refusal}`);
  }

  // Dialing.

  #seek(peer: NodeId): void {
    if (this.#links.has(peer) || this.#ways.has(peer)) return;
    const isFirst = this.#parts.own.node < peer;
    this.#after(peer, isFirst ? 0 : limits.dialAnywayMs, limits.redialMs);
  }

  #after(peer: NodeId, waitMs: number, backOffMs: number): void {
    const { timers, clock } = this.#parts;
    const cancel = timers.after(waitMs, () => this.#dial(peer, backOffMs));
    this.#ways.set(peer, { dial: undefined, sinceMs: clock.monotonicMs(), backOffMs, cancel });
  }

  #dial(peer: NodeId, backOffMs: number): void {
    const address = this.#wanted.get(peer);
    if (address === undefined || this.#isStopped) return void this.#ways.delete(peer);
    const { clock } = this.#parts;
    const dial = new Dial(
      { ...this.#parts, peer, address },
      (dialed) => this.#dialed(peer, dialed),
      (error) => this.#failed(peer, address, error),
    );
    this.#ways.set(peer, { dial, sinceMs: clock.monotonicMs(), backOffMs, cancel: () => dial.giveUp() });
  }

  #dialed(peer: NodeId, dialed: Dialed): void {
    const { hello, ...rest } = dialed;
    this.#ways.delete(peer);
    dialed.call.write(Buffer.alloc(0));
    this.#made(hello, rest);
  }

  #failed(peer: NodeId, address: string, error: unknown): void {
    const { random, notices, security } = this.#parts;
    const { backOffMs } = this.#ways.get(peer)!;
    const fault = faultOf(error, address, security);
    // That a member is not there is what membership tells.
    if (fault.code !== 'PEER_UNREACHABLE' && !fault.message.includes(beingDialed))
      notices.tell(fault.code, fault.message);
    this.#after(peer, backOffMs * (0.5 + random.next() / 2), Math.min(limits.redialMsMax, backOffMs * 2));
  }

  #forget(peer: NodeId): void {
    this.#ways.get(peer)?.cancel();
    this.#ways.delete(peer);
  }

  // Links.

  /** The newest link is it: whoever made it knew that an earlier one was gone. */
  #made(hello: Hello, rest: Omit<LinkParts, 'peer' | 'boot'>): void {
    const { node: peer, boot } = hello;
    this.#forget(peer);
    this.#hooks.met(hello);
    const earlier = this.#links.get(peer);
    const link = new Link(
      { peer, boot, ...rest },
      {
        received: (from, letter) => this.#links.get(peer) === from && this.#hooks.received(peer, letter),
        ended: (ended) => this.#ended(ended),
      },
    );
    this.#links.set(peer, link);
    if (earlier) {
      earlier.silence();
      this.#hooks.unlinked(peer);
    }
    link.begin();
    this.#hooks.linked(peer);
  }

  #ended(link: Link): void {
    const { peer } = link;
    if (this.#isStopped || this.#links.get(peer) !== link) return;
    this.#links.delete(peer);
    this.#hooks.unlinked(peer);
    if (this.#wanted.has(peer)) this.#seek(peer);
  }
}

const beingDialed = 'This node dials already.';
