/** What recovery works on, and what comes out of it. */
import type { Observer } from '../engine/ports.js';
import type { Applier } from './applier.js';
import type { FoundSegment } from './directory.js';
import type { Files } from './files.js';
import type { Meta } from './index-rows.js';
import type { Segment, SegmentSet } from './segments.js';
import type { StoreIndex } from './store-index.js';

export interface RecoveryOptions {
  readonly files: Files;
  readonly lineage: string;
  readonly segments: SegmentSet;
  readonly index: StoreIndex;
  readonly applier: Applier;
  readonly observer: Observer;
  readonly found: readonly FoundSegment[];
  /** What the index covers at the start. */
  readonly covered: Meta;
  readonly notes: Map<string, Uint8Array>;
  /** Called before the index says that it covers what is salvaged or stored again: until recovery is done it tells only a
   *  part of that. */
  readonly onPart: () => Promise<unknown>;
}

export interface Recovered {
  readonly commits: number;
  readonly entries: number;
  readonly cutBytes: number;
  /** Something that was synced is gone, or has another arrival number: others must not go on from what they knew. */
  readonly forgot: boolean;
  /** The newest segment, when commits may go on in it. */
  readonly goOnIn: Segment | undefined;
  readonly lastCommit: number;
  readonly nextArrival: number;
  readonly nextSegment: number;
}
