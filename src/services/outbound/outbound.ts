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
  /** Whoever waits for the answer is gone: nobody is blamed. */
  readonly signal?: AbortSignal;
}

/** `crowded`: too many were under way. `refused`: it may not be called, or is left alone. `failed`: it cannot be reached, or gave
 *  no whole answer. `cancelled`: by whoever asked. */
type Ended = 'crowded' | 'refused' | 'failed' | 'cancelled';

/** Why there was no answer: for the operator's log, never for clients. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  constructor(
    message: string,
    readonly ended: Ended = 'failed',
    /** The service may have the request: there was a connection to it. */
    readonly maybeSent = false,
  ) {
    super(message);
  }
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

/** What calls of one purpose may take. Each purpose has an `Outbound` of its own, so that none is kept waiting by another. */
export interface OutboundBounds {
  readonly perHubMax: number;
  readonly answerBytesMax: number;
  /** Of a call that does not say, and of any. */
  readonly totalMsDefault: number;
  readonly totalMsMax: number;
  /** Whether an answer with this status is a failure: after some in a row the service is left alone. */
  readonly isFailure: (status: number) => boolean;
}

const connections = {
  keepAlive: true,
  timeout: limits.outboundIdleMs,
  maxFreeSockets: 4,
  maxTotalSockets: 256,
} as const;

interface Breaker {
  failures: number;
  openUntilMs: number;
}

export class Outbound {
  readonly #options: OutboundOptions;
  readonly #internal: ReadonlySet<string>;
  readonly #resolver = new Resolver({ timeout: 1_500, tries: 2 });
  readonly #http = new HttpAgent(connections);
  readonly #https = new HttpsAgent(connections);
  readonly #underWay = new Map<string, number>();
  /** By hub and address: what one hub asks of a service takes it from no other, and none of its services another. */
  readonly #breakers = new Map<string, Breaker>();

  constructor(
    options: OutboundOptions,
    readonly bounds: OutboundBounds,
  ) {
    this.#options = options;
    this.#internal = new Set(options.internalOrigins.map((origin) => new URL(origin).origin));
  }

  /** Rejects with OutboundError where the service may not be called, fails, or is left alone for a while. */
  async call(call: Call): Promise<Answered> {
    const url = this.#checked(call.url);
    const open = this.#underWay.get(call.hub) ?? 0;
    if (open >= this.bounds.perHubMax)
      throw new OutboundError('too many calls for this hub are under way', 'crowded');
    const breaker = this.#breakerOf(`${call.hub} ${url.href}`);
    if (breaker.openUntilMs > this.#nowMs())
      throw new OutboundError('it failed again and again, and is left alone', 'refused');
    this.#underWay.set(call.hub, open + 1);
    try {
      const answer = await this.#within(url, call);
      breaker.failures = 0;
      return answer;
    } catch (error) {
      const ended = error as OutboundError;
      if (ended.ended === 'failed' && ++breaker.failures >= limits.outboundFailuresMax) {
        breaker.openUntilMs = this.#nowMs() + limits.outboundRestMs;
        breaker.failures = 0;
      }
      throw ended;
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
    if (!url || url.username !== '' || url.password !== '')
      throw new OutboundError('the URL cannot be used', 'refused');
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && this.#internal.has(url.origin)))
      throw new OutboundError('only https is called', 'refused');
    return url;
  }

  /** Rejects with OutboundError, whatever went wrong. */
  async #within(url: URL, call: Call): Promise<Answered> {
    const { totalMsDefault, totalMsMax } = this.bounds;
    const ms = Math.min(call.timeoutMs ?? totalMsDefault, totalMsMax);
    const stop = new AbortController();
    const sent = { maybe: false };
    let late: NodeJS.Timeout | undefined;
    let cancel: (() => void) | undefined;
    const ended = new Promise<never>((_, reject) => {
      const end = (why: string, how: Ended): void => {
        reject(new OutboundError(why, how, sent.maybe));
        stop.abort();
      };
      late = setTimeout(() => end(`no whole answer within ${ms} ms`, 'failed'), ms).unref();
      cancel = () => end('nobody waits for the answer any more', 'cancelled');
      call.signal?.addEventListener('abort', cancel, { once: true });
      if (call.signal?.aborted === true) cancel();
    });
    try {
      return await Promise.race([this.#ask(url, call, stop.signal, sent), ended]);
    } catch (error) {
      if (error instanceof OutboundError && error.maybeSent === sent.maybe) throw error;
      throw new OutboundError((error as Error).message, 'failed', sent.maybe);
    } finally {
      clearTimeout(late);
      if (cancel) call.signal?.removeEventListener('abort', cancel);
    }
  }

  async #ask(url: URL, call: Call, signal: AbortSignal, sent: { maybe: boolean }): Promise<Answered> {
    const address = await this.#addressOf(url);
    if (signal.aborted) throw new OutboundError('too late');
    const response = await this.#send(url, call, address, signal, sent);
    const status = response.statusCode ?? 0;
    const text = await textOf(response, this.bounds.answerBytesMax);
    if (this.bounds.isFailure(status)) throw new OutboundError(`it answered with ${status}`);
    return { status, body: text };
  }

  #send(
    url: URL,
    { method, headers = {}, body }: Call,
    address: string,
    signal: AbortSignal,
    sent: { maybe: boolean },
  ): Promise<IncomingMessage> {
    const isTls = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
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
      const connected = (): void => {
        sent.maybe = true;
        // How long it may take to answer is another matter.
        request.setTimeout(0);
      };
      request.once('socket', (socket) => {
        if (socket.connecting) socket.once(isTls ? 'secureConnect' : 'connect', connected);
        else connected();
      });
      request.once('timeout', () => request.destroy(new OutboundError('it does not answer')));
      request.once('error', reject);
      request.end(body);
    });
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

async function textOf(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      response.destroy();
      throw new OutboundError(`the answer has more than ${bytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
