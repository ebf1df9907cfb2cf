import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { seededRandom } from '../../src/base/random.js';
import { nodeFiles } from '../../src/storage/node-files.js';
import { filesContract } from '../contracts/files.js';

filesContract('the operating system', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ringlog-files-'));
  return {
    files: nodeFiles(),
    directory,
    run: (task) => task(),
    done: () => rm(directory, { recursive: true }),
  };
});

filesContract('the simulator', async () => {
  const clock = new SimulatedClock();
  const files = new SimulatedDisk({ clock, random: seededRandom(1) }).files();
  await clock.until(files.makeDirectory('/data'));
  return { files, directory: '/data', run: (task) => clock.until(task()), done: async () => {} };
});
