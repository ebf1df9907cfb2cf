/** Loaded into the process of a node before anything else (`NODE_OPTIONS=--import …`): its machine has a wrong clock, or a slow disk, as a file
 *  says that is read again on SIGUSR2. Only what the process sees is changed: the wall clock, and when a sync is over. */
import fs, { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

/** What the file holds, as JSON. */
export interface Oddities {
  /** The wall clock is ahead of the others by so much, or behind. */
  readonly aheadMs: number;
  /** A sync takes this much longer. */
  readonly syncMs: number;
}

const normal: Oddities = { aheadMs: 0, syncMs: 0 };
let now = normal;

function read(file: string): Oddities {
  try {
    return { ...normal, ...(JSON.parse(readFileSync(file, 'utf8')) as Partial<Oddities>) };
  } catch {
    // Not written yet.
    return normal;
  }
}

type Sync = (descriptor: number, done: (error: NodeJS.ErrnoException | null) => void) => void;

function slowly(sync: Sync): Sync {
  return (descriptor, done) => {
    const { syncMs } = now;
    sync(descriptor, syncMs > 0 ? (error) => void setTimeout(() => done(error), syncMs) : done);
  };
}

const { ODD_MACHINE } = process.env;
if (ODD_MACHINE !== undefined) {
  now = read(ODD_MACHINE);
  if (isMainThread) process.on('SIGUSR2', () => (now = read(ODD_MACHINE)));
  const trueNow = Date.now;
  globalThis.Date = class extends Date {
    constructor(...given: readonly unknown[]) {
      super(...((given.length > 0 ? given : [trueNow() + now.aheadMs]) as [number]));
    }
    static override now = () => trueNow() + now.aheadMs;
  } as DateConstructor;
  const odd = fs as { fdatasync: Sync; fsync: Sync };
  odd.fdatasync = slowly(fs.fdatasync as Sync);
  odd.fsync = slowly(fs.fsync as Sync);
  syncBuiltinESMExports();
}
