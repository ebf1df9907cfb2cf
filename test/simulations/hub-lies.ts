/** What is not so of a hub whose settings change, and of names that several people registered, each as a record that tells it. */
import { ruleSet } from '../../simulations/cluster/settings-operator.js';
import type { ClusterRecord } from '../../simulations/cluster/record.js';
import type { SeenSettings } from '../../simulations/cluster/settings-record.js';

type HubLie = readonly [
  checker: string,
  what: string,
  tell: (of: { readonly record: ClusterRecord }) => void,
];

const closed = ruleSet(false, false, 1);
const document = { rules: { gate: closed }, channels: { 'gate:1': 'gate' } };
const open = { id: 1, event: 'replace', payload: '{"document":{}}' };
const close = { id: 2, event: 'replace', payload: JSON.stringify({ document }) };
const text = `channels gate:1 "gate"\nrules gate ${JSON.stringify(closed)}`;

/** An administrator opened the gate and closed it, and a node says what comes of that. */
function look(more: Partial<SeenSettings> = {}): SeenSettings {
  const documents = new Map([['n1', text]]);
  return { when: 'in the end', asked: 2, documents, logs: new Map([['n1', [open, close]]]), ...more };
}

const told = ({ settings }: ClusterRecord, outcomes: readonly ['acked' | 'rejected', 'acked' | 'rejected']) =>
  outcomes.forEach((outcome) => {
    settings.change({ type: 'replace', document: {} }, 'n1 1').outcome = outcome;
  });

function ofSettings(tell: (settings: ClusterRecord['settings']) => void, seen = look()): HubLie[2] {
  return ({ record }) => {
    told(record, ['acked', 'acked']);
    tell(record.settings);
    record.settings.looks.push(seen);
  };
}

const use = (settings: ClusterRecord['settings'], isAllowed: boolean) => {
  const at = settings.moment();
  const right = 'publish' as const;
  settings.uses.push({ who: 'w1', life: 'n1 1', right, what: 'publish', isAllowed, sentAt: at, at });
};

export const hubLies: readonly HubLie[] = [
  [
    'H1 rights are as known',
    'a node lets somebody publish after it said that nobody may',
    ofSettings((settings) => {
      settings.knowledge.push({ life: 'n1 1', at: settings.moment(), change: 2 });
      use(settings, true);
    }),
  ],
  [
    'H1 rights are as known',
    'a node refuses by a change that nobody had asked for by then',
    ({ record: { settings } }) => {
      settings.change({ type: 'replace', document: {} }, 'n1 1').outcome = 'acked';
      use(settings, false);
      settings.change({ type: 'replace', document }, 'n1 1').outcome = 'acked';
      settings.looks.push(look());
    },
  ],
  [
    'H1 rights are as known',
    'a node goes back to what went before',
    ofSettings((settings) => {
      settings.knowledge.push({ life: 'n1 1', at: settings.moment(), change: 2 });
      settings.knowledge.push({ life: 'n1 1', at: settings.moment(), document: '' });
    }),
  ],
  [
    'H1 rights are as known',
    'somebody reads on without a right',
    ofSettings((settings) => void settings.uncut.push('w1 reads on')),
  ],
  [
    'H1 changes go everywhere',
    'a second later a node goes by what went before',
    ofSettings(() => {}, look({ when: 'a second later', documents: new Map([['n2', '']]) })),
  ],
  [
    'H2 settings are the order',
    'a node goes by something else',
    ofSettings(() => {}, look({ documents: new Map([['n2', '']]) })),
  ],
  [
    'H2 settings are the order',
    'a node has another log',
    ofSettings(
      () => {},
      look({
        logs: new Map([
          ['n1', [open, close]],
          ['n2', [close, open]],
        ]),
      }),
    ),
  ],
  [
    'H2 settings are the order',
    'an acknowledged change is not in the log',
    ofSettings(() => {}, look({ documents: new Map([['n1', '']]), logs: new Map([['n1', [open]]]) })),
  ],
  [
    'H2 settings are the order',
    'a refused change is in the log',
    ({ record }) => {
      told(record, ['acked', 'rejected']);
      record.settings.looks.push(look());
    },
  ],
  [
    'H11 keys of nobody are gone',
    'the key of a registration that came second is left',
    ({ record: { names } }) => void (names.keysLeft = ['0123 at n1']),
  ],
  [
    'H9 names have one owner',
    'two were told so',
    ({ record: { names } }) =>
      void names.races.push(
        { name: 'ada', by: 'v1', outcome: 'made' },
        { name: 'ada', by: 'v2', outcome: 'made' },
      ),
  ],
  [
    'H9 names have one owner',
    'who has it is not let in at a node',
    ({ record: { names } }) => {
      names.races.push({ name: 'ada', by: 'v1', outcome: 'made' });
      names.looks.push(namesAt({ n1: 'v1', n2: 'UNAVAILABLE' }));
    },
  ],
  [
    'H9 names have one owner',
    'two are let in',
    ({ record: { names } }) => void names.looks.push(namesAt({ n1: 'v1,v2' })),
  ],
  [
    'H9 names have one owner',
    'somebody was told that its own is another’s',
    ({ record: { names } }) => {
      names.races.push({ name: 'ada', by: 'v1', outcome: 'taken' });
      names.looks.push(namesAt({ n1: 'v1' }));
    },
  ],
  [
    'H9 names have one owner',
    'a token is good for nobody',
    ({ record: { names } }) =>
      void names.looks.push(
        new Map([
          ['n1', { owners: new Map([['ada', 'v1']]), tokens: new Map([['ada', 'UNAUTHENTICATED']]) }],
        ]),
      ),
  ],
];

/** By node: who is let in by the name. */
function namesAt(owners: Readonly<Record<string, string>>) {
  return new Map(
    Object.entries(owners).map(([node, owner]) => [
      node,
      { owners: new Map([['ada', owner]]), tokens: new Map<string, string>() },
    ]),
  );
}
