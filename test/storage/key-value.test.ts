import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';
import { seededRandom } from '../../src/base/random.js';
import { levelKeyValue } from '../../src/storage/level-key-value.js';
import { memoryKeyValue } from '../../simulations/world/memory-key-value.js';
import { keyValueContract } from '../contracts/key-value.js';

keyValueContract('LevelDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ringlog-index-'));
  return {
    keyValue: levelKeyValue(join(directory, 'index')),
    run: (task) => task(),
    done: () => rm(directory, { recursive: true }),
  };
});

keyValueContract('memory', async () => ({
  keyValue: memoryKeyValue(),
  run: (task) => task(),
  done: async () => {},
}));

keyValueContract('the simulator', async () => {
  const clock = new SimulatedClock();
  const index = new SimulatedIndex({ clock, random: seededRandom(1) });
  return { keyValue: index.keyValue(), run: (task) => clock.until(task()), done: async () => {} };
});
