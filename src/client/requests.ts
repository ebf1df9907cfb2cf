/** Requests: those that only read are asked again after an interruption, until they are answered or too old. */
import { type Failure, failure } from '../protocol/errors.js';
import type { Request as Question, ServerEvent } from '../protocol/messages.js';
import { type RinglogError, ownError, serverError } from './error.js';

export type { Question };
/** The type of what answers each. */
const answerTypes = {
  history: 'history',
  documentGet: 'document',
  notifications: 'notifications',
  presence: 'presence',
  presenceUpdate: 'presence',
  occupancy: 'occupancy',
  user: 'user',
  rpc: 'rpc',
} as const;
export type AnswerTo<Q extends Question> = Extract<ServerEvent, { type: (typeof answerTypes)[Q['type']] }>;

interface Request {
  readonly message: Question;
  readonly deadlineMs: number;
  readonly resolve: (event: ServerEvent) => void;
  readonly reject: (error: RinglogError) => void;
  /** Why it is asked again. */
  refusal?: Failure;
}

/** Answers after which asking again helps. */
const retried = new Set<string>(['RATE_LIMITED', 'OVERLOADED', 'UNAVAILABLE', 'SHUTTING_DOWN', 'INTERNAL']);
const retryAfterDefaultMs = 500;

/** What people ask that only reads, or comes to the same twice. */
const repeatable = new Set([
  'profile',
  'list',
  'key',
  'groups/list',
  'groups/members',
  'channels/list',
  'channels/metadata',
  'receipts/mark',
]);

/** Of those that only read, and that may be said twice. */
function mayRepeat(question: Question): boolean {
  return question.type === 'user' ? repeatable.has(question.action) : question.type !== 'rpc';
}

export class Requests {
  /** To be sent, from when on. */
  readonly #waiting = new Map<Request, number>();
  readonly #sent = new Map<number, Request>();

  get isWaiting(): boolean {
    return this.#sent.size > 0;
  }

  add<Q extends Question>(message: Q, deadlineMs: number): Promise<AnswerTo<Q>> {
    return new Promise((resolve, reject) => {
      const answered = (event: ServerEvent): void => resolve(event as AnswerTo<Q>);
      this.#waiting.set({ message, deadlineMs, resolve: answered, reject }, 0);
    });
  }

  fill(nowMs: number, send: (message: Question) => number): void {
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
    const { type } = request.message;
    if (event.type === answerTypes[type]) request.resolve(event);
    else if (event.type === 'error' && mayRepeat(request.message) && retried.has(event.error.code)) {
      request.refusal = event.error;
      this.#waiting.set(request, nowMs + (event.error.retryAfterMs ?? retryAfterDefaultMs));
    } else if (event.type === 'error') request.reject(serverError(event.error));
    return true;
  }

  lost(): void {
    for (const request of this.#sent.values()) {
      if (mayRepeat(request.message)) this.#waiting.set(request, 0);
      else request.reject(mayBeDone(request.message, 'UNREACHABLE'));
    }
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
    const { message, refusal } = request;
    const channel = 'channel' in message ? message.channel : undefined;
    const isOpen = requestId !== 0 && !mayRepeat(message);
    request.reject(
      isOpen ? mayBeDone(message, 'TIMEOUT') : ownError('TIMEOUT', 'rejected', channel, refusal),
    );
  }
}

/** What it asked for may be done. */
function mayBeDone({ type }: Question, code: 'UNREACHABLE' | 'TIMEOUT'): RinglogError {
  return type === 'rpc' ? serverError(failure('NO_ANSWER')) : ownError(code, 'indeterminate');
}
