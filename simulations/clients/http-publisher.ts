/** A publisher over plain HTTP, one request at a time: a single message, or a batch. A request without an answer is sent
 *  again as it was, with the same idempotency keys. */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Line,
  type LoadPublisher,
  type PublisherOptions,
  dotOfId,
  nextLine,
  waitingMax,
} from './publisher.js';

export interface HttpPublisherOptions extends PublisherOptions {
  readonly linesPerRequest: number;
}

interface PublishResult {
  readonly id?: string;
  readonly error?: { readonly code: string; readonly outcome: string; readonly message: string };
}

const retryPauseMs = 50;
const requestLimitMs = 10_000;

export class HttpPublisher implements LoadPublisher {
  readonly #options: HttpPublisherOptions;
  readonly #queue: Line[] = [];
  #inRequest = 0;
  #closed = false;

  constructor(options: HttpPublisherOptions) {
    this.#options = options;
    void this.#run();
  }

  get name(): string {
    return this.#options.name;
  }

  get waiting(): number {
    return this.#queue.length + this.#inRequest;
  }

  burst(lines: number): void {
    for (let i = 0; i < lines && this.waiting < waitingMax; i++) this.#queue.push(nextLine(this.#options));
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  #wake: () => void = () => {};

  async #run(): Promise<void> {
    while (!this.#closed) {
      const lines = this.#queue.splice(0, this.#options.linesPerRequest);
      this.#inRequest = lines.length;
      if (lines.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      else await this.#request(lines);
      this.#inRequest = 0;
    }
  }

  /** Until there is an answer. */
  async #request(lines: readonly Line[]): Promise<void> {
    while (!this.#closed) {
      const results = await (lines.length === 1 ? this.#single(lines[0]!) : this.#batch(lines));
      if (results) {
        lines.forEach((line, i) => this.#settle(line, results[i]));
        return;
      }
      await pause(retryPauseMs);
    }
  }

  async #single(line: Line): Promise<readonly PublishResult[] | undefined> {
    const { hub, channel } = this.#options;
    const result = await this.#post(`/v1/hubs/${hub}/channels/${channel}/publish?event=load`, line.payload, {
      'idempotency-key': this.#keyOf(line),
    });
    return result === undefined ? undefined : [result as PublishResult];
  }

  async #batch(lines: readonly Line[]): Promise<readonly PublishResult[] | undefined> {
    const messages = lines.map((line) => {
      const named = { channel: this.#options.channel, event: 'load', idempotencyKey: this.#keyOf(line) };
      return { ...named, data: line.data };
    });
    const body = Buffer.from(JSON.stringify({ messages }));
    const answer = await this.#post(`/v1/hubs/${this.#options.hub}/publish`, body, {});
    return (answer as { results?: readonly PublishResult[] } | undefined)?.results;
  }

  /** `undefined` where the outcome is not known. */
  async #post(path: string, body: Buffer<ArrayBuffer>, headers: Record<string, string>): Promise<unknown> {
    try {
      const response = await fetch(this.#options.url + path, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
        signal: AbortSignal.timeout(requestLimitMs),
      });
      const answer: unknown = await response.json();
      if (response.ok) return answer;
      const { outcome, code } = answer as { outcome?: string; code?: string };
      if (outcome === 'indeterminate' || code === 'SHUTTING_DOWN') return undefined;
      this.#options.onProblem(`${this.name}: ${response.status} ${JSON.stringify(answer)}`);
      return { error: answer };
    } catch {
      return undefined;
    }
  }

  #settle({ line }: Line, result: PublishResult | undefined): void {
    if (result?.id !== undefined) this.#options.ledger.ack(line, dotOfId(result.id));
    else if (result?.error?.outcome === 'rejected') {
      this.#options.onProblem(`${this.name}: ${result.error.code}: ${result.error.message}`);
      this.#options.ledger.reject(line);
    }
  }

  #keyOf({ line }: Line): string {
    return `${this.name}-${line}`;
  }
}
