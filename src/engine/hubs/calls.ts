/** Calls of methods: who may, which service has the method, and how many are under way. What a service does is its own
 *  matter: a call is neither stored nor ever repeated here. */
import { toHex } from '../../base/bytes.js';
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err } from '../../base/result.js';
import { callRefusal } from '../../channels/permissions.js';
import { type NamedService, checkMethod } from '../../hubs/services.js';
import type { HubView } from '../../hubs/settings.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { RpcAnswer, RpcMessage } from '../../protocol/messages.js';
import type { Call, Principal } from '../api.js';
import type { EnginePorts, ServiceRequest } from '../ports.js';

export interface CallsHost {
  readonly ports: Pick<EnginePorts, 'random' | 'observer' | 'services'>;
  viewOf(hub: HubName): HubView | undefined;
  /** Why a hub is not known. */
  missing(hub: HubName): Failure;
}

export interface Caller {
  readonly hub: HubName;
  readonly principal: Principal;
  /** Left out for whoever has none: then all calls of one user count as those of one session. */
  readonly session?: CallingSession;
}

export interface CallingSession {
  readonly id: string;
}

export class Calls {
  readonly counters = { rpcCalls: 0, rpcFailures: 0 };
  readonly #host: CallsHost;
  readonly #ofHubs = new Map<HubName, number>();
  /** By session, or by hub and user. */
  readonly #ofCallers = new Map<CallingSession | string, Set<Call>>();
  readonly #all = new Set<Call>();

  constructor(host: CallsHost) {
    this.#host = host;
  }

  /** Never rejects; its answer comes within the time that the service has, or says why there is none. */
  call(caller: Caller, message: RpcMessage): Call {
    const found = this.#find(caller, message.method);
    if ('code' in found) return refusedCall(found);
    const crowded = this.#crowded(caller);
    const { services } = this.#host.ports;
    if (crowded || !services) return refusedCall(crowded ?? notHere());
    this.counters.rpcCalls++;
    const asked = services.call(this.#requestOf(caller, message, found));
    let isCancelled = false;
    const answer = asked.answer.catch(this.#broken).then((result) => {
      this.#done(caller, call);
      const isFailure = !result.ok && result.error.code !== 'CALL_REFUSED' && !isCancelled;
      if (isFailure) this.counters.rpcFailures++;
      return result;
    });
    const cancel = (): void => {
      isCancelled = true;
      asked.cancel();
    };
    const call: Call = { answer, cancel };
    this.#count(caller, call);
    return call;
  }

  /** Nobody waits for what it called any more. */
  ended(session: CallingSession): void {
    for (const call of this.#ofCallers.get(session) ?? []) call.cancel();
  }

  stop(): void {
    for (const call of this.#all) call.cancel();
  }

  #find({ hub, principal }: Caller, method: string): NamedService | Failure {
    const message = checkMethod(method);
    if (message !== undefined) return failure('BAD_NAME', { message });
    const view = this.#host.viewOf(hub);
    if (!view) return this.#host.missing(hub);
    const found = view.services.find(method);
    // Whoever may not call it does not learn whether there is one.
    return callRefusal(principal, method, found?.service.openTo) ?? found ?? failure('METHOD_NOT_FOUND');
  }

  #crowded(caller: Caller): Failure | undefined {
    const { hub } = caller;
    if ((this.#ofCallers.get(keyOf(caller))?.size ?? 0) >= limits.callsPerSessionMax) {
      const message = `At most ${limits.callsPerSessionMax} calls may be under way. Wait for their answers.`;
      return failure('RATE_LIMITED', { message, retryAfterMs: 100 });
    }
    const isFull = this.#all.size >= limits.callsMax || (this.#ofHubs.get(hub) ?? 0) >= limits.callsPerHubMax;
    const message = 'Too many calls are under way. Wait, then call again.';
    return isFull ? failure('OVERLOADED', { message, retryAfterMs: 500 }) : undefined;
  }

  #requestOf(
    { hub, principal, session }: Caller,
    { method, contentType, payload }: RpcMessage,
    { name, service }: NamedService,
  ): ServiceRequest {
    const { actor, authenticated, admin, metadata } = principal;
    return {
      name,
      service,
      hub,
      id: toHex(this.#host.ports.random.bytes(12)),
      method,
      payload,
      ...(contentType === undefined ? {} : { contentType }),
      ...(session && { sessionId: session.id }),
      ...(admin ? { admin } : authenticated && { user: actor }),
      ...(metadata === undefined ? {} : { metadata }),
    };
  }

  readonly #broken = (error: unknown): Result<RpcAnswer, Failure> => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#host.ports.observer.observe({ type: 'alarm', code: 'INTERNAL', message });
    return err(failure('NO_ANSWER'));
  };

  #count(caller: Caller, call: Call): void {
    const { hub } = caller;
    this.#all.add(call);
    this.#ofHubs.set(hub, (this.#ofHubs.get(hub) ?? 0) + 1);
    const own = this.#ofCallers.get(keyOf(caller));
    if (own) own.add(call);
    else this.#ofCallers.set(keyOf(caller), new Set([call]));
  }

  #done(caller: Caller, call: Call): void {
    const { hub } = caller;
    this.#all.delete(call);
    const left = this.#ofHubs.get(hub)! - 1;
    if (left === 0) this.#ofHubs.delete(hub);
    else this.#ofHubs.set(hub, left);
    const own = this.#ofCallers.get(keyOf(caller));
    own?.delete(call);
    if (own?.size === 0) this.#ofCallers.delete(keyOf(caller));
  }
}

function keyOf({ hub, principal, session }: Caller): CallingSession | string {
  return session ?? `${hub} ${principal.actor}`;
}

export function refusedCall(refused: Failure): Call {
  return { answer: Promise.resolve(err(refused)), cancel: () => undefined };
}

function notHere(): Failure {
  return failure('UNSUPPORTED', { message: 'This node calls no services.' });
}
