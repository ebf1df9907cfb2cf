/** What nodes say to each other: links that carry messages in order until they break, packets that may be lost, and
 *  questions. `Peers` in src/engine/ports.ts says what is promised of it. */
import type { NodeId } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import type { PeerHandlers, Peers } from '../../src/engine/ports.js';
import type { Life } from '../world/machine.js';
import { Pipe } from './pipe.js';
import type { Trace } from './trace.js';
import type { Weather } from './weather.js';

/** Somebody who takes part: one process of a node. */
interface End {
  readonly name: string;
  readonly id: NodeId;
  readonly address: string;
  readonly life: Life;
  /** Told of every message of another node that comes over a link. */
  readonly heard?: (from: string) => void;
}

const dialMs = { first: 20, most: 2_000 };
const answerWithinMs = 1_000;

export class PeerNetwork {
  readonly weather: Weather;
  readonly random: Random;
  readonly trace: Trace;
  /** Of pulses alone, so that they shift nothing else. */
  readonly pulseChance: Random;
  readonly #ports = new Map<string, PeerPort>();
  /** The most bytes that ever waited on one link. */
  mostBuffered = 0;

  constructor(weather: Weather, random: Random, trace: Trace, pulseChance: Random) {
    this.weather = weather;
    this.pulseChance = pulseChance;
    this.random = random;
    this.trace = trace;
  }

  /** The port of a process that begins. */
  port(end: End): Peers {
    return new PeerPort(this, end);
  }

  at(address: string): PeerPort | undefined {
    const port = this.#ports.get(address);
    return port?.end.life.alive ? port : undefined;
  }

