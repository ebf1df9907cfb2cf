/** Keys and tokens for tests, and services on this machine that answer as they are told. */
import { createHmac, createPublicKey, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Observation } from '../../../src/engine/ports.js';
import type { Jwk, JwtProvider, Provider } from '../../../src/hubs/provider.js';
import { Providers } from '../../../src/services/auth/authenticator.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed = generateKeyPairSync('ed25519');
export const rsaPublicPem = createPublicKey(rsa.privateKey)
  .export({ type: 'spki', format: 'pem' })
  .toString();
export const secret = Buffer.alloc(32, 7);

const jwk = (key: typeof rsa.publicKey, more: object) =>
  ({ ...key.export({ format: 'jwk' }), ...more }) as Jwk;
export const keys = {
  rsa: jwk(rsa.publicKey, { kid: 'rsa', alg: 'RS256' }),
  ed: jwk(ed.publicKey, { kid: 'ed', alg: 'EdDSA' }),
  oct: { kty: 'oct', kid: 'oct', alg: 'HS256', k: secret.toString('base64url') } as Jwk,
};

export const base64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const signers = {
  RS256: (data: string) => signBytes('sha256', Buffer.from(data), rsa.privateKey),
  EdDSA: (data: string) => signBytes(null, Buffer.from(data), ed.privateKey),
  HS256: (data: string) => createHmac('sha256', secret).update(data).digest(),
  /** The well-known confusion: an HMAC under the text of the public key. */
  confused: (data: string) => createHmac('sha256', rsaPublicPem).update(data).digest(),
  none: () => Buffer.alloc(0),
};

export const issuer = 'https://issuer.example';
export const audience = 'ringlog:acme';
export const claims = (more: object = {}) => {
  const now = Math.floor(Date.now() / 1000);
  return { iss: issuer, aud: audience, sub: 'ada', iat: now, exp: now + 600, ...more };
};

/** `header` as text to be taken as it is. */
export function token(
  header: object | string = { alg: 'RS256', kid: 'rsa', typ: 'JWT' },
  payload: object = claims(),
  sign: (data: string) => Buffer = signers.RS256,
): string {
  const data = `${base64(header)}.${base64(payload)}`;
  return `${data}.${sign(data).toString('base64url')}`;
}

export const jwtProvider = (more: Partial<JwtProvider> = {}): JwtProvider => ({
  type: 'jwt',
  issuer,
  keys: Object.values(keys),
  ...more,
});

/** Stands still but for what it is set ahead: however long a test takes, no time passes in it. */
export class Clock {
  aheadMs = 0;
  readonly #wallMs = Date.now();
  readonly #monotonicMs = performance.now();
  wallMs = () => this.#wallMs + this.aheadMs;
  monotonicMs = () => this.#monotonicMs + this.aheadMs;
}

export class Service {
  readonly requests: { method: string; path: string; headers: IncomingMessage['headers']; body: string }[] =
    [];
  answer: (response: ServerResponse, body: string) => void = (response) => response.end('{}');
  readonly server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', url = '', headers } = request;
      this.requests.push({ method, path: url, headers, body });
      this.answer(response, body);
    });
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

export class Setup {
  readonly clock = new Clock();
  readonly observations: Observation[] = [];
  readonly providers: Providers;

  constructor(
    internalOrigins: readonly string[] = [],
    resolve?: (name: string) => Promise<readonly string[]>,
  ) {
    this.providers = new Providers({
      clock: this.clock,
      observer: { observe: (observation) => void this.observations.push(observation) },
      internalOrigins,
      ...(resolve && { resolve }),
    });
  }

  ask(provider: Provider, sent: string, hub = 'acme') {
    return this.providers.identify(new Map([['main', provider]]), { hub, token: sent, sessionId: 'session' });
  }

  /** `ada` or the code of the refusal. */
  async who(provider: Provider, sent: string, hub = 'acme'): Promise<string> {
    const found = await this.ask(provider, sent, hub);
    return found.ok ? found.value.identity.user : found.error.code;
  }
}
