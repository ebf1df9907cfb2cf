/** The network between real nodes: each advertises a port of this process, which passes on what comes, TCP and UDP, until it
 *  is told to cut. What is cut is silent, as a cable that was pulled: connections stand and bring nothing, packets are gone.
 *
 *  Where a node is asked for its pulse it says by number alone, of the host that it advertises. So nodes listen at another address of
 *  this machine, where the system has more than one, and this process has those numbers at the one that they advertise.
 *
 *  A packet's sender is known by its port. Packets go on from the port that the sender advertises, so answers find back. */
import { type Socket as UdpSocket, createSocket } from 'node:dgram';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { limits } from '../../src/base/limits.js';
import { ownerOfConnection } from './socket-owner.js';

const host = '127.0.0.1';
/** Where nodes listen: on Linux every 127.x.y.z is this machine. */
export const nodeHost = process.platform === 'linux' ? '127.0.0.2' : host;
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
  /** For its pulse; none where nodes have no address of their own. */
  readonly pulses: UdpSocket | undefined;
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
  /** Nodes that connections bring nothing to and from. */
  readonly #stuck = new Set<string>();
  /** Packets that were passed on, and that were not. */
  passed = 0;
  dropped = 0;
  /** Of those that were passed on, questions for a pulse and answers to them. */
  pulses = 0;

  /** Opens a port for the node; resolves with it. */
  async add(node: ProxiedNode): Promise<number> {
    const server = createServer((near) => void this.#accept(node, near));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, host, resolve);
    });
    const { port } = server.address() as { port: number };
    const packets = await udpAt(port);
    packets.on('message', (bytes, from) => this.#packet(node, bytes, from.port));
    const pulsePort = node.port + limits.pulsePortAbove;
    const pulses = nodeHost === host ? undefined : await udpAt(pulsePort);
    pulses?.on('message', (bytes, from) => this.#pulse(node, bytes, from.port));
    this.#places.set(node.name, { node, port, server, packets, pulses });
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

  /** Connections between the node and any other stand and bring nothing; packets pass. */
  cutConnections(name: string): void {
    this.#stuck.add(name);
    this.#apply();
  }

  /** Everything passes again. */
  mend(): void {
    this.#cuts.clear();
    this.#deaf.clear();
    this.#stuck.clear();
    this.#apply();
  }

  /** The node is gone for good. */
  drop(name: string): void {
    const place = this.#places.get(name);
    this.#places.delete(name);
    place?.server.close();
    place?.packets.close();
    place?.pulses?.close();
  }

  close(): void {
    for (const { near, far } of this.#lines) for (const socket of [near, far]) socket.destroy();
    for (const { server, packets, pulses } of this.#places.values()) {
      server.close();
      packets.close();
      pulses?.close();
    }
  }

  async #accept(node: ProxiedNode, near: Socket): Promise<void> {
    near.pause();
    near.on('error', () => near.destroy());
    const from = await this.#whoDialled(node, near);
    if (near.destroyed) return;
    const far = connect(node.port, nodeHost);
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
      [a, b].some((name) => name !== undefined && this.#stuck.has(name)) ||
      (a === undefined || b === undefined
        ? [...this.#cuts].some((pair) => pair.split(' ').includes((a ?? b)!))
        : this.#cuts.has(`${a} ${b}`));
    for (const [source, sink, isStopped] of [
      [near, far, isCut(from, to)],
      [far, near, isCut(to, from)],
    ] as const) {
      if (isStopped || sink.writableNeedDrain) source.pause();
      else source.resume();
    }
  }

  #packet(to: ProxiedNode, bytes: Buffer, port: number): void {
    const from = this.#sender(to, ({ node }) => node.port === port);
    from?.packets.send(bytes, to.port, nodeHost);
  }

  #pulse(to: ProxiedNode, bytes: Buffer, port: number): void {
    const above = limits.pulsePortAbove;
    const from = this.#sender(to, ({ node }) => node.port + above === port);
    if (from) this.pulses++;
    from?.pulses?.send(bytes, to.port + above, nodeHost);
  }

  /** Of a packet that passes. */
  #sender(to: ProxiedNode, isFrom: (place: Place) => boolean): Place | undefined {
    const from = [...this.#places.values()].find(isFrom);
    const isDeaf = this.#deaf.has(to.name) || (from !== undefined && this.#deaf.has(from.node.name));
    if (!from || isDeaf || this.#cuts.has(`${from.node.name} ${to.name}`)) {
      this.dropped++;
      return undefined;
    }
    this.passed++;
    return from;
  }
}

async function udpAt(port: number): Promise<UdpSocket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, host, resolve);
  });
  return socket.on('error', () => {});
}
