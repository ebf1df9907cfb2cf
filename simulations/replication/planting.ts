/** Switches the bugs on that `src/base/planted.ts` can be made to have. To be imported before anything of `src/`. */
import type { PlantedBug } from '../../src/base/planted.js';

let chosen: PlantedBug | undefined;

(globalThis as { __RINGLOG_PLANTED__?: (bug: PlantedBug) => boolean }).__RINGLOG_PLANTED__ = (bug) =>
  bug === chosen;

export function plant(bug: PlantedBug | undefined): void {
  chosen = bug;
}
