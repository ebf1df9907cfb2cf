/** What one reader got of one channel, in the order it got it: as spans of consecutive entries of one writer, so that
 *  a whole log costs a few numbers. The log of a store is kept the same way, and the two are compared at the end. */

export interface Span {
  readonly writer: string;
  readonly fromSeq: number;
  toSeq: number;
}

export type Arrival = 'next' | 'duplicate' | 'skipped' | 'late';

interface WriterState {
  readonly first: number;
  through: number;
  /** Ranges that were jumped over and did not come since. */
  readonly holes: { from: number; to: number }[];
}

export class SequenceLog {
  readonly spans: Span[] = [];
  entries = 0;
  /** Depends on the lines and their order. */
  digest = 0x811c9dc5;
  readonly #writers = new Map<string, WriterState>();
  readonly #fromStart: boolean;

  /** `fromStart`: the reader began with the first entry of the channel, so the first of a writer has seq 1. */
  constructor(fromStart = true) {
    this.#fromStart = fromStart;
  }

  /** Duplicates are noticed and left out; `line` is 0 for an entry that is no publish of ours. */
  add(writer: string, seq: number, line: number): Arrival {
    const state = this.#stateOf(writer, seq);
    if (seq <= state.through && !closeHole(state, seq)) return 'duplicate';
    const arrival = seq === state.through + 1 ? 'next' : seq > state.through ? 'skipped' : 'late';
    if (arrival === 'skipped') state.holes.push({ from: state.through + 1, to: seq - 1 });
    if (arrival !== 'late') state.through = seq;
    this.entries++;
    this.digest = mix(mix(this.digest, seq), line);
    const last = this.spans.at(-1);
    if (last?.writer === writer && last.toSeq === seq - 1) last.toSeq = seq;
    else this.spans.push({ writer, fromSeq: seq, toSeq: seq });
    return arrival;
  }

  has(writer: string, seq: number): boolean {
    const state = this.#writers.get(writer);
    if (!state || seq > state.through || seq < state.first) return false;
    return !state.holes.some((hole) => seq >= hole.from && seq <= hole.to);
  }

  throughOf(writer: string): number {
    return this.#writers.get(writer)?.through ?? 0;
  }

  #stateOf(writer: string, seq: number): WriterState {
    let state = this.#writers.get(writer);
    if (!state) {
      // A reader that began later cannot know what its first writer had said before.
      const first = this.#fromStart || this.#writers.size > 0 ? 1 : seq;
      state = { first, through: first - 1, holes: [] };
      this.#writers.set(writer, state);
    }
    return state;
  }
}

function closeHole(state: WriterState, seq: number): boolean {
  const index = state.holes.findIndex((hole) => seq >= hole.from && seq <= hole.to);
  const hole = state.holes[index];
  if (!hole) return false;
  const rest = [
    { from: hole.from, to: seq - 1 },
    { from: seq + 1, to: hole.to },
  ].filter((part) => part.from <= part.to);
  state.holes.splice(index, 1, ...rest);
  return true;
}

/** One step of FNV-1a over numbers instead of bytes: enough to notice a difference, not to withstand an enemy. */
function mix(digest: number, value: number): number {
  return Math.imul(digest ^ value, 0x01000193) >>> 0;
}
