/** Applications without the SDK whose sessions are kept: they subscribe and unsubscribe, lose their connection, and offer their key
 *  at one node or at several at once, and now and then one that they have used. What came back is noted beside what may. */
import { fromHex, toHex } from '../../src/base/bytes.js';
import type { HubName } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import { webSocketUrl } from '../../src/client/address.js';
import type { Socket } from '../../src/client/platform.js';
import { encodeClientFrame } from '../../src/protocol/client-encoder.js';
import type { OutgoingMessage, ServerEvent } from '../../src/protocol/messages.js';
import { decodeServerFrame } from '../../src/protocol/server-decoder.js';
import { chanceFor, logBetween, pick, shuffled } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { atRandomTimes } from './lives.js';

export interface RestorePlan {
  readonly name: string;
  readonly channels: readonly string[];
  readonly movesPerMinute: number;
}

/** In few runs. */
export function drawRestores(seed: number, channels: readonly string[]): RestorePlan[] {
  const random = chanceFor(seed, 'restores');
  if (random.next() < 0.7) return [];
  const movesPerMinute = logBetween(random, 4, 60);
  return Array.from({ length: pick(random, [1, 2, 4]) }, (_, i) => ({
    name: `k${i + 1}`,
    channels: [...channels, 'kept:1', 'kept:2', 'kept:3'],
    movesPerMinute,
  }));
}

/** An answer that does not come is not waited for any longer. */
const answerMs = 10_000;
/** A connection on which nothing is heard: longer than between two heartbeats of any node. */
const silentMs = 45_000;
const againMs = 300;

/** One connection. */
interface Line {
  readonly socket: Socket;
  isOpen: boolean;
}

export class RestoreClient {
  readonly plan: RestorePlan;
  readonly #world: ClientWorld;
  readonly #options: ClientOptions;
  readonly #random: Random;
  #line: Line | undefined;
  #key: string | undefined;
  readonly #used: string[] = [];
  /** What it may be subscribed to as far as it knows: each state since the one that is known to be kept. */
  #states: string[][] = [[]];
  #kept = new Set<string>();
  #isAsking = false;
  #isOffering = false;
  #isLast = false;
  #stopped = false;
  #isClosed = false;
  /** What came of the last key, offered once nothing went wrong any more. */
  last: 'restored' | 'refused' | undefined;

  constructor(world: ClientWorld, plan: RestorePlan, options: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#options = options;
    this.#random = options.random;
    this.#begin();
    const perSecond = plan.movesPerMinute / 60;
    atRandomTimes(
      world.line,
      this.#random,
      perSecond,
      () => this.#move(),
      () => this.#stopped,
    );
  }

