/** The way to other nodes on real sockets: `Peers` of src/engine/ports.ts over gRPC and UDP. One port number serves both; it is
 *  bound before the node starts, since the node's own address is part of what it says of itself.
 *  Suite: test/contracts/peers.ts. */
import * as grpc from '@grpc/grpc-js';
import { toHex } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Clock, Observer, PeerHandlers, Peers, Random, Timers } from '../engine/ports.js';
import { AddressBook, parseAddress } from './addresses.js';
import type { Certificates } from './certificates.js';
import { Datagrams } from './datagrams.js';
import { faultOf } from './faults.js';
import { type Hello, protocolVersions } from './hello.js';
import { Links } from './links.js';
import { type ListenAt, type Listener, listen } from './listener.js';
import { Notices } from './notices.js';
import { provenHello } from './proof.js';
import { Pulse, type PulseOptions } from './pulse.js';
import { Questions, isSelf } from './questions.js';
import { type PacketSeal, packetSeal } from './seal.js';
import type { Security } from './security.js';
import { clientMaker, helloIn, metadataOf, peerService } from './service.js';

export interface PeerPortOptions {
  readonly cluster: string;
  readonly node: NodeId;
  readonly security: Security;
  /** Where it listens; further ports above are tried as often as `portsTried` says. */
  readonly listen: ListenAt;
  readonly portsTried: number;
  /** Where others find it, with the port that was bound where none is named. */
  advertise(port: number): string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly observer: Observer;
  /** Versions of the protocol it speaks, where they are not this program's. */
  /** Program of the thread beside its loop, where it is not beside this one. */
  readonly pulseProgram?: string;
  readonly versions?: { readonly oldest: number; readonly newest: number };
}

/** Discovery listens there. */
const portOfDiscovery = 7947;

export class PeerPort implements Peers {
  readonly own: OwnHello;
  readonly port: number;
  readonly #options: PeerPortOptions;
  readonly #listener: Listener;
  readonly #datagrams: Datagrams;
  readonly #pulse: Pulse | undefined;
  readonly #seal: PacketSeal;
  readonly #addresses: AddressBook;
  readonly #notices: Notices;
  readonly links: Links;
  readonly #questions: Questions;
  #makeClient: (address: string) => grpc.Client;
  #handlers: PeerHandlers | undefined;
  #isStopped = false;
  /** Addresses where somebody answered. */
  readonly #answered = new Set<string>();

  private constructor(options: PeerPortOptions, bound: Bound, { own, addresses, pulse }: Known) {
    const { random, security, clock, timers, observer } = options;
    this.#options = options;
    this.port = bound.listener.port;
    this.own = own;
    this.#listener = bound.listener;
    this.#datagrams = bound.datagrams;
    this.#pulse = pulse;
    this.#seal = packetSeal(this.own, security);
    this.#makeClient = clientMaker(security);
    this.#addresses = addresses;
    this.#notices = new Notices(clock, observer);
    const parts = {
      own: this.own,
      security,
      clock,
      timers,
      random,
      notices: this.#notices,
      makeClient: (address: string) => this.#makeClient(address),
      cut: (from: string) => bound.listener.cut(from),
      met: (hello: Hello) => this.#meet(hello),
    };
    this.#questions = new Questions(parts);
    this.links = new Links(parts, {
      linked: (peer) => this.#handlers?.linked(peer),
      unlinked: (peer) => this.#handlers?.unlinked(peer),
      received: (peer, letter) => this.#handlers?.received(peer, letter),
      met: parts.met,
    });
  }

  /** Rejects with what the system says about the address. */
  static async open(options: PeerPortOptions): Promise<PeerPort> {
    const made: { port?: PeerPort } = {};
    const started = (): PeerPort | undefined => (made.port?.isStarted ? made.port : undefined);
    const bound = await bind(options, started);
    return (made.port = new PeerPort(options, bound, await known(options, bound, started)));
  }

  get isStarted(): boolean {
    return this.#handlers !== undefined;
  }

  start(handlers: PeerHandlers): void {
    this.#handlers = handlers;
  }

  keepLinks(peers: ReadonlyMap<NodeId, string>): void {
    this.links.keep(peers);
    const numbers = [...peers.values()].map((address) => {
      const at = parseAddress(address);
      return at && this.#addresses.numberOf(at.host);
    });
    this.#listener.expect(numbers.filter((number) => number !== undefined));
  }

