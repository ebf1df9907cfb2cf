/** What recovery tells of damage: one by one up to a bound, so that a ruined disk does not fill the log. */
import { type ChannelRef, channelKey } from '../base/ids.js';
import type { Observer } from '../engine/ports.js';
import type { CommitHeader } from './commit-format.js';
import { segmentFileName } from './segment-format.js';
import type { Segment } from './segments.js';
import type { StoreIndex } from './store-index.js';

const toldMax = 100;

type Place = Pick<Segment, 'number' | 'generation'>;

export class RecoveryReport {
  readonly #observer: Observer;
  #told = 0;

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  tell(segment: Place, offset: number, what: string): void {
    this.#observe(`${segmentFileName(segment.number, segment.generation)}:${offset}`, what);
  }

  /** True when commits between the last one and this one are missing. */
  skipped(segment: Place, { number, offset }: CommitHeader, lastCommit: number): boolean {
    const missing = number - lastCommit - 1;
    if (missing > 0) this.tell(segment, offset, `${missing} commits before this place are missing`);
    return missing > 0;
  }

  short(segment: Place & { readonly size: number }, end: number): void {
    this.tell(segment, segment.size, `it ends here, and synced commits were once stored up to ${end}`);
  }

  /** Entries of these channels that are lost. */
  lost(index: StoreIndex, channels: Iterable<ChannelRef>): void {
    for (const ref of channels) {
      for (const { writer, fromSeq, toSeq } of index.slots.get(ref)?.log.holes() ?? [])
        this.#observe(channelKey(ref), `entries ${fromSeq} to ${toSeq} of writer ${writer} are lost`);
    }
  }

  #observe(place: string, what: string): void {
    if (this.#told++ <= toldMax) this.#observer.observe({ type: 'damage', place, what });
  }
}