  /** It stays where it is. */
  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.stop();
    this.#isClosed = true;
    this.#line?.socket.close(1000, '');
  }

  /** Its session is kept, as it is. */
  get isAtRest(): boolean {
    const now = this.#states.at(-1)!;
    const isKept = now.length === this.#kept.size && now.every((channel) => this.#kept.has(channel));
    return this.#line?.isOpen === true && this.#key !== undefined && !this.#isAsking && isKept;
  }

  /** Loses its connection, and offers its key once. */
  offerLast(): void {
    this.#isLast = true;
    this.#drop();
  }

  #move(): void {
    const what = pick(this.#random, ['toggle', 'toggle', 'toggle', 'drop', 'replay']);
    if (what === 'replay') return this.#replay();
    if (this.#isOffering || !this.#line?.isOpen) return;
    if (what === 'drop') return this.#drop();
    if (!this.#isAsking) this.#toggle(pick(this.#random, this.plan.channels));
  }

  /** One at a time, so that its states have an order. */
  #toggle(channel: string): void {
    const now = this.#states.at(-1)!;
    const isIn = now.includes(channel);
    this.#isAsking = true;
    this.#states.push(isIn ? now.filter((each) => each !== channel) : [...now, channel]);
    this.#send(
      this.#line!,
      isIn
        ? { type: 'unsubscribe', channels: [channel] }
        : { type: 'subscribe', channels: [{ channel, start: { type: 'live' } }] },
    );
  }

  #drop(): void {
    this.#world.trace.add(`${this.plan.name} drops`);
    const line = this.#line;
    this.#line = undefined;
    line?.socket.close(4000, 'lost');
    this.#comeBack();
  }

  /** A key that was used, at any node: it restores nothing. */
  #replay(): void {
    const [key] = shuffled(this.#random, this.#used);
    if (key === undefined) return;
    const line = this.#dial(pick(this.#random, this.#options.urls), {
      opened: () => this.#send(line, { type: 'sessionRestore', key: fromHex(key), cursors: [] }),
      received: (event) => {
        if (event.type === 'sessionRestored') this.#note(key, event.results, undefined);
        if (event.type === 'sessionRestored' || event.type === 'error') line.socket.close(4000, 'seen');
      },
      lost: () => {},
    });
  }

  // Coming back.

  #comeBack(): void {
    const key = this.#key;
    this.#isAsking = false;
    if (key === undefined) return this.#later(() => this.#begin());
    this.#key = undefined;
    this.#used.push(key);
    this.#isOffering = true;
    const urls = shuffled(this.#random, this.#options.urls);
    const some = this.#isLast ? 1 : pick(this.#random, [1, 1, 2, 3]);
    const allowed = this.#states;
    this.#later(() => this.#offer(key, urls.slice(0, some), allowed));
  }

  #offer(key: string, urls: readonly string[], allowed: readonly string[][]): void {
    let open = urls.length;
    let isOver = false;
    /** Refused, lost, or too late. */
    const without = (): void => {
      if (--open > 0 || isOver) return;
      isOver = true;
      this.#isOffering = false;
      if (this.#isLast) this.last = 'refused';
      this.#begin();
    };
    for (const url of urls) {
      let isAnswered = false;
      const answered = (): boolean => !isAnswered && (isAnswered = true);
      const line: Line = this.#dial(url, {
        opened: () => this.#send(line, { type: 'sessionRestore', key: fromHex(key), cursors: [] }),
        received: (event) => {
          if (this.#line === line) return this.#received(line, event);
          if (event.type === 'error' && answered()) {
            line.socket.close(4000, 'refused');
            without();
          }
          if (event.type !== 'sessionRestored' || !answered()) return;
          this.#note(key, event.results, allowed);
          const isFirst = !isOver;
          isOver = true;
          if (!isFirst) return line.socket.close(4000, 'not needed');
          this.#restored(line, event);
        },
        lost: () => {
          if (answered()) without();
          if (this.#line === line) this.#lost();
        },
      });
      this.#world.line.after(answerMs, () => {
        if (answered()) without();
      });
    }
  }

  #restored(line: Line, { key, results }: Extract<ServerEvent, { type: 'sessionRestored' }>): void {
    this.#world.trace.add(`${this.plan.name} is restored`);
    this.#isOffering = false;
    this.#line = line;
    this.#key = toHex(key);
    this.#kept = new Set(results.map(({ channel }) => channel));
    const there = results.filter(({ error }) => !error).map(({ channel }) => channel);
    this.#states = [[...this.#kept], there];
    this.#tidy();
    if (this.#isLast) this.last = 'restored';
  }

  #note(
    key: string,
    results: readonly { readonly channel: string }[],
    allowed: readonly string[][] | undefined,
  ): void {
    const channels = results.map(({ channel }) => channel);
    this.#world.record.restores.push({ client: this.plan.name, key, channels, allowed });
  }

  /** A new session, which is to be kept. */
  #begin(): void {
    if (this.#isLast) return;
    this.#states = [[]];
    this.#kept.clear();
    const line: Line = this.#dial(pick(this.#random, this.#options.urls), {
      opened: () => this.#send(line, { type: 'sessionRestore', cursors: [] }),
      received: (event) => this.#received(line, event),
      lost: () => this.#line === line && this.#lost(),
    });
    this.#line = line;
  }

  #lost(): void {
    this.#line = undefined;
    this.#comeBack();
  }

  #received(line: Line, event: ServerEvent): void {
    if (this.#line !== line) return;
    if (event.type === 'sessionKept') {
      if (event.key) this.#key = toHex(event.key);
      for (const channel of event.added) this.#kept.add(channel);
      for (const channel of event.dropped) this.#kept.delete(channel);
      this.#tidy();
    } else if (event.type === 'subscribe' || event.type === 'unsubscribe') {
      this.#isAsking = false;
      // Nobody serves the channel now: it is as before.
      if (event.results.some(({ error }) => error)) this.#states.push(this.#states.at(-2)!);
    } else if (event.type === 'error' && event.error.channel === undefined) {
      // It is not kept, or cannot be served: anew.
      line.socket.close(4000, 'again');
    }
  }

  /** Forgets states of before the one that is kept. */
  #tidy(): void {
    const kept = [...this.#kept].sort().join();
    const at = this.#states.findIndex((state) => state.toSorted().join() === kept);
    if (at > 0) this.#states = this.#states.slice(at);
  }

  // Connections.

  #dial(url: string, events: { opened(): void; received(event: ServerEvent): void; lost(): unknown }): Line {
    let isOver = false;
    let heardMs = this.#world.line.monotonicMs();
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      line.isOpen = false;
      events.lost();
    };
    const watch = (): void => {
      const waitMs = line.isOpen ? silentMs : answerMs;
      const leftMs = heardMs + waitMs - this.#world.line.monotonicMs();
      if (isOver) return;
      if (leftMs <= 0) line.socket.close(4000, 'silent');
      else this.#world.line.after(leftMs, watch);
    };
    this.#world.line.after(answerMs, watch);
    const socket = this.#options.platform.openSocket(webSocketUrl(url, hub), 'ringlog.v1.protobuf', {
      opened: () => {
        line.isOpen = true;
        events.opened();
      },
      received: (frame) => {
        heardMs = this.#world.line.monotonicMs();
        const decoded = decodeServerFrame('protobuf', frame, hub as HubName);
        if (!decoded.ok) return this.#world.broken(new Error(`${this.plan.name} cannot read a frame`));
        for (const { event } of decoded.value) {
          if (event.type === 'ping') this.#send(line, { type: 'pong' });
          else if (!isOver) events.received(event);
        }
      },
      closed: over,
    });
    const line: Line = {
      isOpen: false,
      socket: {
        send: (frame) => socket.send(frame),
        close: (code, reason) => {
          socket.close(code, reason);
          over();
        },
      },
    };
    return line;
  }

  #send(line: Line, message: OutgoingMessage): void {
    line.socket.send(encodeClientFrame('protobuf', [{ requestId: 1, message }]));
  }

  #later(what: () => void): void {
    this.#world.line.after(this.#random.next() * againMs, () => {
      if (!this.#isClosed) what();
    });
  }
}

const hub = 'default';
