/** Publishes what was said: a session of its own for each nick on each day, every line in its turn. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, connect } from 'ringlog/client';
import type { Ledger } from '../../simulations/checkers/ledger.js';
import { waitUntil } from '../../simulations/clients/wait.js';
import { type IrcLine, type LineSource, channelOf } from './lines.js';

export interface ReplayOptions {
  readonly source: LineSource;
  readonly url: string;
  readonly hub: string;
  readonly ledger: Ledger;
  /** Distinguishes the lines of this run where others lie in the same channels. */
  readonly run: string;
  /** Lines a second. */
  readonly speed: number | undefined;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: string) => void;
}

/** Lines on their way at once, over all sessions. */
const waitingMax = 2_000;
/** Sessions at once; a day has at most a few hundred nicks. */
const sessionsMax = 2_000;
const answerLimitMs = 60_000;
/** The node is back within seconds, and nobody else is there who would suffer from many attempts. */
const reconnectMaxMs = 1_000;

export class Replay {
  /** Sessions opened so far. */
  sessions = 0;
  /** Lines the node had already when they were sent again, so that its answer was the first one's. */
  repeats = 0;
  day = '';
  readonly #options: ReplayOptions;
  readonly #sessions = new Map<string, Client>();
  readonly #encoder = new TextEncoder();
  #waiting = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** Lines on their way. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves when every line has its answer and the last day's sessions are closed. */
  async run(): Promise<void> {
    const begun = performance.now();
    try {
      for await (const line of this.#options.source()) {
        if (line.day !== this.day || this.#sessions.size >= sessionsMax) await this.#endDay(line.day);
        await this.#turn(begun);
        this.#publish(line);
      }
      await this.#endDay('');
    } finally {
      for (const session of this.#sessions.values()) void session.close();
    }
  }

  /** Waits for room, and at a chosen speed for the line's moment. */
  async #turn(begun: number): Promise<void> {
    const { speed, ledger, signal } = this.#options;
    if (speed !== undefined) {
      const early = begun + (ledger.published / speed) * 1_000 - performance.now();
      if (early > 1) await pause(early, undefined, { signal });
    }
    if (this.#waiting >= waitingMax) await this.#until(() => this.#waiting < waitingMax / 2);
  }

  #publish(line: IrcLine): void {
    const { hub, url, ledger, run, onProblem } = this.#options;
    const channel = channelOf(line.channel);
    let session = this.#sessions.get(line.nick);
    if (!session) {
      session = connect({ url, hub, reconnectMaxMs });
      this.#sessions.set(line.nick, session);
      this.sessions++;
    }
    const number = ledger.publish(channel, line.nick);
    const { kind, channel: _, ...said } = line;
    const data = { line: number, run, ...said };
    ledger.sent(number, this.#encoder.encode(JSON.stringify(data)));
    this.#waiting++;
    session.publish(channel, data, { event: kind }).then(
      ({ dot, duplicate }) => {
        this.#waiting--;
        if (duplicate) this.repeats++;
        if (dot) ledger.ack(number, dot);
        else onProblem(`line ${number} was acknowledged without its place`);
      },
      (error: unknown) => {
        this.#waiting--;
        onProblem(`line ${number} was not acknowledged: ${String(error)}`);
      },
    );
  }

  /** The order of a nick holds from day to day because nothing is on its way at midnight. */
  async #endDay(next: string): Promise<void> {
    await this.#until(() => this.#waiting === 0);
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
    this.#sessions.clear();
    this.day = next;
  }

  #until(condition: () => boolean): Promise<void> {
    const { ledger, signal } = this.#options;
    const progress = () => ledger.acked;
    const what = `${this.#waiting} publishes are answered`;
    return waitUntil(condition, { what, limitMs: answerLimitMs, progress, signal });
  }
}
