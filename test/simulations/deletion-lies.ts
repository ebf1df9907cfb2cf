/** What is not so of what was deleted, each as a record that tells it. */
import { type StoredTrim, deleteKind } from '../../simulations/cluster/checkers/store-log.js';
import type { ClusterRecord, SeenDot } from '../../simulations/cluster/record.js';

interface Told {
  readonly record: ClusterRecord;
  /** In their order. */
  readonly entries: (SeenDot & { kind?: number; trim?: StoredTrim })[];
}

type DeletionLie = readonly [checker: string, what: string, tell: (of: Told) => void];

export const deletionLies = (channel: string): readonly DeletionLie[] => [
  [
    'R33 deleted is gone',
    'what an end stands on is still there',
    ({ entries }) => {
      const end = entries.at(-1)!;
      const { writer, seq } = end;
      end.kind = deleteKind;
      end.trim = { through: { writer, seq }, floors: new Map([[writer, seq]]) };
    },
  ],
  [
    'R33 deletions hold',
    'a publish is said to have ended a generation',
    ({ record, entries }) => {
      const { writer, seq } = entries.at(-1)!;
      record.deletions.push({ node: 'n1', channel, dot: { writer, seq } });
    },
  ],
];
