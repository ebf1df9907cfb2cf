/** An application that reads one or more channels through the SDK, and notes what it was given. Now and then another
 *  client takes its place, with nothing but its cursors. */
import type { Random } from '../../src/base/random.js';
import { crc32 } from 'node:zlib';
import { type Client, type Message, type Subscription, connect } from '../../src/client/index.js';
import { lineOf } from '../checkers/ledger.js';
import { shuffled } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { atRandomTimes } from './lives.js';
import type { Reader } from './record.js';

export interface ReaderPlan {
  readonly name: string;
  readonly channels: readonly string[];
  readonly start: 'live' | 'beginning';
  readonly phase: Reader['phase'];
  /** How often a new client takes over. */
  readonly handOversPerMinute: number;
  /** Its session comes back after a lost connection. */
  readonly isRestored?: boolean;
}

interface Place {
  readonly reader: Reader;
  subscription: Subscription;
}

export class ReaderClient {
  readonly plan: ReaderPlan;
  readonly places: Place[] = [];
  readonly #world: ClientWorld;
  readonly #options: ClientOptions;
  readonly #random: Random;
  #client: Client;
  #stopped = false;

  constructor(world: ClientWorld, plan: ReaderPlan, options: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#options = options;
    this.#random = options.random;
    this.#client = this.#connect();
    for (const channel of plan.channels) {
      const reader = { name: plan.name, channel, start: plan.start, phase: plan.phase, events: [] };
      world.record.readers.push(reader);
      this.places.push({ reader, subscription: this.#subscribe(reader, plan.start) });
    }
    const perSecond = plan.handOversPerMinute / 60;
    atRandomTimes(
      world.line,
      this.#random,
      perSecond,
      () => this.handOver(),
      () => this.#stopped,
    );
  }

  close(): void {
    this.#stopped = true;
    void this.#client.close({ timeoutMs: 0 });
  }

  /** Every place has been subscribed to at least once. */
  get isStarted(): boolean {
    return this.places.every(({ reader }) => reader.events.some(({ type }) => type === 'subscribed'));
  }

  #connect(): Client {
    return connect({
      url: shuffled(this.#random, this.#options.urls),
      platform: this.#options.platform,
      reconnectMaxMs: this.#options.reconnectMaxMs,
      restore: this.plan.isRestored ?? false,
    });
  }

  handOver(): void {
    const cursors = this.places.map(({ subscription }) => subscription.cursor);
    void this.#client.close({ timeoutMs: 0 });
    this.#client = this.#connect();
    this.#world.trace.add(`${this.plan.name} hands over`);
    this.places.forEach((place, i) => {
      const cursor = cursors[i];
      // Nothing was ever confirmed: as good as never started.
      const start = cursor === undefined ? place.reader.start : { cursor };
      place.subscription = this.#subscribe(place.reader, start);
    });
  }

  #subscribe(reader: Reader, start: 'live' | 'beginning' | { readonly cursor: string }): Subscription {
    const { events } = reader;
    const now = (): number => this.#world.line.monotonicMs();
    const subscription = this.#client.subscribe(reader.channel, {
      start,
      onEntry: (message) => this.#entry(reader, message),
      onGap: ({ reason, ranges }) => {
        this.#world.trace.tell(`${reader.name} gets a gap in ${reader.channel}: ${reason}`);
        events.push({ type: 'gap', atMs: now(), reason, ranges: ranges.map((range) => ({ ...range })) });
      },
    });
    subscription.on('subscribed', ({ resumed }) => {
      events.push({ type: 'subscribed', atMs: now(), resumed });
      this.#world.trace.add(`${reader.name} subscribed`);
    });
    subscription.on('error', (error) => {
      if (error.code !== 'CLOSED')
        this.#world.broken(new Error(`${reader.name}: ${error.code}: ${error.message}`));
    });
    return subscription;
  }

  #entry(reader: Reader, message: Message): void {
    if (message.retained) return;
    const { dot, late, kind, bytes, timestamp, redacted: isRedacted } = message;
    reader.events.push({
      type: 'entry',
      atMs: this.#world.line.monotonicMs(),
      dot: { writer: dot.writer, seq: dot.seq },
      late,
      kind,
      line: isRedacted ? this.#world.lineAt(reader.channel, dot) : kind === 'publish' ? lineOf(bytes) : 0,
      isRedacted,
      timestamp,
      crc: crc32(bytes),
    });
    this.#world.trace.add(`${reader.name} ${message.id}`);
  }
}
