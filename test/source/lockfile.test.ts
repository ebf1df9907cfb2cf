import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const lock = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');

test('the lock file names no download address, so it installs from wherever a machine is told to', () => {
  expect(lock).not.toContain('"resolved"');
});

test('every direct dependency is pinned to one version', () => {
  const { dependencies, devDependencies } = JSON.parse(manifest) as Record<string, Record<string, string>>;
  const ranges = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+$/.test(version),
  );
  expect(ranges).toEqual([]);
});
