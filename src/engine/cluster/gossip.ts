/** Runs membership: packets and questions go through the port, verdicts to the cluster, and it is woken when its time has
 *  come. */
import { readFixed64, toHex, writeFixed64 } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import type { LivenessVerdict, MembershipEffect } from '../../cluster/effects.js';
import type { BootId, Profile } from '../../cluster/member.js';
import { type MemberView, Membership } from '../../cluster/membership.js';
import { decodePacket, decodeSync, encodePacket, encodeSync } from '../../cluster/membership-wire.js';
import type { MembershipParameters } from '../../cluster/parameters.js';
import type { PeerClocks } from '../../cluster/peer-clocks.js';
import type { EnginePorts, Peers } from '../ports.js';
import { AlarmClock } from './alarm-clock.js';
import { OwnLoad } from './own-load.js';

export interface GossipHooks {
  reachable(node: NodeId, isReachable: boolean): void;
  /** A member came, went, or says something else of itself. */
  changed(node: NodeId): void;
  /** Of a process that runs as a member. */
  verdict(verdict: LivenessVerdict): void;
  /** Another process says that it is this node. */
  conflict(): void;
}

export interface GossipOptions {
  readonly node: NodeId;
  readonly profile: Profile;
  readonly parameters: MembershipParameters;
  /** Told of the times in packets. */
  readonly clocks: PeerClocks;
}

/** Of the time before a packet: Unix milliseconds, u64 little-endian. */
const timeBytes = 8;

/** First byte of a question. */
const asks = { probe: 1, sync: 2 } as const;

export class Gossip {
  readonly #ports: EnginePorts;
  readonly #peers: Peers;
  readonly #hooks: GossipHooks;
  readonly #membership: Membership;
  readonly #clocks: PeerClocks;
  #profile: Profile;
  readonly #alarm: AlarmClock;
  readonly #load: OwnLoad;
  #left: (() => void) | undefined;
  /** Of this process. */
  readonly boot: BootId;

  constructor(ports: EnginePorts, peers: Peers, options: GossipOptions, hooks: GossipHooks) {
    this.#ports = ports;
    this.#peers = peers;
    this.#hooks = hooks;
    this.#profile = options.profile;
    this.#clocks = options.clocks;
    this.boot = toHex(ports.random.bytes(8)) as BootId;
    this.#alarm = new AlarmClock(ports, (now) => {
      this.#membership.tick(now);
      this.#schedule();
    });
    this.#load = new OwnLoad(ports, (load) => this.say({ load }));
    this.#membership = new Membership({
      ...options,
      boot: this.boot,
      random: ports.random,
      emit: (effect) => this.#do(effect),
    });
  }

  start(seeds: readonly string[]): void {
    this.#membership.start(seeds, this.#now());
    this.#load.start();
    this.#schedule();
  }

  /** Says goodbye; resolves once it is told. */
  leave(): Promise<void> {
    return new Promise((resolve) => {
      this.#left = resolve;
      this.#membership.leave(this.#now());
      this.#schedule();
    });
  }

  stop(): void {
    this.#load.stop();
    this.#alarm.stop();
  }

  members(): readonly MemberView[] {
    return this.#membership.members();
  }

  /** As it is told of this node, in thousandths. */
  get load(): number {
    return this.#load.told;
  }

  /** What this node says of itself from now on. */
  say(more: Partial<Profile>): void {
    this.#profile = { ...this.#profile, ...more };
    this.#membership.update(this.#profile, this.#now());
    this.#schedule();
  }

  /** Learns of the members that a node knows, and lets it know of this one; resolves with who it is, if it answers. */
  async meet(address: string): Promise<NodeId | undefined> {
    return await this.#sync(address, encodeSync(this.#membership.sync()));
  }

  learn(addresses: readonly string[]): void {
    this.#membership.learn(addresses, this.#now());
    this.#schedule();
  }

  packet(address: string, bytes: Uint8Array): void {
    const packet = decodePacket(bytes.subarray(timeBytes));
    if (packet.ok) this.#clocks.heard(address, readFixed64(bytes, 0), this.#now());
    if (packet.ok) this.#membership.receive(packet.value, address, this.#now());
    this.#schedule();
  }

  asked(question: Uint8Array): Uint8Array | undefined {
    if (question[0] === asks.probe) return Uint8Array.of(asks.probe);
    const sync = question[0] === asks.sync ? decodeSync(question.subarray(1)) : undefined;
    if (!sync?.ok) return undefined;
    this.#membership.receiveSync(sync.value, this.#now());
    this.#schedule();
    return encodeSync(this.#membership.sync());
  }

  /** The loop of that node ran `ageMs` ago. */
  pulse(node: NodeId, ageMs: number): void {
    this.#membership.pulsed(node, ageMs, this.#now());
    this.#schedule();
  }

  linked(node: NodeId): void {
    this.#membership.linkAlive(node, this.#now());
    this.#schedule();
  }

  unlinked(node: NodeId): void {
    this.#membership.linkBroken(node, this.#now());
    this.#schedule();
  }

  #do(effect: MembershipEffect): void {
    switch (effect.type) {
      case 'send':
        return this.#peers.sendPacket(effect.address, this.#dated(encodePacket(effect.packet)));
      case 'stream-probe':
        return void this.#probe(effect.address, effect.seq);
      case 'ask-pulse':
        return this.#peers.askPulse(effect.node);
      case 'sync':
        return void this.#sync(effect.address, encodeSync(effect.request));
      case 'route':
        return this.#hooks.reachable(effect.node, effect.reachable);
      case 'liveness':
        this.#hooks.changed(effect.node);
        return this.#hooks.verdict(effect);
      case 'profile':
        return this.#hooks.changed(effect.node);
      case 'alarm': {
        if (effect.code === 'identity-conflict') this.#hooks.conflict();
        const message = `Membership: ${effect.code}, node ${effect.node}.`;
        return this.#ports.observer.observe({ type: 'alarm', code: 'MEMBERSHIP', message });
      }
      case 'leave-complete':
        return this.#left?.();
    }
  }

  /** Before each packet the sender's wall clock. */
  #dated(packet: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(timeBytes + packet.length);
    writeFixed64(bytes, 0, Math.max(0, Math.floor(this.#ports.clock.wallMs())));
    bytes.set(packet, timeBytes);
    return bytes;
  }

  async #probe(address: string, seq: number): Promise<void> {
    const answer = await this.#ask(address, Uint8Array.of(asks.probe));
    if (answer?.[0] !== asks.probe) return;
    this.#membership.streamAnswered(seq, this.#now());
    this.#schedule();
  }

  async #sync(address: string, request: Uint8Array): Promise<NodeId | undefined> {
    const question = new Uint8Array(1 + request.length);
    question[0] = asks.sync;
    question.set(request, 1);
    const answer = await this.#ask(address, question);
    const sync = answer && decodeSync(answer);
    if (!sync?.ok) return undefined;
    this.#membership.receiveSync(sync.value, this.#now());
    this.#schedule();
    return sync.value.from;
  }

  async #ask(address: string, question: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await this.#peers.ask(address, question);
    } catch {
      // Silence is an answer too: membership has its own deadlines.
      return undefined;
    }
  }

  #schedule(): void {
    this.#alarm.set(this.#membership.nextDeadline());
  }

  #now(): number {
    return this.#ports.clock.monotonicMs();
  }
}
