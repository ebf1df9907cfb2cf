/** Calls to services that a hub's settings name. Settings are written by a hub's administrators, who are not this machine's:
 *  a call goes to public addresses only, by TLS, to exactly the address that was checked, follows nothing, and is bounded in time
 *  and size. The operator may name origins inside the own network that are called as they are. */
import { Resolver } from 'node:dns/promises';
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { limits } from '../../base/limits.js';
import type { Clock } from '../../engine/ports.js';
import { isPublicAddress } from './addresses.js';

export interface Call {
  readonly hub: string;
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs?: number;
}

/** Why there was no answer: for the operator's log, never for clients. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
}

export interface Answered {
  readonly status: number;
  readonly body: string;
}

export interface OutboundOptions {
  readonly clock: Clock;
  /** Origins such as `http://10.0.0.5:9000`. */
  readonly internalOrigins: readonly string[];
  /** Every address of a name; of its own so that tests need no network. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

interface Breaker {
  failures: number;
  openUntilMs: number;
}

export class Outbound {
  readonly #options: OutboundOptions;
  readonly #internal: ReadonlySet<string>;
  readonly #resolver = new Resolver({ timeout: 1_500, tries: 2 });
  readonly #http = new HttpAgent({ keepAlive: true, maxFreeSockets: 4, maxTotalSockets: 256 });
  readonly #https = new HttpsAgent({ keepAlive: true, maxFreeSockets: 4, maxTotalSockets: 256 });
  readonly #underWay = new Map<string, number>();
  /** By hub and origin: what one hub asks of a service takes it from no other. */
  readonly #breakers = new Map<string, Breaker>();

  constructor(options: OutboundOptions) {
    this.#options = options;
    this.#internal = new Set(options.internalOrigins.map((origin) => new URL(origin).origin));
  }

  /** Rejects with OutboundError where the service may not be called, fails, or is left alone for a while. */
  async call(call: Call): Promise<Answered> {
    const url = this.#checked(call.url);
    const open = this.#underWay.get(call.hub) ?? 0;
    if (open >= limits.outboundPerHubMax)
      throw new OutboundError('too many calls for this hub are under way');
    const breaker = this.#breakerOf(`${call.hub} ${url.origin}`);
    if (breaker.openUntilMs > this.#nowMs())
      throw new OutboundError('it failed again and again, and is left alone');
    this.#underWay.set(call.hub, open + 1);
    try {
      const answer = await this.#within(url, call);
      breaker.failures = 0;
      return answer;
    } catch (error) {
      if (++breaker.failures >= limits.outboundFailuresMax) {
        breaker.openUntilMs = this.#nowMs() + limits.outboundRestMs;
        breaker.failures = 0;
      }
      throw error instanceof OutboundError ? error : new OutboundError((error as Error).message);
    } finally {
      const left = this.#underWay.get(call.hub)! - 1;
      if (left === 0) this.#underWay.delete(call.hub);
      else this.#underWay.set(call.hub, left);
    }
  }

  stop(): void {
    this.#http.destroy();
    this.#https.destroy();
    this.#resolver.cancel();
  }

  #checked(text: string): URL {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || url.username !== '' || url.password !== '') throw new OutboundError('the URL cannot be used');
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && this.#internal.has(url.origin)))
      throw new OutboundError('only https is called');
    return url;
  }

  async #within(url: URL, call: Call): Promise<Answered> {
    const stop = new AbortController();
    const ms = Math.min(call.timeoutMs ?? limits.outboundTotalMs, limits.outboundTotalMs);
    let late: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      late = setTimeout(() => {
        reject(new OutboundError(`no whole answer within ${ms} ms`));
        stop.abort();
      }, ms).unref();
    });
    try {
      return await Promise.race([this.#ask(url, call, stop.signal), tooLate]);
    } finally {
      clearTimeout(late);
    }
  }

  async #ask(url: URL, call: Call, signal: AbortSignal): Promise<Answered> {
    const address = await this.#addressOf(url);
    if (signal.aborted) throw new OutboundError('too late');
    const { method, headers = {}, body } = call;
    const isTls = url.protocol === 'https:';
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = {
        method,
        headers: {
          accept: 'application/json',
          ...headers,
          ...(body !== undefined && {
            'content-type': 'application/json',
            'content-length': String(Buffer.byteLength(body)),
          }),
        },
        agent: isTls ? this.#https : this.#http,
        // To the address that was checked, whatever the name leads to by now; certificate and Host go by the name.
        lookup: ((_name: string, { all }: { all?: boolean }, done: (...answer: unknown[]) => void) => {
          const family = isIP(address);
          if (all === true) done(null, [{ address, family }]);
          else done(null, address, family);
        }) as never,
        timeout: limits.outboundConnectMs,
        signal,
      };
      const request = (isTls ? httpsRequest : httpRequest)(url, options, resolve);
      request.once('timeout', () => request.destroy(new OutboundError('it does not answer')));
      request.once('error', reject);
      request.end(body);
    });
    const status = response.statusCode ?? 0;
    const text = await textOf(response);
    if (status >= 500) throw new OutboundError(`it answered with ${status}`);
    return { status, body: text };
  }

  async #addressOf({ hostname, origin }: URL): Promise<string> {
    const name = hostname.replace(/^\[|\]$/g, '');
    const addresses = isIP(name) ? [name] : await this.#resolve(name);
    const address = addresses[0];
    if (address === undefined) throw new OutboundError('its name leads nowhere');
    if (!this.#internal.has(origin) && !addresses.every(isPublicAddress))
      throw new OutboundError(
        'it is no address of the public internet, and no internal origin that the operator named',
      );
    return address;
  }

  /** Not by the system's resolver, which takes threads that the store needs. */
  async #resolve(name: string): Promise<readonly string[]> {
    const { resolve } = this.#options;
    if (resolve) return resolve(name);
    if (name === 'localhost') return ['127.0.0.1'];
    const [four, six] = await Promise.allSettled([
      this.#resolver.resolve4(name),
      this.#resolver.resolve6(name),
    ]);
    return [four, six].flatMap((found) => (found.status === 'fulfilled' ? found.value : []));
  }

  #breakerOf(key: string): Breaker {
    let breaker = this.#breakers.get(key);
    if (breaker) return breaker;
    if (this.#breakers.size >= limits.keySetsMax) this.#breakers.clear();
    breaker = { failures: 0, openUntilMs: -Infinity };
    this.#breakers.set(key, breaker);
    return breaker;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.outboundBytesMax) {
      response.destroy();
      throw new OutboundError(`the answer has more than ${limits.outboundBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
