/** Who may import whom. One table; every rule below follows from it. The reasons: docs/architecture.md. */
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const ports = 'engine/ports';
const api = 'engine/api';
const cores = [
  'base',
  'log',
  'protocol',
  'cluster',
  'replication',
  'channels',
  'sessions',
  'hubs',
  'people',
  'documents',
  'notifications',
  'presence',
];

/** `cli` and `server` compose everything, so they have no row. */
const mayImport = {
  base: [],
  log: ['base'],
  protocol: ['base', 'log'],
  cluster: ['base'],
  replication: ['base', 'log', 'cluster'],
  channels: ['base', 'log', 'protocol'],
  hubs: ['base', 'log', 'protocol', 'channels'],
  people: ['base', 'hubs'],
  presence: ['base', 'protocol'],
  sessions: ['base', 'protocol', 'log', 'channels'],
  engine: cores,
  storage: ['base', 'log', ports],
  peer: ['base', 'log', 'cluster', 'replication', ports, api],
  gateway: ['base', 'log', 'protocol', 'hubs', 'people', ports, api],
  services: ['base', 'log', 'protocol', 'hubs', ports, api],
  documents: ['base', 'log'],
  notifications: ['base', 'log', 'documents'],
  client: ['base', 'log', 'protocol', 'documents'],
};
const pure = [...cores, 'engine'];
const composing = ['cli', 'server'];
const entries = [
  'src/cli/main.ts',
  'src/client/index.ts',
  'src/client/people.ts',
  'src/client/admin.ts',
  'src/client/documents-entry.ts',
  'src/client/notifications.ts',
  'src/client/presence.ts',
  'src/protocol/index.ts',
  'src/server/index.ts',
];
/** Started as processes of their own. */
const processes = ['src/server/worker.ts', 'src/peer/pulse-thread.ts'];

/** Parts of the cluster are proven in the simulator before the engine composes them. */
const simulator = 'simulations/run.ts';
const ahead = ['cluster', 'replication'];

const entry = `^(${[...entries, ...processes].join('|')})$`;
const start = `^(${[...entries, ...processes, simulator].join('|')})$`;
const below = (folders) => `^src/(${folders.join('|')})/`;
const targets = (names) => names.map((name) => (name.includes('/') ? `${name}\\.ts$` : `${name}/`)).join('|');

const layers = Object.entries(mayImport).map(([layer, allowed]) => ({
  name: `layer-${layer}`,
  comment: `${layer} may import ${allowed.join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: below([layer]) },
  to: { path: '^src/', pathNot: `^src/(${targets([layer, ...allowed])})` },
}));

// Before the entry files are written nothing is reachable, and the rule would say so of every file.
const reachability = entries.every((file) => existsSync(join(__dirname, file)))
  ? [
      {
        name: 'no-dead-files',
        comment: 'every file is reached from an entry file, or by the simulator',
        severity: 'error',
        from: { path: start },
        to: { reachable: false, path: '^src/', pathNot: `${entry}|${below(ahead)}|\\.d\\.ts$` },
      },
    ]
  : [];

module.exports = {
  forbidden: [
    ...layers,
    {
      name: 'known-folders',
      comment: 'a new folder below src needs a row in the table',
      severity: 'error',
      from: { path: '^src/', pathNot: below([...Object.keys(mayImport), ...composing]) },
      to: {},
    },
    {
      name: 'pure-has-no-io',
      comment: 'pure folders import no Node module and no package',
      severity: 'error',
      from: { path: below(pure) },
      to: { couldNotResolve: false, pathNot: '^src/' },
    },
    {
      name: 'client-stays-in-browsers',
      comment: 'not even indirectly may the client reach what a browser lacks',
      severity: 'error',
      from: { path: '^src/client/' },
      to: {
        reachable: true,
        path: '^src/',
        pathNot: below(['client', 'protocol', 'documents', 'log', 'base']),
      },
    },
    {
      name: 'client-has-no-packages',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { couldNotResolve: false, pathNot: '^src/' },
    },
    {
      name: 'product-knows-no-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|simulations|examples|bench|scripts)/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolvable',
      comment: 'an import that leads nowhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    ...reachability,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: join(__dirname, 'tsconfig.json') },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
