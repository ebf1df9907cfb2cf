/** A file system of memory that can be filled, where the system lets this process mount one. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const sizeMiB = 256;
const blockBytes = 1_048_576;

export class SmallDisk {
  readonly #ballast: string;

  private constructor(
    /** Name of the node whose data lies there. */
    readonly node: string,
    readonly folder: string,
  ) {
    this.#ballast = join(folder, 'ballast');
  }

  /** `undefined` where it is not permitted. */
  static mount(node: string): SmallDisk | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'ringlog-disk-'));
    const mounted = spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'ringlog', folder]);
    if (mounted.status === 0) return new SmallDisk(node, folder);
    rmSync(folder, { recursive: true });
    return undefined;
  }

  /** Nothing more can be written. */
  fill(): void {
    const file = openSync(this.#ballast, 'w');
    const block = Buffer.alloc(blockBytes);
    try {
      for (let i = 0; i < sizeMiB; i++) writeSync(file, block);
    } catch {
      // That was the last of it.
    } finally {
      closeSync(file);
    }
  }

  empty(): void {
    rmSync(this.#ballast, { force: true });
  }

  unmount(): void {
    spawnSync('/bin/umount', [this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
