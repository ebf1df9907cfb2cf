/** Every alarm that a node may raise stands in docs/operations.md, with what to do. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../support/project-root.js';

const source = join(projectRoot(), 'src');
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('client/'))
  .map((name) => readFileSync(join(source, name), 'utf8'));

/** Where codes of alarms are written down: raised, passed on, or listed in a type. */
const places = [
  /type: 'alarm',\s*(?:readonly )?code: ([^;,}]+)/g,
  /type: 'alarm';\s*readonly code: ([^;]+)/g,
  /\balarm\(([^,]*),/gi,
  /\.tell\(\s*('[A-Z_]+')/g,
  /type AlarmCode =([^;]+);/g,
  /interface Fault \{\s*readonly code: ([^;]+);/g,
];
const codes = new Set(
  files.flatMap((text) =>
    places.flatMap((place) =>
      [...text.matchAll(place)].flatMap(([, found]) =>
        [...found!.matchAll(/'([A-Z]+(?:_[A-Z]+)*)'/g)].map(([, code]) => code!),
      ),
    ),
  ),
);
/** Of membership, which has one code and says more in its message. */
const kinds = /interface MembershipAlarm \{[^}]*?readonly code: ([^;]+);/.exec(
  readFileSync(join(source, 'cluster/effects.ts'), 'utf8'),
)![1]!;

const operations = readFileSync(join(projectRoot(), 'docs/operations.md'), 'utf8');

test('all alarms are found where they are raised', () => {
  // One of each way in which they are written.
  const ways = [
    'CLOCK_STEP',
    'UNKNOWN_FILE',
    'RING_FORK',
    'DOT_CONFLICT',
    'RECONCILE_ENDLESS',
    'PEER_FOREIGN',
  ];
  expect([...codes]).toEqual(expect.arrayContaining(ways));
  expect(codes.size).toBeGreaterThanOrEqual(35);
});

test.each([...codes, ...[...kinds.matchAll(/'([a-z-]+)'/g)].map(([, kind]) => kind!)])(
  '%s stands in docs/operations.md',
  (code) => {
    expect(operations.includes(`\`${code}\``)).toBe(true);
  },
);

test('docs/operations.md lists no alarm that is none', () => {
  const listed = operations
    .split('\n')
    .filter((line) => /^\| `[A-Z_]+`/.test(line))
    .flatMap((line) => [...line.split('|')[1]!.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code!));
  expect(listed.filter((code) => !codes.has(code))).toEqual([]);
});
