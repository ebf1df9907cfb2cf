import type { PlantedBug } from '../../../src/base/planted.js';
import type { Finder } from '../bugs.js';
export function findInScenario(_bug: PlantedBug): Promise<Finder | undefined> {
  return Promise.resolve(undefined);
}
