/** Sockets between clients and nodes: the SDK's `Platform.openSocket` on one side, the engine's sessions on the other. */
import type { Random } from '../../src/base/random.js';
import type { Result } from '../../src/base/result.js';
import { hubOf } from '../../src/client/address.js';
import type { Socket, SocketEvents } from '../../src/client/platform.js';
import type { OpenSession, OutFrame, SessionHandle, SessionSink } from '../../src/engine/api.js';
import { type Failure, errorCatalogue } from '../../src/protocol/errors.js';
import { type Life, type Machine } from '../world/machine.js';
import { Pipe } from './pipe.js';
import type { Weather } from './weather.js';

/** A node that takes connections. */
export interface ClientListener {
  readonly name: string;
  readonly life: Life;
  openSession(request: OpenSession): Result<SessionHandle, Failure>;
}

/** Sees every frame at the moment it is handed over. */
export interface FrameWitness {
  sentByNode(node: string, connection: number, frame: Uint8Array): void;
  sentByClient(client: string, connection: number, frame: Uint8Array): void;
}

type Down =
  | { readonly type: 'opened' }
  | { readonly type: 'frame'; readonly bytes: Uint8Array }
  | { readonly type: 'closed'; readonly code: number; readonly reason: string };

const anonymous = { actor: '', authenticated: false, admin: false } as const;
const abnormal = 1006;
/** Node tells of room again when what it holds for a socket has gone, if it was more than this. */
const drainBytes = 16_384;

export class ClientNetwork {
  readonly weather: Weather;
  readonly random: Random;
  readonly witness: FrameWitness;
  readonly #listeners = new Map<string, ClientListener>();
  readonly #connections = new Set<Connection>();
  #made = 0;
  /** The most bytes that ever waited in one connection. */
  mostBuffered = 0;

  constructor(weather: Weather, random: Random, witness: FrameWitness) {
    this.weather = weather;
    this.random = random;
    this.witness = witness;
  }

  listen(host: string, listener: ClientListener): void {
    this.#listeners.set(host, listener);
  }

  /** New connections are refused; those there are go on. */
  unlisten(host: string): void {
    this.#listeners.delete(host);
  }

  listener(host: string): ClientListener | undefined {
    return this.#listeners.get(host);
  }

  open(client: string, machine: Machine, url: string, events: SocketEvents): Socket {
    const connection = new Connection(
      this,
      { client, machine, host: hostOf(url), hub: hubOf(url, undefined, 'default'), events },
      ++this.#made,
    );
    this.#connections.add(connection);
    connection.dial();
    return {
      send: (frame) => connection.sendUp(frame),
      close: () => connection.closedByClient(),
    };
  }

  /** The process of a node is gone. Its system says so at once, or, if that is gone as well, much later. */
  nodeGone(node: string, isSilent: boolean): void {
    for (const connection of this.#connections)
      if (connection.node === node)
        connection.lose(isSilent ? this.random.next() * 30_000 : this.weather.delayMs());
  }

  /** Cuts some connections at this moment; returns how many. */
  cut(share: number, isOfNode: (node: string) => boolean = () => true): number {
    let cut = 0;
    for (const connection of this.#connections) {
      if (connection.node === undefined || !isOfNode(connection.node)) continue;
      if (this.random.next() >= share) continue;
      connection.lose(this.weather.delayMs());
      cut++;
    }
    return cut;
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }
}

interface ClientSide {
  readonly client: string;
  readonly machine: Machine;
  readonly host: string;
  readonly hub: string;
  readonly events: SocketEvents;
}

class Connection implements SessionSink {
  /** Set once a node has taken it. */
  node: string | undefined;
  readonly #network: ClientNetwork;
  readonly #side: ClientSide;
  readonly #number: number;
  #up: Pipe<Uint8Array> | undefined;
  #down: Pipe<Down> | undefined;
  #handle: SessionHandle | undefined;
  #life: Life | undefined;
  #closedByNode = false;
  #ended = false;
  #isFull = false;

  constructor(network: ClientNetwork, side: ClientSide, number: number) {
    this.#network = network;
    this.#side = side;
    this.#number = number;
  }

  // --- the client's end

