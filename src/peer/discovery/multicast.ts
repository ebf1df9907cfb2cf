/** Finds nodes of the local network: each says now and then that it is there, and at once when somebody new is heard. Without
 *  a cluster key only on the interface of the machine itself. Interfaces come and go while a node runs, and one may start before
 *  its network is up: they are looked at anew each time something is said, and each hears where the node is found on it. */
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { limits } from '../../base/limits.js';
import type { Clock, Random, Timers } from '../../engine/ports.js';
import { type Announcement, decodeAnnouncement, encodeAnnouncement } from './announcement.js';

export interface MulticastOptions {
  /** Derived from the cluster key. */
  readonly secret: Buffer | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly group?: { readonly address: string; readonly port: number };
  /** Addresses of the interfaces to speak and listen on; of the system by default. */
  readonly interfaces?: () => readonly string[];
  readonly openSocket?: () => GroupSocket;
  /** What this node says of itself now, on the interface with that address. */
  own(at: string): Announcement;
  heard(announcement: Announcement): void;
  /** There are other interfaces than before. */
  changed?(): void;
}

/** A socket of one group. */
export interface GroupSocket {
  /** Rejects with what the system says where it has no multicast. */
  bind(port: number): Promise<void>;
  /** Throws what the system says. */
  join(group: string, at: string): void;
  /** Resolves once it is sent, or cannot be. */
  send(bytes: Uint8Array, port: number, group: string, at: string): Promise<void>;
  onDatagram(received: (datagram: Uint8Array, from: string) => void): void;
  close(): void;
}

const loopback = '127.0.0.1';

const defaultGroup = { address: '239.255.77.46', port: 7947 };
const often = { everyMs: 1_000, times: 10 };
const seldomMs = 10_000;
/** Those heard of within this time are not new. */
const newAfterMs = 30_000;
const answerWithinMs = 50;

export class Multicast {
  readonly #options: MulticastOptions;
  readonly #group: { readonly address: string; readonly port: number };
  readonly #socket: GroupSocket;
  #joined = new Set<string>();
  #sending: Promise<void> = Promise.resolve();
  readonly #heardAt = new Map<string, number>();
  #announced = 0;
  #cancel: () => void = () => {};
  #isAnswering = false;
  #isStopped = false;

  private constructor(options: MulticastOptions) {
    this.#options = options;
    this.#group = options.group ?? defaultGroup;
    this.#socket = (options.openSocket ?? systemSocket)();
  }

  /** Rejects with what the system says where it has no multicast. */
  static async open(options: MulticastOptions): Promise<Multicast> {
    const multicast = new Multicast(options);
    try {
      await multicast.#bind();
      return multicast;
    } catch (error) {
      multicast.stop();
      throw error;
    }
  }

  async #bind(): Promise<void> {
    await this.#socket.bind(this.#group.port);
    this.#socket.onDatagram((datagram, from) => this.#received(datagram, from));
    const fault = this.#join(this.#interfaces());
    if (this.#joined.size === 0) throw fault;
    this.#announce();
  }

  #interfaces(): readonly string[] {
    const { secret, interfaces = ownInterfaces } = this.#options;
    const all = secret ? interfaces() : [];
    return all.length > 0 ? all : [loopback];
  }

  /** Returns what the system said of the last that cannot be joined: it is tried again. */
  #join(all: readonly string[]): unknown {
    const before = this.#joined;
    let fault: unknown;
    // What is gone is forgotten: the system has left the group there, and it may come back.
    this.#joined = new Set(all.filter((at) => before.has(at)));
    for (const at of all) {
      if (this.#joined.has(at)) continue;
      try {
        this.#socket.join(this.#group.address, at);
        this.#joined.add(at);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') this.#joined.add(at);
        else fault = error;
      }
    }
    return fault;
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancel();
    this.#socket.close();
  }

  /** Says at once what has changed. */
  announceSoon(): void {
    if (this.#isAnswering || this.#isStopped) return;
    this.#isAnswering = true;
    const { timers, random } = this.#options;
    timers.after(random.next() * answerWithinMs, () => {
      this.#isAnswering = false;
      if (!this.#isStopped) this.#send();
    });
  }

  #announce(): void {
    if (this.#isStopped) return;
    this.#send();
    const waitMs = ++this.#announced < often.times ? often.everyMs : seldomMs;
    const { timers, random } = this.#options;
    this.#cancel = timers.after(waitMs * (0.75 + random.next() / 2), () => this.#announce());
  }

  #send(): void {
    const { secret } = this.#options;
    const before = [...this.#joined].join();
    const all = this.#interfaces();
    this.#join(all);
    if ([...this.#joined].join() !== before) {
      // Whoever is there now may be new to this node, and this node to them.
      this.#announced = 0;
      this.#options.changed?.();
    }
    const { address, port } = this.#group;
    for (const at of this.#joined) {
      const bytes = encodeAnnouncement(this.#options.own(at), secret);
      this.#sending = this.#sending.then(() =>
        this.#isStopped ? undefined : this.#socket.send(bytes, port, address, at),
      );
    }
  }

  #received(datagram: Uint8Array, from: string): void {
    const { secret, clock } = this.#options;
    if (!secret && !from.startsWith('127.')) return;
    const announcement = decodeAnnouncement(datagram, secret);
    const { cluster, node } = this.#options.own(loopback);
    if (!announcement || announcement.cluster !== cluster || announcement.node === node) return;
    const now = clock.monotonicMs();
    const last = this.#heardAt.get(announcement.node);
    this.#heardAt.delete(announcement.node);
    if (this.#heardAt.size >= limits.membersMax) this.#heardAt.delete(this.#heardAt.keys().next().value!);
    this.#heardAt.set(announcement.node, now);
    if (last === undefined || now - last > newAfterMs) this.announceSoon();
    this.#options.heard(announcement);
  }
}

/** Of other machines' networks. */
function ownInterfaces(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
}

function systemSocket(): GroupSocket {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  return {
    async bind(port) {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(port, () => {
          socket.off('error', reject);
          resolve();
        });
      });
      socket.on('error', () => undefined);
      socket.setMulticastLoopback(true);
      socket.setMulticastTTL(1);
    },
    join: (group, at) => socket.addMembership(group, at),
    send: (bytes, port, group, at) =>
      new Promise((resolve) => {
        try {
          socket.setMulticastInterface(at);
          socket.send(bytes, port, group, () => resolve());
        } catch {
          // The interface went away between the look and now.
          resolve();
        }
      }),
    onDatagram: (received) => void socket.on('message', (datagram, from) => received(datagram, from.address)),
    close: () => socket.close(),
  };
}
