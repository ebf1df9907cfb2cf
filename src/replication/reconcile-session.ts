/** The home that asks, in one comparison with another home: which ranges are still to be asked about, which questions are
 *  under way, and when it ends. Whatever the other answers it ends: steps, ranges, tries and what is kept are bounded.
 *  Pure: `now` is a parameter, what is to be sent is taken with `questions`. */
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import { type Finding, compareRanges, firstRanges } from './reconcile-ranges.js';
import type { ItemTable } from './reconcile-items.js';
import type { ComparedRange, Purpose, Reconcile, Reconciled, RingRange } from './reconcile-messages.js';

/** done: every range was compared. silent: the other does not answer. endless: it made more of it than an honest home can.
 *  wrong: it answered what was not asked. */
export type SessionState = 'going' | 'done' | 'silent' | 'endless' | 'wrong';

export interface SessionOptions {
  /** Random. */
  readonly session: number;
  readonly purpose: Purpose;
  readonly table: ItemTable;
  /** What both hold, none going round the end of the ring. */
  readonly arcs: readonly RingRange[];
}

interface Asked {
  readonly message: Reconcile;
  readonly step: number;
  tries: number;
  busy: number;
  askAt: number;
}

interface Waiting {
  readonly range: ComparedRange;
  readonly step: number;
}

export class ReconcileSession {
  state: SessionState = 'going';
  /** Differences the other counted and did not name. */
  more = 0;
  /** What arrived at the other through this one is compared, once all is; Infinity before it answered. */
  arrival = Infinity;
  /** Questions that were sent, repeats left out. */
  questionsAsked = 0;
  readonly #options: SessionOptions;
  /** The last is asked first: what was begun is finished before more is begun, so little waits. */
  readonly #waiting: Waiting[];
  readonly #asked = new Map<number, Asked>();
  readonly #rangesMax: number;
  #ranges = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#waiting = firstRanges(options.table, options.arcs).map((range) => ({ range, step: 0 }));
    this.#waiting.reverse();
    const { reconcileRangesTotal, reconcileRangesPerItem } = limits;
    this.#rangesMax =
      reconcileRangesTotal + this.#waiting.length + reconcileRangesPerItem * options.table.size;
    this.#endIfDone();
  }

  get session(): number {
    return this.#options.session;
  }

  /** When something is to be asked again. */
  get deadline(): number {
    let next = Infinity;
    if (this.state === 'going') for (const { askAt } of this.#asked.values()) next = Math.min(next, askAt);
    return next;
  }

  /** What was not compared to the end: where to begin another time. */
  get left(): readonly RingRange[] {
    const asked = [...this.#asked.values()].flatMap(({ message }) => message.ranges);
    return [...this.#waiting.map(({ range }) => range), ...asked].map(({ from, to }) => ({ from, to }));
  }

  /** To be sent now: questions that are due again, and new ones as far as they are not too many at once. */
  questions(now: number): Reconcile[] {
    if (this.state !== 'going') return [];
    const due = this.#dueAgain(now);
    if (this.state !== 'going') return [];
    while (this.#waiting.length > 0 && this.#asked.size < limits.reconcileWindow) due.push(this.#next(now));
    return due;
  }

  /** Returns what was found, as seen from here. */
  answered(answer: Reconciled, now: number): readonly Finding[] {
    const asked = this.#asked.get(answer.number);
    if (!asked || answer.session !== this.session || this.state !== 'going') return [];
    if (answer.isBusy) return this.#busy(asked, now);
    const { table, purpose } = this.#options;
    if (!isAnswer(answer, asked.message)) return this.#end('wrong');
    this.#asked.delete(answer.number);
    this.more += answer.more;
    this.arrival = Math.min(this.arrival, answer.arrival);
    const compared = compareRanges(table, answer.ranges, purpose, 'asks');
    if (!this.#mayAsk(compared.ranges.length, asked.step + 1)) return this.#end('endless');
    for (const range of compared.ranges) this.#waiting.push({ range, step: asked.step + 1 });
    this.#endIfDone();
    return compared.findings;
  }

  #mayAsk(ranges: number, step: number): boolean {
    this.#ranges += ranges;
    if (planted('reconcile-endless')) return true;
    return this.#ranges <= this.#rangesMax && (ranges === 0 || step <= limits.reconcileStepsMax);
  }

  #busy(asked: Asked, now: number): readonly Finding[] {
    asked.tries = 1;
    asked.askAt = now + limits.reconcileBusyMs;
    if (++asked.busy > limits.reconcileBusyMax) this.state = 'silent';
    return [];
  }

  #end(state: SessionState): readonly Finding[] {
    this.state = state;
    return [];
  }

  #endIfDone(): void {
    if (this.state === 'going' && this.#waiting.length === 0 && this.#asked.size === 0) this.state = 'done';
  }

  #dueAgain(now: number): Reconcile[] {
    const due: Reconcile[] = [];
    for (const asked of this.#asked.values()) {
      if (now < asked.askAt) continue;
      if (asked.tries >= limits.reconcileTriesMax) {
        this.state = 'silent';
        return [];
      }
      asked.tries++;
      asked.askAt = now + limits.reconcileAnswerMs;
      due.push(asked.message);
    }
    return due;
  }

  /** One question of ranges of one step. */
  #next(now: number): Reconcile {
    const { session, purpose } = this.#options;
    const ranges: ComparedRange[] = [];
    const { step } = this.#waiting.at(-1)!;
    // Whoever answers names every channel of every range.
    const rangesMax = purpose === 'learn' ? limits.reconcileLearnedRangesMax : limits.reconcileRangesMax;
    let bytes = 0;
    for (;;) {
      const next = this.#waiting.at(-1);
      if (!next || next.step !== step || ranges.length >= rangesMax) break;
      bytes += bytesOf(next.range);
      if (ranges.length > 0 && bytes > limits.reconcileQuestionBytes) break;
      ranges.push(next.range);
      this.#waiting.pop();
    }
    const number = ++this.questionsAsked;
    const message = { type: 'reconcile', session, number, purpose, ranges } as const;
    this.#asked.set(number, { message, step, tries: 1, busy: 0, askAt: now + limits.reconcileAnswerMs });
    return message;
  }
}

function bytesOf(range: ComparedRange): number {
  if (range.kind === 'items') return range.items.length;
  return range.kind === 'sum' ? range.fingerprint.length : 16 * range.found.length;
}

/** Whether every range of an answer lies in one that was asked about, and there are no more than an honest home makes. */
function isAnswer({ ranges }: Reconciled, { ranges: asked }: Reconcile): boolean {
  if (ranges.length > limits.reconcileBranching * asked.length) return false;
  const sorted = [...asked].sort((a, b) => (a.from < b.from ? -1 : 1));
  return ranges.every((range) => {
    const outer = lastFrom(sorted, range.from);
    return outer !== undefined && range.to <= outer.to && range.from < range.to;
  });
}

function lastFrom(sorted: readonly RingRange[], from: string): RingRange | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.from <= from) low = middle + 1;
    else high = middle;
  }
  return sorted[low - 1];
}