  /** Asks again while nothing gets through; the client gives up by itself. */
  dial(): void {
    const { weather } = this.#network;
    const { client, host } = this.#side;
    weather.line.after(weather.delayMs(), () => {
      if (this.#ended) return;
      const name = this.#network.listener(host)?.name ?? host;
      if (weather.isBlocked(client, name)) weather.line.after(1_000, () => this.dial());
      else this.#reach(this.#network.listener(host));
    });
  }

  #reach(listener: ClientListener | undefined): void {
    if (!listener) return this.#endClient(abnormal, '', this.#network.weather.delayMs());
    listener.life.run(() => this.#accept(listener));
  }

  sendUp(frame: Uint8Array): void {
    if (!this.#up || this.#ended) return;
    const copy = frame.slice();
    this.#network.witness.sentByClient(this.#side.client, this.#number, copy);
    this.#up.send(copy, copy.length);
  }

  closedByClient(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#side.events.closed(1000, '');
    // What it sent before still arrives.
    const { weather } = this.#network;
    weather.line.after(weather.delayMs() + weather.conditions.jitterMs, () => this.#endNode());
  }

  #endClient(code: number, reason: string, afterMs: number): void {
    this.#network.weather.line.after(afterMs, () =>
      this.#side.machine.run(() => {
        if (this.#ended) return;
        this.#ended = true;
        this.#side.events.closed(code, reason);
      }),
    );
  }

  #received(down: Down): void {
    this.#drained();
    this.#side.machine.run(() => {
      if (this.#ended) return;
      if (down.type === 'opened') this.#side.events.opened();
      else if (down.type === 'frame') this.#side.events.received(down.bytes);
      else {
        this.#ended = true;
        this.#side.events.closed(down.code, down.reason);
        this.#endNode();
      }
    });
  }

  // --- the node's end

  #accept(listener: ClientListener): void {
    if (this.#ended) return;
    const { weather } = this.#network;
    const { client, hub } = this.#side;
    const { name, life } = listener;
    this.node = name;
    this.#life = life;
    const timedOut = (): void => this.lose(0);
    this.#up = new Pipe(weather, {
      from: client,
      to: name,
      receive: (bytes) => life.run(() => this.#closedByNode || this.#handle?.receive(bytes)),
      timedOut,
    });
    this.#down = new Pipe(weather, {
      from: name,
      to: client,
      receive: (down) => this.#received(down),
      timedOut,
    });
    this.#down.send({ type: 'opened' }, 0);
    const opened = listener.openSession({
      hub,
      encoding: 'protobuf',
      principal: anonymous,
      sink: this,
      remote: client,
    });
    if (opened.ok) this.#handle = opened.value;
    else this.close(closeCodeOf(opened.error), `${opened.error.code}: ${opened.error.message}`);
  }

  get bufferedBytes(): number {
    return this.#down?.bytes ?? 0;
  }

  write(frames: readonly OutFrame[]): void {
    if (this.#closedByNode || !this.#life?.alive) return;
    for (const { bytes } of frames) {
      this.#network.witness.sentByNode(this.node!, this.#number, bytes);
      this.#down?.send({ type: 'frame', bytes: bytes.slice() }, bytes.length);
    }
    this.#network.mostBuffered = Math.max(this.#network.mostBuffered, this.bufferedBytes);
    if (this.bufferedBytes > drainBytes) this.#isFull = true;
  }

  close(code: number, reason: string): void {
    if (this.#closedByNode || !this.#life?.alive) return;
    this.#closedByNode = true;
    this.#down?.send({ type: 'closed', code, reason }, 0);
  }

  #drained(): void {
    if (!this.#isFull || this.bufferedBytes > 0) return;
    this.#isFull = false;
    this.#life?.run(() => this.#closedByNode || this.#handle?.drained());
  }

  /** The connection is gone without a word; each side learns of it in its own time. */
  lose(afterMs: number): void {
    this.#endClient(abnormal, '', afterMs);
    const { line } = this.#network.weather;
    // A node may go on for a while with a client that is no more.
    line.after(this.#network.random.next() < 0.8 ? 1 : this.#network.random.next() * 5_000, () =>
      this.#endNode(),
    );
    this.#up?.close();
    this.#down?.close();
  }

  #endNode(): void {
    this.#up?.close();
    this.#down?.close();
    this.#network.forget(this);
    const handle = this.#handle;
    this.#handle = undefined;
    if (!this.#closedByNode && handle) this.#life?.run(() => handle.disconnected());
    this.#closedByNode = true;
  }
}

function hostOf(url: string): string {
  return /^\w+:\/\/([^/]+)/.exec(url)?.[1] ?? url;
}

/** As the gateway closes what it cannot open. */
function closeCodeOf({ code }: Failure): number {
  const { status, close }: { status: number; close?: number } = errorCatalogue[code];
  return close ?? (status >= 500 || status === 429 ? 4500 : 4400);
}
