/** A client and a node in one process without a network or a clock: frames, timers and losses happen when the test, or
 *  a seed, says so. */
import { seededRandom } from '../../src/base/random.js';
import { type Client, type ConnectOptions, type RinglogError, connect } from '../../src/client/index.js';
import type { Platform, Socket, SocketEvents } from '../../src/client/platform.js';
import { FakeNode, FakeSession } from './fake-node.js';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** One socket with the frames that are on their way. */
export class Wire {
  readonly toNode: Uint8Array[] = [];
  readonly toClient: (Uint8Array | { readonly code: number; readonly reason: string })[] = [];
  session: FakeSession | undefined;
  state: 'dialling' | 'open' | 'closed' = 'dialling';
  /** What the client's system says of it. */
  bytesReceived = 0;
  constructor(
    readonly url: string,
    readonly events: SocketEvents,
  ) {}
}

export class World {
  readonly node = new FakeNode();
  readonly wires: Wire[] = [];
  readonly thrown: unknown[] = [];
  /** Nobody answers. */
  unreachable = false;
  #nowMs = 0;
  #timers = new Set<Timer>();
  #soon: (() => void)[] = [];
  readonly platform: Platform;

  constructor(seed = 1) {
    this.platform = {
      nowMs: () => this.#nowMs,
      unixMs: () => 1_700_000_000_000 + this.#nowMs,
      after: (delayMs, callback) => {
        const timer = { atMs: this.#nowMs + delayMs, callback };
        this.#timers.add(timer);
        return () => void this.#timers.delete(timer);
      },
      soon: (callback) => void this.#soon.push(callback),
      random: seededRandom(seed),
      openSocket: (url, _subprotocol, events) => this.#open(url, events),
      report: (error) => void this.thrown.push(error),
    };
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get timers(): number {
    return this.#timers.size;
  }

  connect(options: Partial<ConnectOptions> = {}): Client {
    return connect({ url: 'http://node.test', platform: this.platform, ...options });
  }

  /** The connection there is. */
  get wire(): Wire | undefined {
    return this.wires.findLast(({ state }) => state !== 'closed');
  }

  /** Promises and what was put off to the end of the turn. */
  async turn(): Promise<void> {
    for (let i = 0; i < 5; i++) await Promise.resolve();
    for (const callback of this.#soon.splice(0)) callback();
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  /** Everything that needs no time to pass. */
  async settle(): Promise<void> {
    do {
      await this.turn();
    } while (this.wires.some((wire) => this.step(wire)) || this.#soon.length > 0);
  }

  /** Lets time pass, and everything with it. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    for (;;) {
      const next = this.#nextTimer();
      if (!next || next.atMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.delete(next);
      next.callback();
      await this.settle();
    }
    this.#nowMs = endMs;
  }

  /** The next timer fires, however far it is. */
  fireNext(): boolean {
    const next = this.#nextTimer();
    if (!next) return false;
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    this.#timers.delete(next);
    next.callback();
    return true;
  }

  /** One frame or event of a connection arrives; false when nothing is on its way. */
  step(wire: Wire, towards: 'node' | 'client' | 'any' = 'any'): boolean {
    if (wire.state === 'dialling') return this.#dial(wire);
    if (wire.state === 'closed') return false;
    const frame = towards === 'client' ? undefined : wire.toNode.shift();
    if (frame) {
      if (wire.session) this.node.received(wire.session, frame);
      return true;
    }
    const event = towards === 'node' ? undefined : wire.toClient.shift();
    if (!event) return false;
    if (event instanceof Uint8Array) wire.events.received(event);
    else this.#ended(wire, event.code, event.reason);
    return true;
  }

  /** Two frames for the client become one, which the protocol allows. */
  join(wire: Wire): void {
    const [first, second] = wire.toClient;
    if (!(first instanceof Uint8Array) || !(second instanceof Uint8Array)) return;
    wire.toClient.splice(0, 2, Uint8Array.from([...first, ...second]));
  }

  /** The connection breaks: what is on its way is lost. */
  cut(wire = this.wire, code = 1006): void {
    if (!wire || wire.state === 'closed') return;
    if (wire.session) this.node.gone(wire.session);
    this.#ended(wire, code, '');
  }

  /** The node's process ends and another one starts on its disk. */
  restart(): void {
    for (const wire of this.wires) this.cut(wire);
    this.node.restart();
  }

  #open(url: string, events: SocketEvents): Socket {
    const wire = new Wire(url, events);
    this.wires.push(wire);
    return {
      send: (frame) => {
        if (wire.state === 'open') wire.toNode.push(frame);
      },
      close: (code, reason) => {
        if (wire.state === 'closed') return;
        for (const frame of wire.toNode.splice(0)) if (wire.session) this.node.received(wire.session, frame);
        if (wire.session) this.node.gone(wire.session);
        this.#ended(wire, code, reason);
      },
      bytesReceived: () => wire.bytesReceived,
    };
  }

  #dial(wire: Wire): boolean {
    if (this.unreachable) {
      this.#ended(wire, 1006, '');
      return true;
    }
    wire.state = 'open';
    wire.session = new FakeSession(
      (frame) => void wire.toClient.push(frame),
      (code, reason) => void wire.toClient.push({ code, reason }),
    );
    wire.events.opened();
    this.node.connected(wire.session);
    return true;
  }

  #ended(wire: Wire, code: number, reason: string): void {
    wire.state = 'closed';
    wire.toNode.length = 0;
    wire.toClient.length = 0;
    wire.events.closed(code, reason);
  }

  #nextTimer(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (!next || timer.atMs < next.atMs) next = timer;
    return next;
  }
}

/** The error of a promise that must fail. */
export const errorOf = (promise: Promise<unknown>): Promise<RinglogError> =>
  promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error as RinglogError,
  );
