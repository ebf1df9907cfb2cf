/** Keeps a number of operations under way on each connection: whatever a read answers is sent anew at once, in one
 *  write. */
import type { Speaker } from './conversation.js';
import { Latencies } from './latencies.js';
import { Link } from './link.js';
import { type Duration, type LoadResult, drainLimitMs, measure } from './measuring.js';
import { within } from './within.js';

export interface PublishLoad extends Duration {
  readonly speakers: readonly Speaker[];
  /** Operations under way over all connections; each has at least one frame under way. */
  readonly inFlight: number;
  /** Ends after so many operations, where it is reached before the time. */
  readonly operationsMax?: number;
}

/** What is under way in truth: no less than one frame on each connection. */
export function inFlightOf(load: Pick<PublishLoad, 'inFlight' | 'speakers'>): number {
  return load.speakers.reduce(
    (sum, speaker) => sum + framesInFlight(load, speaker) * speaker.operationsPerFrame,
    0,
  );
}

export async function runPublishLoad(load: PublishLoad): Promise<LoadResult> {
  const run = new PublishRun(load);
  return run.result();
}

function framesInFlight(
  { inFlight, speakers }: Pick<PublishLoad, 'inFlight' | 'speakers'>,
  speaker: Speaker,
) {
  return Math.max(1, Math.floor(inFlight / speakers.length / speaker.operationsPerFrame));
}

class PublishRun {
  readonly #load: PublishLoad;
  readonly #latencies = new Latencies();
  readonly #failed: Promise<never>;
  #fail!: (error: Error) => void;
  #whenDrained: () => void = () => {};
  #answered = 0;
  #waiting = 0;
  #state: 'warming' | 'measuring' | 'draining' = 'warming';

  constructor(load: PublishLoad) {
    this.#load = load;
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    // Who waits for it hears of it; until somebody does it is no unhandled rejection.
    this.#failed.catch(() => {});
  }

  async result(): Promise<LoadResult> {
    const { speakers } = this.#load;
    const lanes = speakers.map((speaker) => new Lane(speaker));
    const links = await Link.openAll(speakers, (index) => {
      const lane = lanes[index]!;
      return {
        taken: (count) => this.#taken(lane, count),
        turn: () => this.#send(lane),
        failed: this.#fail,
      };
    });
    try {
      for (const [i, lane] of lanes.entries()) {
        lane.link = links[i];
        lane.free = framesInFlight(this.#load, lane.speaker) * lane.speaker.operationsPerFrame;
        this.#send(lane);
      }
      const counted = await measure(this.#load, {
        failed: this.#failed,
        count: () => this.#answered,
        begin: () => (this.#state = 'measuring'),
      });
      const latencies = this.#latencies.summary();
      await this.#drain();
      for (const { speaker, sent } of lanes) {
        const problem = speaker.problem(sent);
        if (problem !== undefined) throw new Error(problem);
      }
      return { ...counted, operationsInAll: this.#answered, ...(latencies && { latencies }) };
    } finally {
      for (const link of links) link.close();
    }
  }

  #taken(lane: Lane, count: number): void {
    if (count === 0) return;
    if (this.#state === 'measuring') lane.latenciesOf(count, this.#latencies);
    lane.answered += count;
    lane.free += count;
    this.#answered += count;
    this.#waiting -= count;
    if (this.#waiting < 0) this.#fail(new Error('more was answered than was asked'));
    if (this.#waiting === 0 && this.#state === 'draining') this.#whenDrained();
  }

  #send(lane: Lane): void {
    if (this.#state === 'draining' || !lane.link) return;
    this.#waiting += lane.send();
  }

  async #drain(): Promise<void> {
    this.#state = 'draining';
    if (this.#waiting === 0) return;
    const drained = new Promise<void>((resolve) => (this.#whenDrained = resolve));
    await within(Promise.race([drained, this.#failed]), drainLimitMs, `waiting for ${this.#waiting} answers`);
  }
}

/** One connection's part of the load. */
class Lane {
  readonly speaker: Speaker;
  link: Link<Speaker> | undefined;
  /** Frames. */
  sent = 0;
  /** Operations. */
  answered = 0;
  /** Operations that may be sent now. */
  free = 0;
  readonly #sentAt: Float64Array;
  readonly #write = (bytes: Uint8Array) => this.link!.write(bytes);

  constructor(speaker: Speaker) {
    this.speaker = speaker;
    this.#sentAt = new Float64Array(speaker.frames.count);
  }

  /** As many whole frames as are free; returns their operations. */
  send(): number {
    const { frames, operationsPerFrame } = this.speaker;
    const count = Math.floor(this.free / operationsPerFrame);
    if (count === 0) return 0;
    const now = performance.now();
    for (let i = this.sent; i < this.sent + count; i++) this.#sentAt[i % frames.count] = now;
    frames.send(this.sent, this.sent + count, this.#write);
    this.sent += count;
    this.free -= count * operationsPerFrame;
    return count * operationsPerFrame;
  }

  /** The oldest `count` operations under way are answered now. */
  latenciesOf(count: number, latencies: Latencies): void {
    const { frames, operationsPerFrame } = this.speaker;
    const now = performance.now();
    const end = this.answered + count;
    for (let at = this.answered; at < end;) {
      const frame = Math.floor(at / operationsPerFrame);
      const next = Math.min(end, (frame + 1) * operationsPerFrame);
      latencies.add(now - this.#sentAt[frame % frames.count]!, next - at);
      at = next;
    }
  }
}
