import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Of what is pure, runs on simulated ports or in a folder of its own: nothing is left behind, so files share a process and what it has loaded. */
const pure = [
  'base',
  'channels',
  'cluster',
  'contracts',
  'documents',
  'engine',
  'gateway',
  'hubs',
  'log',
  'notifications',
  'people',
  'presence',
  'protocol',
  'replication',
  'sessions',
  'simulations',
  'source',
  'storage',
].map((folder) => `test/${folder}/**/*.test.ts`);

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
    maxWorkers: 2,
    // A young generation twice as large is collected half as often: simulations take a tenth less processor time.
    execArgv: ['--max-semi-space-size=32'],
    // A node under test lives for seconds: compiling what it runs as well as can be takes a quarter of its processor time, and is
    // not earned back.
    env: { RINGLOG_TEST_ENGINE_FLAGS: '--interrupt-budget=1000000' },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'pure',
          include: pure,
          exclude: replacing,
          isolate: false,
          setupFiles: ['test/support/may-plant.ts'],
        },
      },
      {
        extends: true,
        test: { name: 'replacing', include: replacing, setupFiles: ['test/support/may-plant.ts'] },
      },
      {
        extends: true,
        // Each has processes, ports and folders of its own and ends them: what it imports of the SDK is imported once.
        test: { name: 'shells', include: ['test/**/*.test.ts'], exclude: pure, isolate: false },
      },
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
  },
});
