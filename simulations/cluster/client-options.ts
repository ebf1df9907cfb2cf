/** What every simulated application is given. */
import type { Random } from '../../src/base/random.js';
import type { Platform } from '../../src/client/platform.js';
import type { SimulatedClock } from '../world/clock.js';
import type { ClusterRecord, SeenDot } from './record.js';
import type { Trace } from './trace.js';

export interface ClientWorld {
  readonly line: SimulatedClock;
  readonly record: ClusterRecord;
  readonly trace: Trace;
  broken(error: unknown): void;
  /** Of an entry whose content was taken out, what it had been. */
  lineAt(channel: string, dot: SeenDot): number;
}

export interface ClientOptions {
  readonly urls: readonly string[];
  readonly platform: Platform;
  readonly random: Random;
  readonly reconnectMaxMs: number;
}
