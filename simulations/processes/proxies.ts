/** The network between real nodes: each advertises a port of this process, which passes on what comes, TCP and UDP, until it
 *  is told to cut. What is cut is silent, as a cable that was pulled: connections stand and bring nothing, packets are gone.
 *
 *  A packet's sender is known by its port. Packets go on from the port that the sender advertises, so answers find back. */
import { type Socket as UdpSocket, createSocket } from 'node:dgram';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ownerOfConnection } from './socket-owner.js';

const host = '127.0.0.1';
/** A process may be looked for before its table of sockets shows the connection. */
const ownerTries = 5;
const ownerPauseMs = 5;

export interface ProxiedNode {
  readonly name: string;
  /** Where the node listens itself. */
  readonly port: number;
  /** Of its process, while there is one. */
  readonly pid: () => number | undefined;
}

interface Place {
  readonly node: ProxiedNode;
  readonly port: number;
  readonly server: Server;
  readonly packets: UdpSocket;
}

interface Line {
  readonly from: string | undefined;
  readonly to: string;
  readonly near: Socket;
  readonly far: Socket;
}

export class Proxies {
  readonly #places = new Map<string, Place>();
  readonly #lines = new Set<Line>();
  /** Ordered pairs, as `from to`. */
  readonly #cuts = new Set<string>();
  /** Nodes that packets neither come from nor go to. */
  readonly #deaf = new Set<string>();
  /** Packets that were passed on, and that were not. */
  passed = 0;
  dropped = 0;

  /** Opens a port for the node; resolves with it. */
  async add(node: ProxiedNode): Promise<number> {
    const server = createServer((near) => void this.#accept(node, near));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, host, resolve);
    });
    const { port } = server.address() as { port: number };
    const packets = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      packets.once('error', reject);
      packets.bind(port, host, resolve);
    });
    packets.on('error', () => {});
    packets.on('message', (bytes, from) => this.#packet(node, bytes, from.port));
    this.#places.set(node.name, { node, port, server, packets });
    return port;
  }

  /** Nothing passes between the two, or with `oneWay` from the first to the second. */
  cut(a: string, b: string, oneWay = false): void {
    this.#cuts.add(`${a} ${b}`);
    if (!oneWay) this.#cuts.add(`${b} ${a}`);
    this.#apply();
  }

  /** Nothing passes between the node and any other. */
  isolate(name: string): void {
    for (const other of this.#places.keys()) if (other !== name) this.cut(name, other);
  }

  /** No packets of UDP pass between the node and any other; connections do. */
  cutPackets(name: string): void {
    this.#deaf.add(name);
  }

  /** Everything passes again. */
  mend(): void {
    this.#cuts.clear();
    this.#deaf.clear();
    this.#apply();
  }

  /** The node is gone for good. */
  drop(name: string): void {
    const place = this.#places.get(name);
    this.#places.delete(name);
    place?.server.close();
    place?.packets.close();
  }

  close(): void {
    for (const { near, far } of this.#lines) for (const socket of [near, far]) socket.destroy();
    for (const { server, packets } of this.#places.values()) {
      server.close();
      packets.close();
    }
  }

  async #accept(node: ProxiedNode, near: Socket): Promise<void> {
    near.pause();
    near.on('error', () => near.destroy());
    const from = await this.#whoDialled(node, near);
    if (near.destroyed) return;
    const far = connect(node.port, host);
    far.pause();
    far.on('error', () => near.destroy());
    const line = { from, to: node.name, near, far };
    this.#lines.add(line);
    near.on('data', (bytes) => this.#pass(far, near, bytes));
    far.on('data', (bytes) => this.#pass(near, far, bytes));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.setNoDelay(true);
      one.on('close', () => {
        other.destroy();
        this.#lines.delete(line);
      });
      one.on('end', () => other.end());
      one.on('drain', () => this.#flow(line));
    }
    this.#flow(line);
  }

  async #whoDialled(to: ProxiedNode, near: Socket): Promise<string | undefined> {
    const port = near.remotePort ?? 0;
    const nodes = [...this.#places.values()].map(({ node }) => node);
    const own = this.#places.get(to.name)!.port;
    for (let tries = 0; tries < ownerTries && !near.destroyed; tries++) {
      const pids = nodes.flatMap((node) => node.pid() ?? []);
      const owner = ownerOfConnection(port, own, pids);
      if (owner !== undefined) return nodes.find((node) => node.pid() === owner)?.name;
      await pause(ownerPauseMs);
    }
    return undefined;
  }

  #pass(to: Socket, from: Socket, bytes: Buffer): void {
    if (!to.write(bytes)) from.pause();
  }

  #apply(): void {
    for (const line of this.#lines) this.#flow(line);
  }

  /** Bytes that wait for a cut to end are not lost, as with TCP. Of a dialler that is not known all or nothing passes. */
  #flow({ from, to, near, far }: Line): void {
    const isCut = (a: string | undefined, b: string | undefined) =>
      a === undefined || b === undefined
        ? [...this.#cuts].some((pair) => pair.split(' ').includes((a ?? b)!))
        : this.#cuts.has(`${a} ${b}`);
    for (const [source, sink, isStopped] of [
      [near, far, isCut(from, to)],
      [far, near, isCut(to, from)],
    ] as const) {
      if (isStopped || sink.writableNeedDrain) source.pause();
      else source.resume();
    }
  }

  #packet(to: ProxiedNode, bytes: Buffer, port: number): void {
    const from = [...this.#places.values()].find(({ node }) => node.port === port);
    const isDeaf = this.#deaf.has(to.name) || (from !== undefined && this.#deaf.has(from.node.name));
    if (!from || isDeaf || this.#cuts.has(`${from.node.name} ${to.name}`)) {
      this.dropped++;
      return;
    }
    this.passed++;
    from.packets.send(bytes, to.port, host);
  }
}
