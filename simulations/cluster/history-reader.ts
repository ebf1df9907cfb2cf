/** An application that pages through a channel's history, each page from where the one before ended and at whichever node
 *  it is connected to then. What it was given is noted as a reader's. */
import type { Random } from '../../src/base/random.js';
import { crc32 } from 'node:zlib';
import { type Client, RinglogError, connect } from '../../src/client/index.js';
import { lineOf } from '../checkers/ledger.js';
import { between, shuffled } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { type Reader, type SeenAck, type SeenDot } from './record.js';
import { dotText } from './checkers/store-log.js';

export interface HistoryPlan {
  readonly name: string;
  readonly channel: string;
  /** Entries a page. */
  readonly limit: number;
  /** Between two pages, at most. */
  readonly pauseMs: number;
  /** Goes to another node after so many pages in the mean. */
  readonly pagesANode: number;
}

export class HistoryClient {
  readonly plan: HistoryPlan;
  readonly reader: Reader;
  readonly #world: ClientWorld;
  readonly #options: ClientOptions;
  readonly #random: Random;
  #client: Client;
  #cursor: string | undefined;
  #asked = 0;
  #stopped = false;

  constructor(world: ClientWorld, plan: HistoryPlan, options: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#options = options;
    this.#random = options.random;
    this.#client = this.#connect();
    const { name, channel } = plan;
    this.reader = { name, channel, start: 'beginning', phase: 'history', events: [] };
    world.record.readers.push(this.reader);
    this.#next();
  }

  close(): void {
    this.#stopped = true;
    void this.#client.close({ timeoutMs: 0 });
  }

  #connect(): Client {
    return connect({
      url: shuffled(this.#random, this.#options.urls),
      platform: this.#options.platform,
      reconnectMaxMs: this.#options.reconnectMaxMs,
    });
  }

  #next(): void {
    this.#world.line.after(between(this.#random, 0, this.plan.pauseMs), () => {
      if (this.#stopped) return;
      if (this.#random.next() * this.plan.pagesANode < 1) {
        void this.#client.close({ timeoutMs: 0 });
        this.#client = this.#connect();
      }
      this.#page().then(
        () => this.#next(),
        (error: unknown) => {
          // A page that no node could give is asked for again.
          if (error instanceof RinglogError) this.#next();
          else this.#world.broken(error);
        },
      );
    });
  }

  async #page(): Promise<void> {
    const { channel, limit } = this.plan;
    const including = this.#newestAcked();
    const options = {
      limit,
      timeoutMs: 5_000,
      ...(this.#cursor === undefined ? {} : { cursor: this.#cursor }),
      ...(including && { including: dotText(including) }),
    };
    const client = this.#client;
    const { entries, gaps, cursor, more } = await client.history(channel, options).page();
    if (this.#stopped || client !== this.#client) return;
    this.#cursor = cursor;
    const { events } = this.reader;
    const atMs = this.#world.line.monotonicMs();
    for (const { reason, ranges } of gaps)
      events.push({ type: 'gap', atMs, reason, ranges: ranges.map((range) => ({ ...range })) });
    for (const { dot, late, kind, bytes, timestamp, redacted: isRedacted } of entries) {
      const read = kind === 'publish' ? lineOf(bytes) : 0;
      const line = isRedacted ? this.#world.lineAt(channel, dot) : read;
      const seen = { dot: { writer: dot.writer, seq: dot.seq }, late, kind, line, timestamp, isRedacted };
      events.push({ type: 'entry', atMs, ...seen, crc: crc32(bytes) });
    }
    events.push({ type: 'page', atMs, more, ...(including && { including }) });
  }

  /** For every second page: as one would ask who wrote it. */
  #newestAcked(): SeenDot | undefined {
    if (this.#asked++ % 2 === 0) return undefined;
    const { record } = this.#world;
    const isOurs = ({ line, level }: SeenAck): boolean =>
      level !== 'memory' && record.of(line)?.channel === this.plan.channel;
    return record.acks.findLast((ack) => ack.dot && isOurs(ack))?.dot;
  }
}
