/** The built command: few files, which need next to nothing beside them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../support/project-root.js';

const folder = join(projectRoot(), 'dist/cli');
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const programs = readdirSync(folder).filter((file) => file.endsWith('.js'));

test('a start loads tens of files, not a thousand', () => {
  expect(programs).toEqual(expect.arrayContaining(['main.js', 'worker.js', 'pulse-thread.js']));
  expect(programs.length).toBeLessThan(50);
  const named = programs.flatMap((file) => [...read(file).matchAll(/^(?:im|ex)port .*?"([^"]+)";$/gm)]);
  const foreign = named.map(([, name]) => name!).filter((name) => !name.startsWith('./') && !isBuiltin(name));
  // The one has a compiled part, the other starts threads from files of its own.
  expect([...new Set(foreign)].sort()).toEqual(['classic-level', 'pino']);
});

test('what it has of packages comes with their licences', () => {
  const sources = programs.flatMap(
    (file) => (JSON.parse(read(`${file}.map`)) as { readonly sources: readonly string[] }).sources,
  );
  const names = sources.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  // Some came from where their authors built them, and are named by that.
  const packages = names.filter((name) => existsSync(join(projectRoot(), 'node_modules', name)));
  expect(packages).toEqual(expect.arrayContaining(['commander', 'fastify', '@grpc/grpc-js']));
  const licences = read('LICENSES.txt').split(`\n${'-'.repeat(72)}\n\n`);
  const told = new Map(licences.map((text) => [text.split(' ', 1)[0], text]));
  for (const name of new Set(packages)) expect(told.get(name), name).toMatch(/licen[cs]e|copyright/i);
});
