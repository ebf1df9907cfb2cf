/** Calls the services of hubs by HTTP, each call once. The service answers 200 with what goes to the client, as JSON in the form
 *  in which content stands in the client protocol, or with an error that it words for the client; anything else is its failure,
 *  and nothing of it is handed on. */
import { limits } from '../../base/limits.js';
import { type Result, err } from '../../base/result.js';
import type { Observer, ServiceCalls, ServiceRequest } from '../../engine/ports.js';
import { payloadToJson } from '../../protocol/content-json.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { RpcAnswer } from '../../protocol/messages.js';
import { Outbound, OutboundError, type OutboundOptions } from '../outbound/outbound.js';
import { answerFrom } from './answer.js';

export interface HttpServicesOptions extends OutboundOptions {
  readonly observer: Observer;
}

export class HttpServices implements ServiceCalls {
  readonly #options: HttpServicesOptions;
  readonly #outbound: Outbound;
  /** By hub and service: when its operator may be told again. */
  readonly #told = new Map<string, number>();

  constructor(options: HttpServicesOptions) {
    this.#options = options;
    this.#outbound = new Outbound(options, {
      perHubMax: limits.callsPerHubMax,
      answerBytesMax: limits.callAnswerBytesMax,
      totalMsDefault: limits.callMsDefault,
      totalMsMax: limits.callMsMax,
      // A service that answers is there: a client whose calls it cannot bear must not have it left alone for all others.
      isFailure: () => false,
    });
  }

  call(request: ServiceRequest): ReturnType<ServiceCalls['call']> {
    const stop = new AbortController();
    return { answer: this.#ask(request, bodyOf(request), stop.signal), cancel: () => stop.abort() };
  }

  stop(): void {
    this.#outbound.stop();
  }

  async #ask(
    request: ServiceRequest,
    body: string,
    signal: AbortSignal,
  ): Promise<Result<RpcAnswer, Failure>> {
    const { hub, service } = request;
    const { url, headers, timeoutMs } = service;
    try {
      const answer = await this.#outbound.call({
        hub,
        url,
        method: 'POST',
        body,
        signal,
        ...(headers && { headers }),
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
      if (answer.status !== 200) throw new OutboundError(`it answered with ${answer.status}`, 'failed', true);
      const given = answerFrom(answer.body);
      if (typeof given === 'string') throw new OutboundError(given, 'failed', true);
      return given;
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      if (error.ended === 'failed') this.#tell(request, error.message);
      return err(failureOf(error));
    }
  }

  /** Clients bring calls about, so not every failure is told. Without the address's path, which may hold a secret. */
  #tell({ hub, name, service: { url } }: ServiceRequest, why: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    const key = `${hub} ${name}`;
    if (nowMs < (this.#told.get(key) ?? -Infinity)) return;
    if (this.#told.size >= limits.servicesToldMax) this.#told.clear();
    this.#told.set(key, nowMs + limits.serviceToldMs);
    const origin = URL.canParse(url) ? new URL(url).origin : 'an address that cannot be read';
    const message = `The service ${name} of the hub ${hub} at ${origin} cannot be used: ${why}.`;
    this.#options.observer.observe({ type: 'alarm', code: 'SERVICE', message });
  }
}

function failureOf({ ended, maybeSent }: OutboundError): Failure {
  if (maybeSent) return failure('NO_ANSWER');
  if (ended === 'crowded') {
    const message = 'Too many calls are under way. Wait, then call again.';
    return failure('OVERLOADED', { message, retryAfterMs: 500 });
  }
  const message =
    'The service that has this method cannot be reached, and was not called. Wait, then call again.';
  return failure('UNAVAILABLE', { message, retryAfterMs: 1_000 });
}

/** What is JSON already goes in as it is. */
function bodyOf(request: ServiceRequest): string {
  const { hub, id, method, sessionId, user, admin, metadata, contentType, payload } = request;
  const about = JSON.stringify({ hub, requestId: id, sessionId, user, admin, method, contentType });
  const said = metadata === undefined ? '' : `,"metadata":${metadata}`;
  return `${about.slice(0, -1)}${said},${payloadToJson(contentType ?? '', payload)}}`;
}
