/** A cluster of memberships over a simulated network: every packet is encoded, delayed, perhaps lost, and decoded.
 *  Repeats itself from a seed. */
import { toHex } from '../../src/base/bytes.js';
import { crc32 } from '../../src/base/crc32.js';
import type { NodeId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { LivenessVerdict, MembershipEffect } from '../../src/cluster/effects.js';
import type { BootId, Profile } from '../../src/cluster/member.js';
import { Membership } from '../../src/cluster/membership.js';
import { decodePacket, decodeSync, encodePacket, encodeSync } from '../../src/cluster/membership-wire.js';
import type { Packet, Sync } from '../../src/cluster/packet.js';
import type { MembershipParameters } from '../../src/cluster/parameters.js';
import { SimulatedClock } from '../world/clock.js';

export interface NetworkConditions {
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Share of datagrams lost. A stream loses nothing, but waits for a retransmission as often. */
  readonly loss: number;
}

/** One network of machines. */
export const quietNetwork: NetworkConditions = { delayMinMs: 0.1, delayMaxMs: 1, loss: 0 };

const retransmissionMs = 200;
/** What a socket keeps for a process that does not read. */
const socketPacketsMax = 512;
/** Bytes beside the content: IP and UDP headers, and what sealing adds. */
const overheadBytes = 28 + 48;

export class WorldNode {
  up = true;
  stalledUntil = 0;
  /** Since when its loop is busy while the process runs on: its pulse is told. */
  busySince: number | undefined;
  readonly waiting: (() => void)[] = [];
  /** When the next tick is on its way. */
  tickAt = Number.POSITIVE_INFINITY;
  bytesSent = 0;
  packetsSent = 0;
  left = false;

  constructor(
    readonly index: number,
    readonly id: NodeId,
    readonly address: string,
    public boot: BootId,
    public membership: Membership,
  ) {}
}

export interface WorldListener {
  route?(observer: WorldNode, subject: WorldNode, reachable: boolean, now: number): void;
  liveness?(observer: WorldNode, subject: WorldNode, verdict: LivenessVerdict['verdict'], now: number): void;
  profile?(observer: WorldNode, subject: WorldNode, profile: Profile, now: number): void;
  alarm?(observer: WorldNode, code: string, about: NodeId): void;
}

export class MembershipWorld {
  readonly nodes: WorldNode[] = [];
  readonly clock = new SimulatedClock();
  readonly random: Random;
  /** Of pulses alone, so that they shift nothing else. */
  readonly #pulseChance: Random;
  network = quietNetwork;
  listener: WorldListener = {};
  /** Whether packets and streams pass between two nodes. */
  connected: (from: WorldNode, to: WorldNode) => boolean = () => true;
  /** The same of pulses, which go between other ports. */
  pulsesPass: (from: WorldNode, to: WorldNode) => boolean = (from, to) => this.connected(from, to);
  /** Sees every packet on its way. */
  tap: ((packet: Packet, from: WorldNode, to: WorldNode) => void) | undefined;
  /** Changes with everything that happens. */
  traceHash = 0;
  readonly #parameters: MembershipParameters;
  readonly #byAddress = new Map<string, WorldNode>();
  readonly #byId = new Map<NodeId, WorldNode>();

  constructor(seed: number, parameters: MembershipParameters) {
    this.random = seededRandom(seed);
    this.#pulseChance = seededRandom(~seed);
    this.#parameters = parameters;
  }

  get now(): number {
    return this.clock.monotonicMs();
  }

  /** A node that is not started. */
  addNode(): WorldNode {
    const index = this.nodes.length;
    const address = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:7946`;
    const id = toHex(this.random.bytes(16)) as NodeId;
    const boot = this.#newBoot();
    const node: WorldNode = new WorldNode(
      index,
      id,
      address,
      boot,
      this.#newMembership(id, boot, address, () => node),
    );
    this.nodes.push(node);
    this.#byAddress.set(address, node);
    this.#byId.set(id, node);
    return node;
  }

  /** So many nodes that know each other, after a while of rest. */
  settle(count: number): void {
    while (this.nodes.length < count) this.addNode();
    const everybody = this.nodes.map((node) => node.membership.sync().statements[0]!);
    for (const node of this.nodes) {
      const other = this.nodes[(node.index + 1) % count]!;
      node.membership.start([], this.now);
      node.membership.receiveSync({ ...other.membership.sync(), statements: everybody }, this.now);
      this.#schedule(node);
    }
    this.runFor(1_000);
  }

  start(node: WorldNode, addresses: readonly string[]): void {
    node.membership.start(addresses, this.now);
    this.#schedule(node);
  }

  /** Does something with a node's membership, as its engine would. */
  act(node: WorldNode, action: (membership: Membership, now: number) => void): void {
    action(node.membership, this.now);
    this.#schedule(node);
  }

  /** The process ends without a word. `linked`: these see their connections break, as they do when only the process dies
   *  and not its machine. */
  kill(node: WorldNode, linked: readonly WorldNode[] = []): void {
    node.up = false;
    node.waiting.length = 0;
    for (const peer of linked) {
      this.clock.after(this.#delay(), () => {
        this.#run(peer, () => peer.membership.linkBroken(node.id, this.now));
      });
    }
  }

  /** The process starts anew at the same place, remembering nothing but addresses. */
  restart(node: WorldNode, addresses: readonly string[]): void {
    node.up = true;
    node.boot = this.#newBoot();
    node.membership = this.#newMembership(node.id, node.boot, node.address, () => node);
    node.tickAt = Number.POSITIVE_INFINITY;
    this.start(node, addresses);
  }

  /** That process stands still, `busy`: its event loop alone. */
  stall(node: WorldNode, forMs: number, how: 'paused' | 'busy' = 'paused'): void {
    const until = this.now + forMs;
    if (until <= node.stalledUntil) return;
    if (how === 'paused') node.busySince = undefined;
    else if (this.now >= node.stalledUntil) node.busySince = this.now;
    node.stalledUntil = until;
    this.clock.after(forMs, () => this.#resume(node));
  }

  runFor(ms: number): void {
    const end = this.now + ms;
    let ended = false;
    this.clock.after(ms, () => {
      ended = true;
    });
    while (!ended && this.now <= end) this.clock.step();
  }

  /** Whether it came true within that time. */
  runUntil(isTrue: () => boolean, limitMs: number): boolean {
    const end = this.now + limitMs;
    while (this.now < end) {
      if (isTrue()) return true;
      this.runFor(5);
    }
    return isTrue();
  }

  find(id: NodeId): WorldNode {
    return this.#byId.get(id)!;
  }

  #newBoot(): BootId {
    return toHex(this.random.bytes(8)) as BootId;
  }

  #newMembership(node: NodeId, boot: BootId, address: string, owner: () => WorldNode): Membership {
    const profile: Profile = {
      peerAddress: address,
      settled: true,
      clientAddresses: [address.replace('7946', '8080')],
      role: 'core',
      ringVersion: 1,
      load: 0,
    };
    const random = seededRandom(Math.floor(this.random.next() * 2 ** 32));
    const emit = (effect: MembershipEffect) => this.#perform(owner(), effect);
    return new Membership({ node, boot, profile, parameters: this.#parameters, random, emit });
  }

  /** Timers come first when a paused process goes on, as in an event loop; then what waited in the socket. */
  #resume(node: WorldNode): void {
    if (!node.up || this.now < node.stalledUntil) return;
    node.busySince = undefined;
    node.membership.tick(this.now);
    for (const handle of node.waiting.splice(0)) handle();
    this.#schedule(node);
  }

  /** Lets the node handle something now, or when it goes on. */
  #run(node: WorldNode, handle: () => void): void {
    if (!node.up) return;
    if (this.now >= node.stalledUntil) {
      handle();
      this.#schedule(node);
    } else if (node.waiting.length < socketPacketsMax) node.waiting.push(handle);
  }

  #schedule(node: WorldNode): void {
    const due = node.membership.nextDeadline();
    if (due >= node.tickAt) return;
    node.tickAt = due;
    const { membership } = node;
    this.clock.after(due - this.now, () => {
      if (node.tickAt !== due || node.membership !== membership) return;
      node.tickAt = Number.POSITIVE_INFINITY;
      if (!node.up || this.now < node.stalledUntil) return;
      membership.tick(this.now);
      this.#schedule(node);
    });
  }

  #perform(node: WorldNode, effect: MembershipEffect): void {
    switch (effect.type) {
      case 'send':
        this.#send(node, effect.address, effect.packet);
        return;
      case 'stream-probe':
        this.#probeStream(node, effect.address, effect.seq);
        return;
      case 'ask-pulse':
        this.#askPulse(node, this.find(effect.node));
        return;
      case 'sync':
        this.#sync(node, effect.address, effect.request);
        return;
      case 'route':
        this.#note(node, effect.node, effect.reachable ? 'reachable' : 'away');
        this.listener.route?.(node, this.find(effect.node), effect.reachable, this.now);
        return;
      case 'liveness':
        this.#note(node, effect.node, effect.verdict);
        this.listener.liveness?.(node, this.find(effect.node), effect.verdict, this.now);
        return;
      case 'profile':
        this.listener.profile?.(node, this.find(effect.node), effect.profile, this.now);
        return;
      case 'alarm':
        this.listener.alarm?.(node, effect.code, effect.node);
        return;
      case 'leave-complete':
        node.left = true;
        node.up = false;
    }
  }

  #send(from: WorldNode, address: string, packet: Packet): void {
    const bytes = encodePacket(packet);
    from.bytesSent += bytes.length + overheadBytes;
    from.packetsSent++;
    this.traceHash = crc32(bytes, 0, bytes.length, this.traceHash);
    const to = this.#byAddress.get(address);
    if (!to || this.random.next() < this.network.loss || !this.connected(from, to)) return;
    this.tap?.(packet, from, to);
    this.clock.after(this.#delay(), () => {
      this.#run(to, () => {
        const decoded = decodePacket(bytes);
        if (!decoded.ok) throw new Error(`a packet of our own is ${decoded.error}`);
        to.membership.receive(decoded.value, from.address, this.now);
      });
    });
  }

  #probeStream(from: WorldNode, address: string, seq: number): void {
    const to = this.#byAddress.get(address);
    if (!to || !this.connected(from, to)) return;
    const { membership } = from;
    this.#stream(to, 3, () => {
      this.#stream(from, 1, () => membership.streamAnswered(seq, this.now));
    });
  }

  /** What a thread beside the loop says. */
  #askPulse(from: WorldNode, to: WorldNode): void {
    this.#beside(from, to, () => {
      const isPaused = this.now < to.stalledUntil && to.busySince === undefined;
      if (!to.up || isPaused) return;
      const ranAt = to.busySince ?? this.now;
      const { membership } = from;
      this.#beside(to, from, () => {
        const ageMs = this.now - ranAt;
        this.#run(from, () => membership.pulsed(to.id, ageMs, this.now));
      });
    });
  }

  #beside(from: WorldNode, to: WorldNode, arrive: () => void): void {
    const isLost = this.#pulseChance.next() < this.network.loss || !this.pulsesPass(from, to);
    if (!isLost) this.clock.after(this.#delay(this.#pulseChance), arrive);
  }

  #sync(from: WorldNode, address: string, request: Sync): void {
    const to = this.#byAddress.get(address);
    if (!to || !this.connected(from, to) || !this.connected(to, from)) return;
    const { membership } = from;
    const bytes = encodeSync(request);
    from.bytesSent += bytes.length;
    this.#stream(to, 3, () => {
      to.membership.receiveSync(decoded(bytes), this.now);
      const answer = encodeSync(to.membership.sync());
      to.bytesSent += answer.length;
      this.#stream(from, 1, () => membership.receiveSync(decoded(answer), this.now));
    });
  }

  #stream(to: WorldNode, trips: number, handle: () => void): void {
    let delayMs = 0;
    for (let i = 0; i < trips; i++) {
      delayMs += this.#delay() + (this.random.next() < this.network.loss ? retransmissionMs : 0);
    }
    this.clock.after(delayMs, () => this.#run(to, handle));
  }

  #delay(random = this.random): number {
    const { delayMinMs, delayMaxMs } = this.network;
    return delayMinMs + random.next() * (delayMaxMs - delayMinMs);
  }

  #note(observer: WorldNode, subject: NodeId, what: string): void {
    const text = `${this.now} ${observer.id} ${subject} ${what}`;
    this.traceHash = crc32(new TextEncoder().encode(text), 0, text.length, this.traceHash);
  }
}

function decoded(bytes: Uint8Array): Sync {
  const sync = decodeSync(bytes);
  if (!sync.ok) throw new Error(`a sync of our own is ${sync.error}`);
  return sync.value;
}
