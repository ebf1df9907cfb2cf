import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

/** These put others in place of modules, which files that share a process would not see. */
const replacing = ['test/engine/broken-folds.test.ts', 'test/engine/notifications-out-of-memory.test.ts'];

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // The package's own names mean its sources here, so tests need no build.
    alias: {
      'ringlog/client': source('client/index.ts'),
      'ringlog/protocol': source('protocol/index.ts'),
      'ringlog/server': source('server/index.ts'),
    },
  },
  test: {
    passWithNoTests: true,
    pool: 'forks',
    // More than a machine of two cores computes with: many tests wait for processes most of their time.
    maxWorkers: 3,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    sequence: { sequencer: LongestFirst },
    setupFiles: ['test/support/may-plant.ts'],
    projects: [
      // Each test has simulated ports, or a folder and free ports of its own, and leaves nothing behind: so files share processes,
      // and what those have loaded.
      {
        extends: true,
        test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: replacing, isolate: false },
      },
      { extends: true, test: { name: 'replacing', include: replacing } },
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
  },
});
