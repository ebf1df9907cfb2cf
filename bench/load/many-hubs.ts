/** Hubs of one node, each with one channel, by HTTP. */
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const atOnce = 64;
const answerLimitMs = 60_000;
const triesMax = 20;

export class ManyHubs {
  /** Requests that were made once more. */
  again = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: atOnce });

  constructor(
    readonly url: string,
    readonly token: string,
    readonly count: number,
  ) {}

  /** Hubs made a second. */
  make(): Promise<number> {
    return this.#each((hub) => this.#send('PUT', `/v1/admin/hubs/${hub}`));
  }

  /** Hubs used a second: an entry in each. */
  publish(): Promise<number> {
    return this.#each((hub) => this.#send('POST', `/v1/hubs/${hub}/channels/room/publish`, hub));
  }

  async read(number: number): Promise<void> {
    const hub = nameOf(number);
    const answer = await this.#send('GET', `/v1/hubs/${hub}/channels/room/history`);
    if (!answer.includes(`"${hub}"`)) throw new Error(`${hub} has another entry: ${answer}`);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #each(act: (hub: string) => Promise<unknown>): Promise<number> {
    const begun = performance.now();
    let next = 0;
    const work = async () => {
      while (next < this.count) await act(nameOf(next++));
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return (1_000 * this.count) / (performance.now() - begun);
  }

  /** Again where a kept connection had just been closed, and where the node has too much to do: both may be said twice. */
  async #send(method: string, path: string, body?: string): Promise<string> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#sendOnce(method, path, body);
      } catch (error) {
        if (!(error instanceof AgainError) || tries >= triesMax) throw error;
        this.again++;
        await pause(error.afterMs);
      }
    }
  }

  #sendOnce(method: string, path: string, body?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${this.token}`,
        ...(body !== undefined && { 'content-type': 'text/plain', 'idempotency-key': body }),
      };
      const options = { agent: this.#agent, method, headers, timeout: answerLimitMs };
      const sent = request(`${this.url}${path}`, options, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => void parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (answer.statusCode === 200) resolve(text);
          else if (answer.statusCode === 503) reject(new AgainError(text, 1_000));
          else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
        });
      });
      sent.on('timeout', () => sent.destroy(new Error(`${path} was not answered`)));
      sent.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = sent.reusedSocket && error.code === 'ECONNRESET';
        reject(isStale ? new AgainError(error.message, 0) : error);
      });
      sent.end(body);
    });
  }
}

class AgainError extends Error {
  constructor(
    message: string,
    readonly afterMs: number,
  ) {
    super(message);
  }
}

const nameOf = (number: number) => `bench-${number}`;
