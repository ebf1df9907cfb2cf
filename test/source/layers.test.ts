/** The rules that hold the shape, held themselves: each forbidden thing is planted in a small tree and refused. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';

const project = fileURLToPath(new URL('../..', import.meta.url));
const configs = ['.dependency-cruiser.cjs', '.oxlintrc.json', 'scripts/lint', 'types', 'package.json'];
const compilerConfigs = ['base', 'pure', 'browser'].map((name) => `tsconfig.${name}.json`);

type Tree = Readonly<Record<string, string>>;

/** A tree in which every folder does what it may, up to the limit of what it may. */
const allowed: Tree = {
  'src/base/result.ts': 'export const result = 1;',
  'src/log/entry.ts': `export { result as entry } from '../base/result.js';`,
  'src/protocol/index.ts': `export * from '../log/entry.js';\nexport { result as codec } from '../base/result.js';`,
  'src/cluster/ring.ts': `export { result as ring } from '../base/result.js';`,
  'src/replication/claim.ts': `export { ring as claim } from '../cluster/ring.js';`,
  'src/channels/plain.ts': `export { entry as plain } from '../protocol/index.js';`,
  'src/hubs/settings.ts': `export { plain as settings } from '../channels/plain.js';`,
  'src/people/users.ts': `export { settings as users } from '../hubs/settings.js';`,
  'src/presence/origins.ts': `export { entry as origins } from '../protocol/index.js';`,
  'src/documents/fold.ts': `export { entry as fold } from '../log/entry.js';`,
  'src/sessions/session.ts': `export { plain as session } from '../channels/plain.js';`,
  'src/engine/ports.ts': `export { entry as ports } from '../log/entry.js';`,
  'src/engine/api.ts': `export { ports as api } from './ports.js';`,
  'src/engine/engine.ts': [
    `export * from './api.js';`,
    `export * from '../replication/claim.js';`,
    `export * from '../sessions/session.js';`,
    `export * from '../people/users.js';`,
    `export * from '../documents/fold.js';`,
    `export * from '../presence/origins.js';`,
  ].join('\n'),
  'src/storage/store.ts': `import 'node:fs';\nexport { ports as store } from '../engine/ports.js';`,
  'src/peer/link.ts': `import 'node:dgram';\nexport { api as link } from '../engine/api.js';`,
  'src/gateway/http.ts': `import 'fastify';\nexport { api as http } from '../engine/api.js';`,
  'src/services/nats.ts': `export { codec as nats } from '../protocol/index.js';`,
  'src/client/index.ts': `export { codec as client } from '../protocol/index.js';`,
  'src/client/people.ts': `export { client as people } from './index.js';`,
  'src/client/admin.ts': `export { client as admin } from './index.js';`,
  'src/client/presence.ts': `export { client as presence } from './index.js';`,
  'src/client/notifications.ts': `export { client as notifications } from './index.js';`,
  'src/client/documents-entry.ts': `export { fold as documents } from '../documents/fold.js';`,
  'src/server/index.ts': ['engine/engine', 'storage/store', 'peer/link', 'gateway/http', 'services/nats']
    .map((path) => `export * from '../${path}.js';`)
    .join('\n'),
  'src/cli/main.ts': `import '../server/index.js';`,
};

let made: string[] = [];
afterEach(() => {
  for (const folder of made) rmSync(folder, { recursive: true });
  made = [];
});

