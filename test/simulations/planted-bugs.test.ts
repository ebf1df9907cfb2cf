/** Every bug that can be planted is in the code, and in a list that says what shows it. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clusterBugs } from '../../simulations/cluster/bugs.js';
import { stories } from '../../simulations/cluster/scenarios/index.js';
import { bugs, toldBugs } from '../../simulations/replication/bugs.js';
import { isShown, shownBugLines, shownBugs } from '../../simulations/replication/shown-by-tests.js';
import { storeBugs } from '../../simulations/store/bugs.js';
import { projectRoot } from '../support/project-root.js';

const source = join(projectRoot(), 'src');
/** A disk of the simulation that lies can be one too. */
const planting = ['src', 'simulations'].map((folder) => join(projectRoot(), folder));
const declared = [
  ...readFileSync(join(source, 'base/planted.ts'), 'utf8').matchAll(/^ {2}\| '([\w-]+)'/gm),
].map(([, bug]) => bug!);

test('each is declared once, planted somewhere, and listed', () => {
  const code = planting.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(folder, file), 'utf8')),
  );
  const text = code.join('');
  const listed = [bugs, toldBugs, storeBugs, clusterBugs, shownBugs].flatMap((list) =>
    list.map(({ bug }) => bug),
  );
  expect(declared.length).toBeGreaterThan(80);
  expect(new Set(declared).size).toBe(declared.length);
  expect(declared.filter((bug) => !text.includes(`planted('${bug}')`))).toEqual([]);
  expect(declared.filter((bug) => !listed.some((other) => other === bug))).toEqual([]);
});

test('a story that shows one is told', () => {
  const named = clusterBugs.flatMap(({ story }) => story ?? []);
  expect(named.filter((story) => !stories.has(story))).toEqual([]);
});

test.each(shownBugs)('$bug is shown by $test', (bug) => {
  expect(isShown(bug)).toBe(true);
});

test('one whose test is gone is told', () => {
  const gone = { ...shownBugs[0]!, test: 'test/gone.test.ts' };
  expect(isShown(gone)).toBe(false);
  const lines: string[] = [];
  expect(shownBugLines((line) => lines.push(line))).toBe(true);
  expect(lines.length).toBe(2 + shownBugs.length);
});
