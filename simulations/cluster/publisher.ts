/** An application that publishes through the SDK, and notes what it was told. */
import type { Random } from '../../src/base/random.js';
import { type Client, RinglogError, connect } from '../../src/client/index.js';
import { between, pick } from './chance.js';
import type { Level, Publish } from './record.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { Lives } from './lives.js';

export interface PublisherPlan {
  readonly name: string;
  /** Keeps its name and goes on over restarts of itself. */
  readonly isNamed: boolean;
  readonly channels: readonly string[];
  readonly perSecond: number;
  readonly burstMax: number;
  readonly payloadBytesMax: number;
  /** One of them each time; `undefined` is the channel's. */
  readonly levels: readonly (Level | undefined)[];
  readonly degrade: boolean;
  readonly timeoutMs: number;
  /** How often it gives up its client and starts anew. */
  readonly restartsPerMinute: number;
}

export class Publisher {
  readonly plan: PublisherPlan;
  readonly #world: ClientWorld;
  readonly #random: Random;
  readonly #lives: Lives;

  constructor(world: ClientWorld, plan: PublisherPlan, options: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#random = options.random;
    this.#lives = new Lives({
      line: world.line,
      random: options.random,
      actsPerSecond: plan.perSecond,
      restartsPerMinute: plan.restartsPerMinute,
      connect: () => this.#connect(options),
      act: () => this.#burst(),
    });
    this.#lives.start();
  }

  /** Publishes nothing more by itself. */
  stop(): void {
    this.#lives.stop();
  }

  close(): void {
    this.#lives.close();
  }

  #connect({ urls: url, platform, reconnectMaxMs }: ClientOptions): Client {
    const { name, isNamed, timeoutMs } = this.plan;
    const named = isNamed ? { publisherId: name, publisherEpoch: this.#lives.number } : {};
    return connect({ url, platform, reconnectMaxMs, publishTimeoutMs: timeoutMs, ...named });
  }

  #burst(): void {
    const burst = 1 + Math.floor(this.#random.next() * this.plan.burstMax);
    for (let i = 0; i < burst; i++) this.publish(pick(this.#random, this.plan.channels));
  }

  publish(channel: string, level = pick(this.#random, this.plan.levels)): Publish {
    const { plan } = this;
    const { record } = this.#world;
    // A restarted publisher without a name is another one.
    const publisher = `${plan.name}/${this.#lives.number}`;
    const publish = record.publish({
      channel,
      publisher,
      level,
      degrade: plan.degrade,
      sentMs: this.#world.line.monotonicMs(),
    });
    const filler = 'x'.repeat(Math.floor(between(this.#random, 0, plan.payloadBytesMax)));
    this.#lives.client
      .publish(channel, { line: publish.line, filler }, { ...(level && { level }), degrade: plan.degrade })
      .then(
        (published) => {
          publish.dot = published.dot && { writer: published.dot.writer, seq: published.dot.seq };
          publish.reached = published.level;
          publish.copies = published.copies;
          publish.duplicate = published.duplicate;
          publish.timestamp = published.timestamp;
          this.#settle(publish, 'acked', '');
        },
        (error: unknown) => {
          if (!(error instanceof RinglogError)) return this.#world.broken(error);
          return this.#settle(publish, error.outcome, error.code);
        },
      );
    return publish;
  }

  #settle(publish: Publish, outcome: Publish['outcome'], code: string): void {
    publish.outcome = outcome;
    publish.code = code;
    publish.settledMs = this.#world.line.monotonicMs();
    this.#world.trace.add(`${outcome} ${code}`, publish.line);
  }
}
