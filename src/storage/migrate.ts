/** Brings an older store to the format this program writes, step by step (`migrations/store/`), and refuses a newer one. */
import type { Files } from './files.js';
import { StoreRefusedError, newerFormat, readFormat, writeFormat } from './identity.js';
import { storeFormat } from './segment-format.js';

export interface StoreMigration {
  /** The format it starts from; it ends with the next one. */
  readonly from: number;
  /** `directory` is `store/` of the data directory, locked. May be interrupted anywhere, and is then run again. */
  run(files: Files, directory: string): Promise<void>;
}

export interface MigrateOptions {
  readonly files: Files;
  readonly directory: string;
  readonly steps: readonly StoreMigration[];
  /** The format to end with; another one in tests only. */
  readonly target?: number;
}

/** Returns the formats it went through. A store without a readable format is left to recovery. Throws
 *  StoreRefusedError. */
export async function migrate({
  files,
  directory,
  steps,
  target = storeFormat,
}: MigrateOptions): Promise<number[]> {
  const passed: number[] = [];
  for (;;) {
    const format = await readFormat(files, directory);
    if (format === undefined || format === target) return passed;
    if (format > target) throw newerFormat(format);
    const step = steps.find(({ from }) => from === format);
    if (!step) {
      throw new StoreRefusedError(
        `This store has format ${format}, and this program no longer reads it. Start it with an older program first.`,
      );
    }
    await step.run(files, directory);
    // Only now: a step that was interrupted is run again.
    await writeFormat(files, directory, format + 1);
    passed.push(format + 1);
  }
}
