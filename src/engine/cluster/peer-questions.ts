/** Questions to other nodes that have one answer. Few at a time to each node: an answer may be large, and whoever asks
 *  for the next one has then taken in what came before. */
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { Deadlines } from './deadlines.js';
import type { Neighbours } from './neighbours.js';
import type { Cover, Covered, Declined, Read, ReadAnswer, Since, SinceAnswer } from './peer-messages.js';
import type { Clock, Timers } from '../ports.js';

export type Question = Omit<Read, 'id'> | Omit<Since, 'id'> | Omit<Cover, 'id'>;
export type Answer = ReadAnswer | SinceAnswer | Covered | Declined;

export interface PeerQuestionsOptions {
  readonly neighbours: Neighbours;
  readonly clock: Clock;
  readonly timers: Timers;
}

interface Asked {
  readonly peer: NodeId;
  readonly question: Question;
  readonly answer: (answer: Answer | undefined) => void;
}

export class PeerQuestions {
  readonly #neighbours: Neighbours;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines<number>;
  readonly #open = new Map<number, Asked>();
  readonly #waiting = new Map<NodeId, Asked[]>();
  readonly #counts = new Map<NodeId, number>();
  #lastId = 0;

  constructor({ neighbours, clock, timers }: PeerQuestionsOptions) {
    this.#neighbours = neighbours;
    this.#clock = clock;
    this.#deadlines = new Deadlines(clock, timers, (id) => this.#settle(id, undefined));
  }

  /** `undefined` when the link breaks, or nothing comes for long. */
  ask(peer: NodeId, question: Question): Promise<Answer | undefined> {
    return new Promise((answer) => {
      if (!this.#neighbours.isLinked(peer)) return answer(undefined);
      const asked = { peer, question, answer };
      if ((this.#counts.get(peer) ?? 0) < limits.peerQuestionsMax) return this.#send(asked);
      const waiting = this.#waiting.get(peer);
      if (waiting) waiting.push(asked);
      else this.#waiting.set(peer, [asked]);
    });
  }

  answered(peer: NodeId, answer: Answer): void {
    if (this.#open.get(answer.id)?.peer === peer) this.#settle(answer.id, answer);
  }

  unlinked(peer: NodeId): void {
    const waiting = this.#waiting.get(peer) ?? [];
    this.#waiting.delete(peer);
    for (const [id, asked] of this.#open) if (asked.peer === peer) this.#settle(id, undefined);
    for (const { answer } of waiting) answer(undefined);
  }

  stop(): void {
    for (const peer of new Set([...this.#waiting.keys(), ...this.#counts.keys()])) this.unlinked(peer);
    this.#deadlines.stop();
  }

  #send(asked: Asked): void {
    const { peer, question } = asked;
    const id = ++this.#lastId;
    this.#open.set(id, asked);
    this.#counts.set(peer, (this.#counts.get(peer) ?? 0) + 1);
    this.#deadlines.set(id, this.#clock.monotonicMs() + limits.peerQuestionMs);
    this.#neighbours.tell(peer, { ...question, id });
  }

  #settle(id: number, answer: Answer | undefined): void {
    const asked = this.#open.get(id);
    if (!asked) return;
    const { peer } = asked;
    this.#open.delete(id);
    this.#deadlines.delete(id);
    const count = this.#counts.get(peer)! - 1;
    if (count > 0) this.#counts.set(peer, count);
    else this.#counts.delete(peer);
    const next = this.#waiting.get(peer)?.shift();
    if (next) this.#send(next);
    else this.#waiting.delete(peer);
    asked.answer(answer);
  }
}
