/** Publishers of every kind at once, each in bursts at moments of its own. */
import type { Random } from '../../src/base/random.js';
import { seededRandom } from '../../src/base/random.js';
import type { Ledger } from '../checkers/ledger.js';
import { HttpPublisher } from '../clients/http-publisher.js';
import type { LoadPublisher } from '../clients/publisher.js';
import { RawPublisher } from '../clients/raw-publisher.js';
import { SdkPublisher } from '../clients/sdk-publisher.js';

export const channels = ['kills:a', 'kills:b', 'kills:c', 'kills:d'] as const;

export interface LoadOptions {
  readonly url: string;
  readonly hub: string;
  readonly seed: number;
  readonly ledger: Ledger;
  /** Lines between two kills: what bounds the run. */
  readonly linesPerLifeMax: number;
  readonly onProblem: (problem: string) => void;
}

const burstMax = 16;
const pauseMaxMs = 15;

export class Load {
  readonly publishers: readonly LoadPublisher[];
  readonly #options: LoadOptions;
  readonly #random: Random;
  readonly #timers = new Set<NodeJS.Timeout>();
  #linesAtStart = 0;
  #running = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.publishers = publishersFor(options, this.#random);
  }

  /** Lines that were sent and may still get an answer. */
  get waiting(): number {
    return this.publishers.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  start(): void {
    this.#running = true;
    for (const publisher of this.publishers) this.#next(publisher);
  }

  /** A life of the node begins. */
  newLife(): void {
    this.#linesAtStart = this.#options.ledger.published;
  }

  /** Nothing more is sent but what waits for its answer. */
  stop(): void {
    this.#running = false;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  close(): void {
    this.stop();
    for (const publisher of this.publishers) publisher.close();
  }

  #next(publisher: LoadPublisher): void {
    if (!this.#running) return;
    const used = this.#options.ledger.published - this.#linesAtStart;
    if (used < this.#options.linesPerLifeMax) publisher.burst(1 + Math.floor(burstMax * this.#random.next()));
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#next(publisher);
    }, pauseMaxMs * this.#random.next());
    this.#timers.add(timer);
  }
}

function publishersFor(options: LoadOptions, random: Random): LoadPublisher[] {
  const { url, hub, ledger, onProblem, seed } = options;
  const common = (name: string, channel: number) => ({
    name,
    url,
    hub,
    ledger,
    random,
    onProblem,
    channel: channels[channel]!,
  });
  const raw = (name: string, channel: number, kind: 'plain' | 'keyed' | 'numbered', linesPerFrame: number) =>
    new RawPublisher({ ...common(name, channel), kind, linesPerFrame, seed: seed + channel });
  return [
    new SdkPublisher({ ...common('sdk-1', 0) }),
    new SdkPublisher({ ...common('sdk-2', 1) }),
    raw('numbered-1', 0, 'numbered', 1),
    raw('numbered-2', 2, 'numbered', burstMax),
    raw('keyed-1', 1, 'keyed', 1),
    raw('keyed-2', 3, 'keyed', burstMax),
    raw('plain-1', 2, 'plain', 1),
    raw('plain-2', 0, 'plain', burstMax),
    new HttpPublisher({ ...common('http-1', 3), linesPerRequest: 1 }),
    new HttpPublisher({ ...common('http-2', 1), linesPerRequest: burstMax }),
  ];
}
