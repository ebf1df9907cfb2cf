/** What is not so of who is there, of a document, of notifications, groups and kept sessions, each as a record that tells it. */
import type {
  ClusterRecord,
  SeenChange,
  SeenDocument,
  SeenNotice,
  SeenNotifications,
} from '../../simulations/cluster/record.js';

type FoldLie = readonly [
  checker: string,
  what: string,
  tell: (of: { readonly record: ClusterRecord }) => void,
];

const presence = (expected: readonly string[], who: string, said: readonly string[]) => ({
  expected,
  seen: new Map([[who, said]]),
});

function document(more: Partial<SeenDocument> = {}): SeenDocument {
  const nodes = new Map([
    ['n1', 'version 1'],
    ['n2', 'version 1'],
  ]);
  return { nodes, clients: new Map([['d1', 'a']]), document: 'a', log: [1], voids: new Set(), ...more };
}

const change = (more: Partial<SeenChange>): SeenChange => ({
  id: 1,
  by: 'd1',
  degrade: false,
  outcome: 'acked',
  told: 'quorum',
  entry: 'w1-1',
  ...more,
});

function notifications(more: Partial<SeenNotifications> = {}): SeenNotifications {
  const nodes = new Map([
    ['n1', '1 of 1'],
    ['n2', '1 of 1'],
  ]);
  const listed = new Map([['w1-1', '1 unread']]);
  return { nodes, clients: new Map([['i1', '1 of 1']]), count: '1 of 1', listed, overdue: [], ...more };
}

const notice = (more: Partial<SeenNotice>): SeenNotice => ({
  id: 1,
  outcome: 'acked',
  entry: 'w1-1',
  ...more,
});

const ownedBy = (node: string, owner: string) => [node, new Map([['team', owner]])] as const;

/** Says it of the record, where one of these was looked at. */
function ofDocument(seen: SeenDocument[], ...changes: SeenChange[]): FoldLie[2] {
  return ({ record }) => {
    record.documents.push(...seen);
    record.changes.push(...changes);
  };
}

function ofNotifications(seen: SeenNotifications[], ...notices: SeenNotice[]): FoldLie[2] {
  return ({ record }) => {
    record.notifications.push(...seen);
    record.notices.push(...notices);
  };
}

export const foldLies: readonly FoldLie[] = [
  [
    'P1 presence is exact',
    'a node sees a ghost',
    ({ record }) => void record.presences.push(presence(['a 1'], 'n1', ['a 1', 'b 1'])),
  ],
  [
    'P1 presence is exact',
    'a list lacks somebody',
    ({ record }) => void record.presences.push(presence(['a 1', 'b 1'], 's1', ['a 1'])),
  ],
  [
    'P1 presence is exact',
    'a node names somebody twice',
    ({ record }) => void record.presences.push(presence(['a 1'], 'n1', ['a 1', 'a 1'])),
  ],
  [
    'F2 documents are equal',
    'a node says something else after all were stopped',
    ofDocument([document(), document({ nodes: new Map([['n2', 'version 2']]) })]),
  ],
  [
    'F2 documents are what their log comes to',
    'all nodes say the same, and the log something else',
    ofDocument([document({ folded: 'version 2' })]),
  ],
  [
    'F4 followers have it',
    'a client has another document',
    ofDocument([document({ clients: new Map([['d1', 'b']]) })]),
  ],
  ['F3 changes count once', 'a change took effect twice', ofDocument([document({ log: [1, 1] })])],
  [
    'F3 changes count once',
    'an acknowledged change is neither there nor void',
    ofDocument([document()], change({ id: 2 })),
  ],
  [
    'F3 changes count once',
    'a refused change took effect',
    ofDocument([document()], change({ outcome: 'rejected', told: 'PATCH_FAILED' })),
  ],
  [
    'F3 changes count once',
    'a change never got an answer',
    ofDocument([document()], change({ outcome: 'open' })),
  ],
  [
    'F3 authors are told',
    'a change is void, and nobody said so',
    ofDocument([document({ log: [], voids: new Set(['a-1']) })], change({ entry: 'a-1', after: 'nothing' })),
  ],
  [
    'F3 authors are told',
    'a change is gone, and nobody said so',
    ofDocument([document({ log: [] })], change({ told: 'owner', after: 'nothing' })),
  ],
  [
    'F3 authors are told',
    'a change took effect, and its author was told that it is void',
    ofDocument([document()], change({ after: 'void' })),
  ],
  [
    'F3 authors are told',
    'a change is void, and its author was told so twice',
    ofDocument(
      [document({ log: [], voids: new Set(['a-1']) })],
      change({ entry: 'a-1', after: 'void', voidsTold: 2 }),
    ),
  ],
  [
    'N1 notifications are equal',
    'a node says something else',
    ofNotifications([
      notifications({
        nodes: new Map([
          ['n1', '1 of 1'],
          ['n2', '0 of 1'],
        ]),
      }),
    ]),
  ],
  [
    'N1 notifications outlive',
    'what was unread is read after all were stopped',
    ofNotifications([notifications(), notifications({ listed: new Map([['w1-1', '1 read']]) })]),
  ],
  [
    'N2 unread is told',
    'a follower was told another number',
    ofNotifications([notifications({ count: '0 of 1' })]),
  ],
  [
    'N4 expired is said',
    'something expired long ago, and nobody says so',
    ofNotifications([notifications({ overdue: ['w1-1'] })]),
  ],
  [
    'N5 notifications are what their log comes to',
    'all nodes say that it is unread, and by the log it is read',
    ofNotifications([notifications({ folded: new Map([['w1-1', '1 read']]) })]),
  ],
  [
    'N1 notices are kept',
    'an acknowledged notification is not there',
    ofNotifications([notifications()], notice({ id: 2, entry: 'w1-2' })),
  ],
  [
    'N1 notices are kept',
    'a refused notification is there',
    ofNotifications([notifications()], notice({ outcome: 'rejected' })),
  ],
  [
    'N1 notices are kept',
    'what was marked as read is unread',
    ({ record }) => {
      record.notifications.push(notifications());
      record.read.add('w1-1');
    },
  ],
  [
    'P5 groups have one maker',
    'two were told so',
    ({ record }) =>
      void record.groupRaces.push(
        { group: 'team', user: 'g1', outcome: 'made' },
        { group: 'team', user: 'g2', outcome: 'made' },
      ),
  ],
  [
    'P5 groups have one maker',
    'two nodes say different things',
    ({ record }) => void record.groups.push(new Map([ownedBy('n1', 'g1'), ownedBy('n2', 'g2')])),
  ],
  [
    'P5 groups have one maker',
    'it is nobody’s, and somebody was told that it is taken',
    ({ record }) => {
      record.groupRaces.push({ group: 'team', user: 'g1', outcome: 'taken' });
      record.groups.push(new Map([ownedBy('n1', '')]));
    },
  ],
  [
    'S1 keys count once',
    'one key restores two sessions',
    ({ record: { restores } }) => {
      for (const client of ['k1', 'k2'])
        restores.push({ client, key: 'aa', channels: [], allowed: undefined });
    },
  ],
  [
    'S2 what was kept comes back',
    'a subscription is missing',
    ({ record }) =>
      void record.restores.push({ client: 'k1', key: 'aa', channels: ['a'], allowed: [['a', 'b'], ['b']] }),
  ],
  [
    'S3 kept sessions come back',
    'a session is gone',
    ({ record }) => void record.lastRestores.push({ client: 'k1', outcome: 'refused' }),
  ],
];
