/** Asks a hub's providers who a token stands for. What was found is known for some seconds, so that a client that publishes over
 *  HTTP is not looked up for every message. */
import { createHash } from 'node:crypto';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { Authenticator, Clock, Identified, Identity, Observer, TokenCheck } from '../../engine/ports.js';
import type { HttpProvider, JwtProvider, Provider } from '../../hubs/provider.js';
import type { Failure } from '../../protocol/errors.js';
import { notKnown, tooMany, unreachable } from './failures.js';
import { Gate } from './gate.js';
import { Jwts, issuerOf } from './jwt.js';
import { KeySets } from './key-sets.js';
import { Outbound, OutboundError, type OutboundOptions } from '../outbound/outbound.js';

export interface ProvidersOptions extends OutboundOptions {
  readonly observer: Observer;
}

/** Those that somebody outside is asked for. */
type Asked = JwtProvider | HttpProvider;

interface Known {
  readonly identity: Identity;
  readonly untilMs: number;
}

export class Providers implements Authenticator {
  readonly #clock: Clock;
  readonly #outbound: Outbound;
  readonly #jwts: Jwts;
  readonly #observer: Observer;
  /** Of a provider as it is set now: one that is set anew knows nobody. */
  readonly #known = new WeakMap<Provider, Map<string, Known>>();

  constructor(options: ProvidersOptions) {
    this.#clock = options.clock;
    this.#observer = options.observer;
    this.#outbound = new Outbound(options, {
      perHubMax: limits.outboundPerHubMax,
      answerBytesMax: limits.outboundBytesMax,
      totalMsDefault: limits.outboundTotalMs,
      totalMsMax: limits.outboundTotalMs,
      isFailure: (status) => status >= 500,
    });
    const keySets = new KeySets(this.#outbound, options.clock, (url, error) => this.#tell(url, error));
    this.#jwts = new Jwts(
      keySets,
      options.clock,
      new Gate(limits.signaturesAtOnceMax, limits.signaturesWaitingMax),
    );
  }

  async identify(
    providers: ReadonlyMap<string, Provider>,
    check: TokenCheck,
  ): Promise<Result<Identified, Failure>> {
    const found = providerFor(providers, check.token);
    if (!found) return err(notKnown('this hub knows nobody who issues such'));
    const [name, provider] = found;
    const known = this.#knownBy(provider);
    // The token itself is not kept.
    const id = createHash('sha256').update(check.hub).update('\0').update(check.token).digest('base64');
    const before = known.get(id);
    if (before && before.untilMs > this.#clock.monotonicMs())
      return ok({ provider: name, identity: before.identity });
    const identity = await this.#ask(provider, check);
    if (!identity.ok) return identity;
    if (known.size >= limits.identitiesKnownMax) known.clear();
    known.set(id, { identity: identity.value, untilMs: this.#clock.monotonicMs() + limits.identityKnownMs });
    return ok({ provider: name, identity: identity.value });
  }

  stop(): void {
    this.#outbound.stop();
  }

  #ask(provider: Asked, check: TokenCheck): Promise<Result<Identity, Failure>> {
    return provider.type === 'jwt'
      ? this.#jwts.verify(check.hub, provider, check.token)
      : this.#askService(provider, check);
  }

  /** The service answers 200 with the user, or 401 or 403 for one it does not know; anything else is its failure. */
  async #askService(
    { url, headers, timeoutMs }: HttpProvider,
    { hub, token, sessionId }: TokenCheck,
  ): Promise<Result<Identity, Failure>> {
    try {
      const body = JSON.stringify({ hub, token, ...(sessionId === undefined ? {} : { sessionId }) });
      const answer = await this.#outbound.call({
        hub,
        url,
        method: 'POST',
        body,
        ...(headers && { headers }),
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
      if (answer.status === 401 || answer.status === 403)
        return err(notKnown('the hub’s service does not know it'));
      if (answer.status !== 200) throw new OutboundError(`it answered with ${answer.status}`);
      return ok(identityFrom(answer.body, this.#clock.wallMs()));
    } catch (error) {
      this.#tell(url, error);
      return err(error instanceof OutboundError && error.ended === 'crowded' ? tooMany() : unreachable());
    }
  }

  #knownBy(provider: Provider): Map<string, Known> {
    let known = this.#known.get(provider);
    if (!known) this.#known.set(provider, (known = new Map()));
    return known;
  }

  /** To the operator; without the address's path, which may hold a secret. */
  #tell(url: string, error: unknown): void {
    const origin = URL.canParse(url) ? new URL(url).origin : 'an address that cannot be read';
    const why = error instanceof Error ? error.message : String(error);
    const message = `An authentication service at ${origin} cannot be used: ${why}.`;
    this.#observer.observe({ type: 'alarm', code: 'AUTH_PROVIDER', message });
  }
}

/** The one whose tokens it may be of: by its issuer, else the service that is asked for all others. */
function providerFor(
  providers: ReadonlyMap<string, Provider>,
  token: string,
): readonly [string, Asked] | undefined {
  const issuer = issuerOf(token);
  let service: readonly [string, HttpProvider] | undefined;
  for (const [name, each] of providers) {
    if (each.type === 'jwt' && each.issuer === issuer) return [name, each];
    if (each.type === 'http') service ??= [name, each];
  }
  return service;
}

function identityFrom(body: string, nowMs: number): Identity {
  const answer = JSON.parse(body) as Readonly<Record<string, unknown>> | null;
  const { user, metadata, permissions, expiresAt, issuedAt } = answer ?? {};
  if (typeof user !== 'string') throw new OutboundError('its answer names no user');
  const most = timeIn('expiresAt', expiresAt) ?? nowMs + limits.identityLifeMs;
  return {
    user,
    permissions,
    ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
    expiresAtMs: Math.min(most, nowMs + limits.tokenLifeMsMax),
    // Without it, what was said is as old as the saying. None is from later than now, which no revocation would end.
    issuedAtMs: Math.min(timeIn('issuedAt', issuedAt) ?? nowMs, nowMs),
  };
}

/** `undefined` where it is left out. */
function timeIn(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new OutboundError(`its answer has an "${name}" that is no time`);
}
