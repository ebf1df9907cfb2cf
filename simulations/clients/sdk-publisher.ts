/** A publisher that uses the SDK as an application does: what is acked is what its promises say. */
import { type Client, type Published, RinglogError, connect } from 'ringlog/client';
import { type LoadPublisher, type PublisherOptions, nextLine, waitingMax } from './publisher.js';

export class SdkPublisher implements LoadPublisher {
  readonly #options: PublisherOptions;
  readonly #client: Client;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#client = connect({ url: options.url, hub: options.hub, reconnectMaxMs: 200 });
  }

  get name(): string {
    return this.#options.name;
  }

  get waiting(): number {
    return this.#client.pending;
  }

  burst(lines: number): void {
    for (let i = 0; i < lines && this.waiting < waitingMax; i++) {
      const { line, data } = nextLine(this.#options);
      this.#client.publish(this.#options.channel, data, { event: 'load' }).then(
        (published) => this.#acked(line, published),
        (error: unknown) => this.#failed(line, error),
      );
    }
  }

  close(): void {
    void this.#client.close({ timeoutMs: 0 });
  }

  #acked(line: number, { dot, level }: Published): void {
    if (!dot || level !== 'quorum') this.#options.onProblem(`${this.name}: line ${line} acked at ${level}`);
    if (dot) this.#options.ledger.ack(line, dot);
  }

  #failed(line: number, error: unknown): void {
    // Closed by us while it waited.
    if (error instanceof RinglogError && error.code === 'CLOSED') return;
    this.#options.onProblem(`${this.name}: line ${line}: ${String(error)}`);
    if (error instanceof RinglogError && error.outcome === 'rejected') this.#options.ledger.reject(line);
  }
}