  send(peer: NodeId, message: Uint8Array): void {
    this.links.send(peer, message);
  }

  sendPacket(address: string, packet: Uint8Array): void {
    const to = parseAddress(address);
    const sealed = this.isStarted ? this.#seal.seal(packet) : undefined;
    if (!to || !sealed) return;
    if (sealed.length > limits.gossipPacketBytesMax)
      return void this.#questions.carry(address, packet).catch(() => undefined);
    const ip = this.#addresses.numberOf(to.host);
    if (ip !== undefined) this.#datagrams.send(sealed, ip, to.port);
  }

  askPulse(node: NodeId): void {
    this.#pulse?.ask(node);
  }

  async ask(address: string, question: Uint8Array): Promise<Uint8Array> {
    try {
      const answer = await this.#questions.ask(address, question);
      this.#answered.add(address);
      if (this.#answered.size > limits.membersMax) this.#answered.clear();
      return answer;
    } catch (error) {
      if (this.isStarted && !isSelf(error)) this.#told(address, error);
      throw error;
    }
  }

  /** That one who was there is silent now is for membership to judge. */
  #told(address: string, error: unknown): void {
    const { code, message } = faultOf(error, address, this.#options.security);
    if (code !== 'PEER_UNREACHABLE' || !this.#answered.has(address))
      this.#notices.tell(code, message, `${code} ${address}`);
  }

  /** Where this node is found from now on; connections that are open stay. */
  moved(address: string): void {
    this.own.address = address;
  }

  /** Of this node, in place of those before. Connections that are open stay, but those of whom the authorities have taken back. */
  renew(certificates: Certificates): void {
    const { security } = this.#options;
    if (security.kind === 'plain' || this.#isStopped) return;
    this.#listener.renew(certificates);
    this.#makeClient = clientMaker({ ...security, certificates });
    if (certificates.revoked === undefined) return;
    this.#endRevoked(certificates.revoked).catch((error: unknown) => {
      const why = `The list of certificates that were taken back ends no links, as it cannot be read: ${String(error)}. Make it anew.`;
      this.#notices.tell('PEER_REFUSED', why);
    });
  }

  async #endRevoked(lists: string): Promise<void> {
    const { revokedBy } = await import('./revoked.js');
    if (this.#isStopped) return;
    const isRevoked = revokedBy(lists);
    for (const node of this.links.endRevoked(isRevoked)) {
      this.#seal.shut(node);
      this.#pulse?.forget(node);
      this.#notices.tell(
        'PEER_REFUSED',
        `The link with node ${node} was ended, as its certificate was taken back: stop that node, and let it go with \`ringlog node remove ${node}\`.`,
      );
    }
    this.#listener.endRevoked(isRevoked);
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#handlers = undefined;
    this.links.stop();
    this.#questions.stop();
    this.#listener.close();
    this.#datagrams.close();
    this.#pulse?.stop();
  }

  // What comes.

  /** That others have another cluster key is theirs to tell. */
  refused(from: string, why: string): void {
    const { security } = this.#options;
    if (security.kind === 'sealed' && security.isGiven)
      this.#notices.tell(
        'PEER_REFUSED',
        `A node that called from ${from} was refused for its certificate: ${why}.`,
      );
  }

  received(datagram: Uint8Array, from: string): void {
    if (datagram.length > limits.gossipPacketBytesMax) return;
    const packet = this.#seal.open(datagram);
    if (packet) this.#handlers?.packet(from, packet);
  }

  pulse(node: NodeId, ageMs: number): void {
    this.#handlers?.pulse(node, ageMs);
  }

  asked(call: UnaryCall, answer: UnaryAnswer): void {
    if (!this.#admit(call, answer)) return;
    const said = this.#handlers?.asked(call.request);
    if (said) answer(null, Buffer.from(said));
    else answer({ code: grpc.status.INVALID_ARGUMENT, details: 'The question makes no sense.' });
  }

  carried(call: UnaryCall, answer: UnaryAnswer): void {
    const hello = this.#admit(call, answer);
    if (!hello) return;
    this.#handlers?.packet(hello.address, call.request);
    answer(null, Buffer.alloc(0));
  }

  #meet(hello: Hello): void {
    this.#seal.met(hello);
    this.#pulse?.met(hello);
  }

  #admit(call: UnaryCall, answer: UnaryAnswer): Hello | undefined {
    const { security } = this.#options;
    const certificate = call.getAuthContext().sslPeerCertificate;
    const proven = provenHello(this.own, helloIn(call.metadata), certificate, security);
    if (!proven.ok) {
      answer({ code: grpc.status.FAILED_PRECONDITION, details: proven.error });
      return undefined;
    }
    this.#meet(proven.value);
    call.sendMetadata(metadataOf(this.own));
    return proven.value;
  }
}

