/** A subscriber that uses the SDK as an application does: what it counts is what is left after the SDK's own removal of
 *  repetitions. */
import { type Client, type Message, connect } from 'ringlog/client';
import type { ReaderCheck } from '../checkers/reader-check.js';

export interface SdkReaderOptions {
  readonly url: string;
  readonly hub: string;
  readonly channels: readonly string[];
  readonly start: 'beginning' | 'live';
  readonly onProblem: (problem: string) => void;
}

export class SdkReader {
  readonly check: ReaderCheck;
  /** Subscriptions that went on after an interruption. */
  resumes = 0;
  /** Resolves when every channel was subscribed to for the first time. */
  readonly subscribed: Promise<void>;
  readonly #client: Client;

  constructor(options: SdkReaderOptions, check: ReaderCheck) {
    this.check = check;
    this.#client = connect({ url: options.url, hub: options.hub, reconnectMaxMs: 200 });
    this.subscribed = Promise.all(options.channels.map((channel) => this.#subscribe(channel, options))).then(
      () => {},
    );
  }

  get state(): string {
    return this.#client.state;
  }

  close(): void {
    void this.#client.close({ timeoutMs: 0 });
  }

  #subscribe(channel: string, { start, onProblem }: SdkReaderOptions): Promise<void> {
    const subscription = this.#client.subscribe(channel, {
      start,
      onEntry: (message) => this.#entry(message),
      onGap: ({ reason }) => this.check.gap(channel, reason),
    });
    subscription.on('error', (error) => onProblem(`${this.check.name}: ${channel}: ${error.message}`));
    return new Promise((resolve) => {
      subscription.on('subscribed', ({ resumed }) => {
        if (resumed) this.resumes++;
        else resolve();
      });
    });
  }

  #entry(message: Message): void {
    const { channel, kind, late, retained } = message;
    if (retained) return;
    const { writer, seq } = message.dot;
    this.check.entry(channel, writer, seq, kind === 'publish' ? message.bytes : undefined, late);
  }
}
