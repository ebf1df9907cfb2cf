import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('the flag that paces collections is one this version of Node knows', () => {
  const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  expect(options).toContain('--heap-growing-percent ');
});