type UnaryCall = grpc.ServerUnaryCall<Buffer, Buffer>;
type UnaryAnswer = grpc.sendUnaryData<Buffer>;

const starting = { code: grpc.status.UNAVAILABLE, details: 'The node starts, or stops.' };

interface Bound {
  readonly listener: Listener;
  readonly datagrams: Datagrams;
}

/** A machine's address may change. */
type OwnHello = Hello & { address: string };

/** What a node says of itself, once it is known where it listens. */
interface Known {
  readonly own: OwnHello;
  readonly addresses: AddressBook;
  readonly pulse: Pulse | undefined;
}

async function known(options: PeerPortOptions, { listener }: Bound, started: Started): Promise<Known> {
  const { cluster, node, random, clock, security, versions = protocolVersions } = options;
  const address = options.advertise(listener.port);
  const under = { cluster, node, boot: toHex(random.bytes(8)) };
  const addresses = new AddressBook(clock);
  const above = listener.port + limits.pulsePortAbove;
  const pulse = await openPulse(options.observer, {
    host: options.listen.host,
    port: above > 65_535 || above === portOfDiscovery ? 0 : above,
    own: under,
    security,
    addresses,
    program: options.pulseProgram,
    heard: (peer, ageMs) => started()?.pulse(peer, ageMs),
  });
  return { own: { ...under, ...versions, address, pulsePort: pulse?.port ?? 0 }, addresses, pulse };
}

/** A node does without where it cannot be had: others then take it for dead sooner. */
async function openPulse(
  observer: Observer,
  options: Omit<PulseOptions, 'failed'>,
): Promise<Pulse | undefined> {
  const failed = ({ message: why }: Error): void => {
    const message = `The thread beside the node's loop ended (${why}): others may take the node for dead while it is busy. Restart it.`;
    observer.observe({ type: 'alarm', code: 'PEER_PULSE', message });
  };
  try {
    return await Pulse.open({ ...options, failed });
  } catch (error) {
    failed(error as Error);
    return undefined;
  }
}

/** Where what comes goes; nowhere before the port is started. */
type Started = () => PeerPort | undefined;

/** The first port that is free for both. */
async function bind({ listen: at, portsTried, security }: PeerPortOptions, started: Started): Promise<Bound> {
  for (let tries = 1; ; tries++) {
    // Any free one of TCP may be taken of UDP.
    const port = at.port === 0 ? 0 : at.port + tries - 1;
    if (port === portOfDiscovery && tries > 1) continue;
    try {
      return await bindBoth({ host: at.host, port }, security, started);
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isTaken || tries >= portsTried || port >= 65_535) throw error;
    }
  }
}

async function bindBoth(at: ListenAt, security: Security, started: Started): Promise<Bound> {
  const listener = await listen(at, security, {
    services: (server) => server.addService(peerService, servicesOf(started)),
    refused: (from, why) => started()?.refused(from, why),
  });
  try {
    const datagrams = await Datagrams.open({ host: at.host, port: listener.port }, (datagram, from) =>
      started()?.received(datagram, from),
    );
    return { listener, datagrams };
  } catch (error) {
    listener.close();
    throw error;
  }
}

function servicesOf(started: Started): grpc.UntypedServiceImplementation {
  return {
    link(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      const port = started();
      if (port) return port.links.called(call);
      call.on('error', () => undefined);
      call.emit('error', starting);
    },
    ask(call: UnaryCall, answer: UnaryAnswer) {
      const port = started();
      if (port) port.asked(call, answer);
      else answer(starting);
    },
    carry(call: UnaryCall, answer: UnaryAnswer) {
      const port = started();
      if (port) port.carried(call, answer);
      else answer(starting);
    },
  };
}