function plant(...trees: readonly Tree[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringlog-layers-'));
  made.push(folder);
  for (const config of [...configs, ...compilerConfigs, 'tsconfig.json']) {
    cpSync(join(project, config), join(folder, config), { recursive: true });
  }
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  for (const [path, text] of trees.flatMap((tree) => Object.entries(tree))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${text}\n`);
  }
  return folder;
}

/** What a program of ours prints in that folder; that it fails is expected. */
function output(folder: string, program: string, ...args: readonly string[]): Promise<string> {
  const command = [join(project, 'node_modules', program), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: folder, maxBuffer: 1e8 }, (_, stdout) => resolve(stdout));
  });
}

type Violation = { from: string; to: string; rule: { name: string } };

async function violations(folder: string): Promise<string[]> {
  const json = await output(folder, 'dependency-cruiser/bin/dependency-cruise.mjs', '-T', 'json', 'src');
  const { summary } = JSON.parse(json) as { summary: { violations: Violation[] } };
  return summary.violations.map(({ from, rule }) => `${from.replace(/^src\//, '')} ${rule.name}`);
}

/** Each planted file and the rule that must refuse it. */
const forbidden: readonly (readonly [file: string, rule: string, text: string])[] = [
  ['base/upward.ts', 'layer-base', `export * from '../log/entry.js';`],
  ['cluster/sideways.ts', 'layer-cluster', `export * from '../log/entry.js';`],
  ['replication/typed.ts', 'layer-replication', `export type { api } from '../engine/api.js';`],
  ['presence/upward.ts', 'layer-presence', `export * from '../channels/plain.js';`],
  ['documents/upward.ts', 'layer-documents', `export * from '../channels/plain.js';`],
  ['sessions/dynamic.ts', 'layer-sessions', `export const late = () => import('../engine/api.js');`],
  ['storage/inside.ts', 'layer-storage', `export * from '../engine/engine.js';`],
  ['storage/calls.ts', 'layer-storage', `export * from '../engine/api.js';`],
  ['peer/inside.ts', 'layer-peer', `export * from '../engine/engine.js';`],
  ['gateway/shell.ts', 'layer-gateway', `export * from '../storage/store.js';`],
  ['services/core.ts', 'layer-services', `export * from '../channels/plain.js';`],
  ['client/server.ts', 'layer-client', `export * from '../engine/api.js';`],
  ['client/indirect.ts', 'client-stays-in-browsers', `export * from '../log/leak.js';`],
  ['log/leak.ts', 'layer-log', `export * from '../engine/ports.js';`],
  ['client/files.ts', 'client-has-no-packages', `import 'node:fs';`],
  ['client/package.ts', 'client-has-no-packages', `import 'ws';`],
  ['log/files.ts', 'pure-has-no-io', `import 'node:fs';`],
  ['engine/timers.ts', 'pure-has-no-io', `import 'timers/promises';`],
  ['channels/package.ts', 'pure-has-no-io', `import type {} from 'fastify';`],
  ['protocol/files.ts', 'pure-has-no-io', `import 'node:buffer';`],
  ['protocol/package.ts', 'pure-has-no-io', `import 'ws';`],
  ['server/testing.ts', 'product-knows-no-tests', `import '../../test/helper.js';`],
  ['server/simulated.ts', 'product-knows-no-tests', `import '../../simulations/world.js';`],
  ['base/circle.ts', 'no-cycles', `export * from './circle.js';`],
  ['base/typo.ts', 'resolvable', `export * from './nowhere.js';`],
  ['base/forgotten.ts', 'no-dead-files', 'export const forgotten = 1;'],
  ['extra/folder.ts', 'known-folders', `export * from '../base/result.js';`],
];

describe('the layer rules', () => {
  test('accept what the table allows', async () => {
    expect(await violations(plant(allowed))).toEqual([]);
  });

  test('refuse every planted import, by the rule meant for it', async () => {
    const planted = Object.fromEntries(forbidden.map(([file, , text]) => [`src/${file}`, text]));
    const outside = { 'test/helper.ts': 'export {};', 'simulations/world.ts': 'export {};' };
    const found = await violations(plant(allowed, planted, outside));
    for (const [file, rule] of forbidden) expect(found).toContain(`${file} ${rule}`);
  });
});

describe('the compiler', () => {
  const ambient = [
    'setTimeout(() => {}, 1)',
    'console',
    'process',
    'crypto',
    'performance',
    'fetch',
    'Buffer',
  ];
  const lines = ambient.map((name) => `export const _${ambient.indexOf(name)} = ${name};`).join('\n');

  test('knows no timers, console or process in pure folders', async () => {
    const folder = plant({ 'src/cluster/ambient.ts': lines });
    const text = await output(
      folder,
      '@typescript/native/bin/tsc',
      '--pretty',
      'false',
      '-p',
      'tsconfig.pure.json',
    );
    for (let line = 1; line <= ambient.length; line += 1) expect(text).toContain(`ambient.ts(${line},`);
  });

  test("knows none of Node's names in the client", async () => {
    const folder = plant({
      'src/client/node.ts': 'export const pid = process.pid;\nexport const x = Buffer.from("x");',
    });
    const text = await output(
      folder,
      '@typescript/native/bin/tsc',
      '--pretty',
      'false',
      '-p',
      'tsconfig.browser.json',
    );
    expect(text).toContain('node.ts(1,');
    expect(text).toContain('node.ts(2,');
  });
});

describe('the linter', () => {
  const impure = ['Date.now()', 'new Date()', 'Date()', 'Math.random()', 'Math["random"]()', '[Date].length'];
  const harmless = [
    'new Date(0).toISOString()',
    'Date.UTC(2024)',
    'Math.floor(1.5)',
    '{ Date: 1, random: 2 }',
  ];
  const lines = [...impure, ...harmless].map((code, index) => `export const _${index} = ${code};`).join('\n');

  async function refusedLines(path: string, text: string): Promise<number[]> {
    const folder = plant({ [path]: text });
    const json = await output(folder, 'oxlint/bin/oxlint', '--type-aware', '-f', 'json', path);
    const { diagnostics } = JSON.parse(json) as { diagnostics: { labels: { span: { line: number } }[] }[] };
    return [...new Set(diagnostics.flatMap(({ labels }) => labels.map(({ span }) => span.line)))].sort(
      (a, b) => a - b,
    );
  }

  test('refuses clock and chance in pure folders, and only there', async () => {
    expect(await refusedLines('src/sessions/impure.ts', lines)).toEqual(impure.map((_, index) => index + 1));
    expect(await refusedLines('src/server/impure.ts', lines)).toEqual([]);
  });

  test('refuses promises left alone, `any`, values imported as types, and switches that forget a case', async () => {
    const bad = [
      `export const later = async () => 1;`,
      `export function f(): void { later(); }`,
      `export const loose: any = 1;`,
      `import { result } from '../base/result.js'; export type R = typeof result;`,
      `export function g(x: 'a' | 'b'): number { switch (x) { case 'a': return 1; } return 2; }`,
    ];
    expect(await refusedLines('src/base/loose.ts', bad.join('\n'))).toEqual([2, 3, 4, 5]);
  });
});
