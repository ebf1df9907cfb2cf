/** What is said: days of IRC, each a channel of its own, said at once and over again until somebody ends it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterRecord, Publish } from '../../simulations/cluster/record.js';
import { SteadyPublisher } from '../../simulations/processes/publisher.js';
import { type IrcLine, type LineSource, InputError, channelOf } from '../irc-replay/lines.js';

export const channelCount = 4;
const windowMax = 64;
/** Of one day: more is said than the demonstration lasts for. */
const linesADayMax = 20_000;

export interface TalkOptions {
  readonly source: LineSource;
  readonly urls: readonly string[];
  readonly seed: number;
  readonly speed: number;
  readonly record: ClusterRecord;
  readonly onAck: (publish: Publish) => void;
  readonly onProblem: (problem: string) => void;
}

interface Day {
  readonly channel: string;
  readonly lines: readonly IrcLine[];
  readonly publisher: SteadyPublisher;
  next: number;
}

export class Talk {
  readonly #options: TalkOptions;
  readonly #days: readonly Day[];
  #isEnding = false;
  #said = Promise.resolve();

  private constructor(options: TalkOptions, days: readonly Day[]) {
    this.#options = options;
    this.#days = days;
  }

  static async from(options: TalkOptions): Promise<Talk> {
    const days = new Map<string, IrcLine[]>();
    for await (const line of options.source()) {
      const lines = days.get(line.day) ?? [];
      if (lines.length === 0 && days.size === channelCount) break;
      days.set(line.day, lines);
      if (lines.length < linesADayMax) lines.push(line);
    }
    if (days.size === 0) throw new InputError('nothing is said in the input');
    const publishers = [...days].map(([day, lines], i): Day => {
      const channel = `${channelOf(lines[0]!.channel)}:${day}`;
      const { urls, record, onAck, onProblem, seed } = options;
      // Each begins at another node.
      const own = [...urls.slice(i % urls.length), ...urls.slice(0, i % urls.length)];
      const name = `publisher-${i + 1}`;
      const common = { hub: 'default', channel, windowMax, seed: seed + i, record, onAck, onProblem };
      return { channel, lines, next: 0, publisher: new SteadyPublisher({ name, urls: own, ...common }) };
    });
    return new Talk(options, publishers);
  }

  get channels(): readonly string[] {
    return this.#days.map(({ channel }) => channel);
  }

  /** Lines on their way. */
  get waiting(): number {
    return this.#days.reduce((sum, { publisher }) => sum + publisher.waiting, 0);
  }

  start(): void {
    this.#said = this.#say();
  }

  /** Says no more. What is on its way is still seen to. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#said;
  }

  close(): void {
    this.#isEnding = true;
    for (const { publisher } of this.#days) publisher.close();
  }

  /** Who has too much on the way waits: the others go on. */
  async #say(): Promise<void> {
    const begun = performance.now();
    const perMs = this.#options.speed / 1_000;
    for (let turn = 0; !this.#isEnding; turn++) {
      while (!this.#isEnding && turn / perMs > performance.now() - begun) await pause(2);
      const day = this.#days[turn % this.#days.length]!;
      if (!day.publisher.hasRoom) continue;
      const { nick, time, kind, text } = day.lines[day.next++ % day.lines.length]!;
      day.publisher.publish({ nick, time, kind, text });
    }
  }
}