  ofNode(id: NodeId): PeerPort | undefined {
    for (const port of this.#ports.values()) if (port.end.id === id && port.end.life.alive) return port;
    return undefined;
  }

  /** What is sent beside main threads: calls back on the line, once at most. */
  beside(from: string, to: string, arrive: () => void): void {
    const { weather, pulseChance } = this;
    if (pulseChance.next() < weather.conditions.loss) return;
    weather.line.after(weather.delayMs(pulseChance), () => {
      if (!weather.isBlocked(from, to)) arrive();
    });
  }

  enter(port: PeerPort): void {
    this.#ports.set(port.end.address, port);
  }

  leave(port: PeerPort): void {
    if (this.#ports.get(port.end.address) === port) this.#ports.delete(port.end.address);
  }

  /** The process of a node is gone; without its system nobody tells the others, and they notice late. */
  nodeGone(name: string, isSilent: boolean): void {
    for (const port of this.#ports.values()) {
      if (port.end.name !== name) continue;
      this.leave(port);
      port.breakAll(isSilent ? 2_000 + this.random.next() * 10_000 : this.weather.delayMs());
    }
  }

  /** Breaks some links at this moment; returns how many. */
  cut(share: number): number {
    let cut = 0;
    for (const port of this.#ports.values())
      for (const link of port.links())
        if (link.dialer === port && this.random.next() < share) {
          link.break(this.weather.delayMs(), this.weather.delayMs());
          cut++;
        }
    return cut;
  }
}

class PeerPort implements Peers {
  readonly end: End;
  handlers: PeerHandlers | undefined;
  readonly #network: PeerNetwork;
  readonly #links = new Map<NodeId, Link>();
  #wanted: ReadonlyMap<NodeId, string> = new Map();
  /** Being dialed, with how long to wait after the next failure. */
  readonly #dials = new Map<NodeId, number>();

  constructor(network: PeerNetwork, end: End) {
    this.#network = network;
    this.end = end;
  }

  links(): readonly Link[] {
    return [...this.#links.values()];
  }

  start(handlers: PeerHandlers): void {
    this.handlers = handlers;
    this.#network.enter(this);
  }

  stop(): void {
    this.handlers = undefined;
    this.#wanted = new Map();
    this.#network.leave(this);
    this.breakAll(this.#network.weather.delayMs());
  }

  keepLinks(peers: ReadonlyMap<NodeId, string>): void {
    if (!this.handlers) return;
    this.#wanted = new Map(peers);
    for (const [peer, link] of this.#links)
      if (!peers.has(peer)) link.break(0, this.#network.weather.delayMs());
    for (const peer of peers.keys()) this.#dial(peer);
  }

  send(peer: NodeId, message: Uint8Array): void {
    this.#links.get(peer)?.send(this, message.slice());
  }

  sendPacket(address: string, packet: Uint8Array): void {
    const { weather, trace } = this.#network;
    trace.bytes(this.end.name, packet);
    const copy = packet.slice();
    for (const delayMs of weather.packetDelays())
      weather.line.after(delayMs, () => {
        const to = this.#network.at(address);
        if (!to || weather.isBlocked(this.end.name, to.end.name)) return;
        to.end.life.run(() => to.handlers?.packet(this.end.address, copy));
      });
  }

  /** The answer says how old it is by the time it comes, as a thread there does. */
  askPulse(node: NodeId): void {
    const { line } = this.#network.weather;
    const to = this.#network.ofNode(node);
    if (!to) return;
    this.#network.beside(this.end.name, to.end.name, () => {
      const ageMs = to.end.life.pulseMs();
      if (ageMs === undefined) return;
      const ranAt = line.monotonicMs() - ageMs;
      this.#network.trace.add(`pulse ${to.end.name} ${this.end.name} ${ageMs}`);
      this.#network.beside(to.end.name, this.end.name, () => {
        const toldMs = line.monotonicMs() - ranAt;
        this.end.life.run(() => this.handlers?.pulse(node, toldMs));
      });
    });
  }

  ask(address: string, question: Uint8Array): Promise<Uint8Array> {
    const { weather, trace } = this.#network;
    const copy = question.slice();
    trace.bytes(this.end.name, copy);
    return new Promise((resolve, reject) => {
      const timer = this.end.life.after(answerWithinMs, () =>
        reject(new Error(`${address} does not answer`)),
      );
      weather.line.after(weather.delayMs(), () => {
        const to = this.#network.at(address);
        if (!to || weather.isBlocked(this.end.name, to.end.name)) return;
        to.end.life.run(() => {
          const answer = to.handlers?.asked(copy)?.slice();
          if (!answer) return;
          weather.line.after(weather.delayMs(), () => {
            if (weather.isBlocked(to.end.name, this.end.name)) return;
            timer();
            this.end.life.run(() => resolve(answer));
          });
        });
      });
    });
  }

  breakAll(othersAfterMs: number): void {
    for (const link of this.#links.values()) link.break(0, othersAfterMs, this);
    this.#links.clear();
  }

  // --- links

  /** Tries until the link stands or is not wanted any more. One link a pair: if the other side was first, theirs is it. */
  #dial(peer: NodeId): void {
    if (this.#links.has(peer) || this.#dials.has(peer)) return;
    this.#dials.set(peer, dialMs.first);
    this.#dialSoon(peer, 0);
  }

  #dialSoon(peer: NodeId, waitMs: number): void {
    const { weather } = this.#network;
    this.end.life.after(waitMs + 2 * weather.delayMs(), () => {
      const address = this.#wanted.get(peer);
      if (address === undefined || this.#links.has(peer)) return void this.#dials.delete(peer);
      const to = this.#network.at(address);
      const [here, there] = [this.end.name, to?.end.name ?? ''];
      const isReached = to && !weather.isBlocked(here, there) && !weather.isBlocked(there, here);
      if (isReached && to.end.id === peer && !to.end.life.isHeld) {
        this.#dials.delete(peer);
        to.#linkedBy(this);
        return;
      }
      const backOffMs = this.#dials.get(peer)!;
      this.#dials.set(peer, Math.min(dialMs.most, backOffMs * 2));
      this.#dialSoon(peer, backOffMs * (0.5 + this.#network.random.next()));
    });
  }

  #linkedBy(dialer: PeerPort): void {
    // It may not have noticed yet that the earlier one is gone.
    this.#links.get(dialer.end.id)?.break(0, 0);
    const link = new Link(this.#network, dialer, this);
    this.#network.trace.add(`link ${dialer.end.name} ${this.end.name}`);
    for (const [port, other] of [
      [dialer, this],
      [this, dialer],
    ] as const) {
      port.#links.set(other.end.id, link);
      this.#network.weather.line.after(this.#network.weather.delayMs(), () =>
        port.end.life.run(() => link.linked(port)),
      );
    }
  }

  /** The link is gone for this side. */
  lost(link: Link, peer: NodeId): void {
    if (this.#links.get(peer) !== link) return;
    this.#links.delete(peer);
    if (this.handlers && this.#wanted.has(peer)) this.#dial(peer);
  }
}

/** Between two processes, both ways. Each side is told in its own time, first that it stands, then that it is gone. */
class Link {
  readonly dialer: PeerPort;
  readonly #network: PeerNetwork;
  readonly #sides: ReadonlyMap<PeerPort, Side>;

  constructor(network: PeerNetwork, dialer: PeerPort, listener: PeerPort) {
    this.#network = network;
    this.dialer = dialer;
    this.#sides = new Map([
      [dialer, new Side(dialer, listener, this.#pipe(dialer, listener))],
      [listener, new Side(listener, dialer, this.#pipe(listener, dialer))],
    ]);
  }

  #pipe(from: PeerPort, to: PeerPort): Pipe<Uint8Array> {
    return new Pipe(this.#network.weather, {
      from: from.end.name,
      to: to.end.name,
      receive: (bytes) => to.end.life.run(() => this.#sides.get(to)!.received(bytes)),
      timedOut: () => this.break(0, 0),
    });
  }

  send(from: PeerPort, bytes: Uint8Array): void {
    this.#network.trace.bytes(from.end.name, bytes);
    const { out } = this.#sides.get(from)!;
    out.send(bytes, bytes.length);
    this.#network.mostBuffered = Math.max(this.#network.mostBuffered, out.bytes);
  }

  linked(port: PeerPort): void {
    this.#sides.get(port)!.linked();
  }

  /** The dialer's side notices after one time, the other after another; `silent` is not told at all. */
  break(dialerAfterMs: number, listenerAfterMs: number, silent?: PeerPort): void {
    for (const [port, side] of this.#sides) {
      side.out.close();
      if (port === silent) {
        side.state = 'over';
        continue;
      }
      const afterMs = silent ? listenerAfterMs : port === this.dialer ? dialerAfterMs : listenerAfterMs;
      this.#network.weather.line.after(afterMs, () => port.end.life.run(() => side.ended(this)));
    }
  }
}

class Side {
  /** As its node knows it. */
  state: 'new' | 'linked' | 'over' = 'new';
  readonly #early: Uint8Array[] = [];

  constructor(
    readonly port: PeerPort,
    readonly other: PeerPort,
    readonly out: Pipe<Uint8Array>,
  ) {}

  linked(): void {
    if (this.state !== 'new') return;
    this.state = 'linked';
    this.port.handlers?.linked(this.other.end.id);
    for (const bytes of this.#early.splice(0)) this.#take(bytes);
  }

  received(bytes: Uint8Array): void {
    if (this.state === 'new') this.#early.push(bytes);
    else if (this.state === 'linked') this.#take(bytes);
  }

  #take(bytes: Uint8Array): void {
    this.port.end.heard?.(this.other.end.name);
    this.port.handlers?.received(this.other.end.id, bytes);
  }

  ended(link: Link): void {
    const wasLinked = this.state === 'linked';
    this.state = 'over';
    if (wasLinked) this.port.handlers?.unlinked(this.other.end.id);
    this.port.lost(link, this.other.end.id);
  }
}
