import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

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
    include: ['test/**/*.test.ts'],
    passWithNoTests: true,
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
  },
});
