/** What sessions ask and get one answer to: of channels, of people, of who is there, of services. */
import { parseChannelName } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import { refusal } from '../channels/permissions.js';
import { type Failure, failure } from '../protocol/errors.js';
import type {
  ChannelQuestion,
  Request,
  RpcMessage,
  ServerMessage,
  UserMessage,
} from '../protocol/messages.js';
import type { Session } from '../sessions/session.js';
import { answerTo } from './answering.js';
import type { SessionsNode } from './sessions-node.js';

export type RequestsNode = Pick<
  SessionsNode,
  'serving' | 'rulesOf' | 'people' | 'presence' | 'restoring' | 'calls'
>;

export class Requests {
  constructor(
    readonly node: RequestsNode,
    readonly failed: (error: unknown, session: Session, requestId: number) => void,
  ) {}

  /** Says when it is done: the session counts what is under way. */
  take(session: Session, requestId: number, message: Request): void {
    switch (message.type) {
      case 'presence':
      case 'presenceUpdate':
      case 'occupancy':
        this.node.presence().request(session, requestId, message);
        if (message.type === 'presenceUpdate') this.node.restoring().changed(session);
        return;
      case 'user':
        return this.#once(session, requestId, this.#people(session, message));
      case 'rpc':
        return this.#once(session, requestId, this.#call(session, message));
      case 'history':
      case 'documentGet':
      case 'notifications':
        return this.#once(session, requestId, this.#ask(session, message));
    }
  }

  #once(session: Session, requestId: number, answering: Promise<Result<ServerMessage, Failure>>): void {
    void answering
      .then((answer) => {
        if (answer.ok) session.answer(requestId, answer.value);
        else session.fail(requestId, answer.error);
      })
      .catch((error: unknown) => this.failed(error, session, requestId))
      .finally(() => session.requestDone());
  }

  async #people(session: Session, { action, request }: UserMessage): Promise<Result<ServerMessage, Failure>> {
    const answer = await this.node.people(session, action, request);
    return answer.ok ? ok({ type: 'user', answer: JSON.stringify(answer.value) }) : answer;
  }

  async #call(session: Session, message: RpcMessage): Promise<Result<ServerMessage, Failure>> {
    const { hub, principal } = session;
    const answer = await this.node.calls().call({ hub, principal, session }, message).answer;
    return answer.ok ? ok({ type: 'rpc', ...answer.value }) : answer;
  }

  async #ask(session: Session, question: ChannelQuestion): Promise<Result<ServerMessage, Failure>> {
    const parts = this.node.serving();
    const name = parseChannelName(question.channel);
    if (!name.ok) return err(failure('BAD_NAME', { channel: question.channel, message: name.error }));
    const ref = { hub: session.hub, channel: name.value };
    const rules = this.node.rulesOf(ref);
    const refused = 'code' in rules ? rules : refusal(session.principal, 'subscribe', name.value, rules);
    if (refused) return err(refused);
    if (!parts) return err(failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    const { channels } = parts.core;
    const active = channels.use(ref);
    await channels.readable(active);
    return await answerTo(question, parts.core, active);
  }
}
