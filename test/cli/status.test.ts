import { expect, test } from 'vitest';
import { type ClusterStatusJson, clusterLines } from '../../src/cli/status-command.js';

const member = (node: string, reachable: boolean, state = 'alive') => ({
  node,
  state,
  address: `10.0.0.1:${node.length}`,
  linked: reachable,
  reachable,
  load: 0.3,
});
const cluster: ClusterStatusJson = {
  ringVersion: 4,
  settled: true,
  load: 0.7,
  members: [member('b', true), member('c', false, 'dead'), member('edge', true)],
  intervals: { all: 768, held: 768, wanted: 300, owned: 290, recovering: 2 },
  shares: [
    { node: 'a', holds: 1, first: 0.3412 },
    { node: 'b', holds: 1, first: 0.3333 },
    { node: 'c', holds: 1, first: 0.3255 },
  ],
  claims: {
    owners: [
      { node: 'a', intervals: 290 },
      { node: 'b', intervals: 470 },
    ],
    unowned: 8,
  },
  waiting: 1_200,
  homes: [
    { node: 'b', lacking: 0, compared: { agoMs: 12_300, equal: true } },
    { node: 'c', compared: { agoMs: 400_000, equal: false } },
  ],
};

test('members, shares, claims, lag and convergence, as this node sees them', () => {
  expect([...clusterLines('a', cluster)]).toEqual([
    ['ring', 'version 4'],
    ['peers', '3 known, 2 linked'],
    ['holds', '768 of 768 intervals'],
    ['acts for', '290, should for 300'],
    ['recovers', '2'],
    ['without owner', '8 of those it holds'],
    ['waiting', '1,200 entries for a majority'],
    ['member', 'a  holds 100.0 %, first 34.1 %, owns 290 here; this node; busy 70 %'],
    [
      'member',
      'b  holds 100.0 %, first 33.3 %, owns 470 here; reachable; busy 30 %; up to date with it; equal 12 s ago',
    ],
    [
      'member',
      'c  holds 100.0 %, first 32.6 %, owns 0 here; dead; not known how far behind it; differed 400 s ago',
    ],
    ['no member', 'edge  10.0.0.1:4, reachable'],
  ]);
});
