/** Finds nodes of the local network: each says now and then that it is there, and at once when somebody new is heard. Without
 *  a cluster key only on the interface of the machine itself. */
import { type Socket, createSocket } from 'node:dgram';
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
  /** What this node says of itself now. */
  own(): Announcement;
  heard(announcement: Announcement): void;
}

const defaultGroup = { address: '239.255.77.46', port: 7947 };
const often = { everyMs: 1_000, times: 10 };
const seldomMs = 10_000;
/** Those heard of within this time are not new. */
const newAfterMs = 30_000;
const answerWithinMs = 50;

export class Multicast {
  readonly #options: MulticastOptions;
  readonly #group: { readonly address: string; readonly port: number };
  readonly #socket: Socket;
  readonly #heardAt = new Map<string, number>();
  #announced = 0;
  #cancel: () => void = () => {};
  #isAnswering = false;
  #isStopped = false;

  private constructor(options: MulticastOptions) {
    this.#options = options;
    this.#group = options.group ?? defaultGroup;
    this.#socket = createSocket({ type: 'udp4', reuseAddr: true });
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
    const socket = this.#socket;
    const here = this.#options.secret ? undefined : '127.0.0.1';
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(this.#group.port, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    socket.on('error', () => undefined);
    socket.addMembership(this.#group.address, here);
    if (here !== undefined) socket.setMulticastInterface(here);
    socket.setMulticastLoopback(true);
    socket.setMulticastTTL(1);
    socket.on('message', (datagram, from) => this.#received(datagram, from.address));
    this.#announce();
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
    const bytes = encodeAnnouncement(this.#options.own(), this.#options.secret);
    this.#socket.send(bytes, this.#group.port, this.#group.address, () => undefined);
  }

  #received(datagram: Uint8Array, from: string): void {
    const { secret, clock } = this.#options;
    if (!secret && !from.startsWith('127.')) return;
    const announcement = decodeAnnouncement(datagram, secret);
    const { cluster, node } = this.#options.own();
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
