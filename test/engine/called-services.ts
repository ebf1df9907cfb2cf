/** Services of a hub that answer with what they were called by. */
import { type Result, err, ok } from '../../src/base/result.js';
import type { ServiceCalls, ServiceRequest } from '../../src/engine/ports.js';
import { type Failure, failure } from '../../src/protocol/errors.js';
import type { RpcAnswer } from '../../src/protocol/messages.js';

export type Answer = Result<RpcAnswer, Failure>;

export class Called implements ServiceCalls {
  readonly requests: ServiceRequest[] = [];
  readonly held: ((answer: Answer) => void)[] = [];
  /** By the calls' ids. */
  readonly cancelled = new Set<string>();
  /** Then nothing is answered before the test says so. */
  isHeld = false;

  call(request: ServiceRequest): ReturnType<ServiceCalls['call']> {
    this.requests.push(request);
    const answer = new Promise<Answer>((resolve) => {
      if (this.isHeld) this.held.push(resolve);
      else resolve(ok({ contentType: request.contentType ?? '', payload: request.payload }));
    });
    const resolve = this.held.at(-1);
    return {
      answer,
      cancel: () => {
        this.cancelled.add(request.id);
        resolve?.(err(failure('NO_ANSWER')));
      },
    };
  }

  get last(): ServiceRequest {
    return this.requests.at(-1)!;
  }
}
