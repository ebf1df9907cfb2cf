/** What it costs to look whether a client may publish: with a hundred patterns granted, in a hub that is closed to all others. */
import { Grants } from '../../src/channels/grants.js';
import { refusal } from '../../src/channels/permissions.js';
import { defaultRules } from '../../src/channels/rules.js';
import { notesColumn, rateColumns } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { OpenSuite, Suite } from './suite.js';

const patterns = 100;
/** Publishes a second of the publishing part on one processor (docs/performance.md): the check may take a twentieth of one. */
const publishesPerSecond = 363_000;
const target = 'permission check';
const cells = [
  { name: '16 channels', channels: 16 },
  { name: '10,000 channels in turn', channels: 10_000 },
] as const;

export const rightsSuite: Suite = {
  name: 'rights',
  title: `May it publish? ${patterns} patterns granted`,
  columns: [...rateColumns('checks'), notesColumn],
  open: async ({ measureMs }): Promise<OpenSuite> => ({
    runs: cells.map(({ name, channels }) => ({
      cell: name,
      target,
      sample: async () => ({ rate: checksPerSecond(channels, measureMs) }),
    })),
    goals: (rows: Rows): Goal[] => [
      {
        name: `${target}, ${cells[0].name}: a twentieth of a publish`,
        value: rows.rate(cells[0].name, target) ?? Number.NaN,
        bound: 20 * publishesPerSecond,
        sense: 'at least',
        unit: 'checks/s',
      },
    ],
    problems: () => [],
    close: () => Promise.resolve(),
  }),
};

function checksPerSecond(channels: number, forMs: number): number {
  const publish = Array.from({ length: patterns }, (_, i) =>
    i % 4 === 0 ? `room:${i}:*` : i % 4 === 1 ? `game:#:${i}` : i % 4 === 2 ? `a*b*${i}` : `hall:${i}`,
  );
  const asker = { actor: 'ada', authenticated: true, admin: false, grants: new Grants({ publish }) };
  const rules = { ...defaultRules, public: false, clientPublish: false };
  const names = Array.from({ length: channels }, (_, i) => `game:${i}:${4 * (i % 25) + 1}`);
  const begun = performance.now();
  let checks = 0;
  while (performance.now() - begun < forMs) {
    for (let i = 0; i < 10_000; i++) {
      const name = names[checks++ % channels]!;
      if (refusal(asker, 'publish', name, rules)) throw new Error(`${name} was refused`);
    }
  }
  return (1000 * checks) / (performance.now() - begun);
}
