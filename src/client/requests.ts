/** Requests that only read: asked again after an interruption, until they are answered or too old. */
import type { DocumentGetMessage, HistoryMessage, ServerEvent } from '../protocol/messages.js';
import { type RinglogError, ownError, serverError } from './error.js';

export type ReadMessage = HistoryMessage | DocumentGetMessage;
/** What answers it. */
type AnswerTo<M extends ReadMessage> = Extract<
  ServerEvent,
  { type: M extends HistoryMessage ? 'history' : 'document' }
>;
type Answer = AnswerTo<HistoryMessage> | AnswerTo<DocumentGetMessage>;

interface Request {
  readonly message: ReadMessage;
  readonly deadlineMs: number;
  readonly resolve: (event: Answer) => void;
  readonly reject: (error: RinglogError) => void;
}

/** Answers after which asking again helps. */
const retried = new Set<string>(['RATE_LIMITED', 'OVERLOADED', 'UNAVAILABLE', 'SHUTTING_DOWN', 'INTERNAL']);
const retryAfterDefaultMs = 500;

export class Requests {
  /** To be sent, from when on. */
  readonly #waiting = new Map<Request, number>();
  readonly #sent = new Map<number, Request>();

  add<M extends ReadMessage>(message: M, deadlineMs: number): Promise<AnswerTo<M>> {
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.set({ message, deadlineMs, resolve, reject }, 0);
    }) as Promise<AnswerTo<M>>;
  }

  fill(nowMs: number, send: (message: ReadMessage) => number): void {
    for (const [request, fromMs] of this.#waiting) {
      if (fromMs > nowMs) continue;
      this.#waiting.delete(request);
      this.#sent.set(send(request.message), request);
    }
  }

  /** Whether the event answers one of them. */
  received(requestId: number, event: ServerEvent, nowMs: number): boolean {
    const request = this.#sent.get(requestId);
    if (!request) return false;
    this.#sent.delete(requestId);
    if (event.type === 'history' || event.type === 'document') request.resolve(event);
    else if (event.type === 'error' && retried.has(event.error.code)) {
      this.#waiting.set(request, nowMs + (event.error.retryAfterMs ?? retryAfterDefaultMs));
    } else if (event.type === 'error') request.reject(serverError(event.error));
    return true;
  }

  lost(): void {
    for (const request of this.#sent.values()) this.#waiting.set(request, 0);
    this.#sent.clear();
  }

  nextDeadline(): number {
    let earliest = Infinity;
    for (const { deadlineMs } of this.#sent.values()) earliest = Math.min(earliest, deadlineMs);
    for (const [{ deadlineMs }, fromMs] of this.#waiting) {
      earliest = Math.min(earliest, deadlineMs, fromMs === 0 ? Infinity : fromMs);
    }
    return earliest;
  }

  tick(nowMs: number): void {
    for (const [request] of this.#waiting) if (nowMs >= request.deadlineMs) this.#giveUp(request, 0);
    for (const [requestId, request] of this.#sent) {
      if (nowMs >= request.deadlineMs) this.#giveUp(request, requestId);
    }
  }

  close(error: RinglogError): void {
    for (const request of [...this.#waiting.keys(), ...this.#sent.values()]) request.reject(error);
    this.#waiting.clear();
    this.#sent.clear();
  }

  #giveUp(request: Request, requestId: number): void {
    this.#waiting.delete(request);
    this.#sent.delete(requestId);
    request.reject(ownError('TIMEOUT', 'rejected', request.message.channel));
  }
}
