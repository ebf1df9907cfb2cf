/** What is not so of trims that were forced, each as a record that tells it. */
import type { SeenFloors } from '../../simulations/cluster/archive.js';
import type { StoredTrim } from '../../simulations/cluster/checkers/store-log.js';
import type { ClusterRecord, SeenDot } from '../../simulations/cluster/record.js';

interface Told {
  readonly record: ClusterRecord;
  readonly raised: SeenFloors[];
  /** In their order. */
  readonly entries: (SeenDot & { trim?: StoredTrim })[];
}

type ForcedLie = readonly [checker: string, what: string, tell: (of: Told) => void];

export const forcedLies = (channel: string): readonly ForcedLie[] => [
  [
    'I19 forced trims hold',
    'a publish is said to have trimmed by force',
    ({ record, entries }) => {
      const { writer, seq } = entries.at(-1)!;
      record.forced.push({ node: 'n1', channel, dot: { writer, seq } });
    },
  ],
  [
    'I13 forced is told',
    'readers are told that retention removed what was forced out',
    ({ record, raised, entries }) => {
      const { writer, seq } = entries[0]!;
      const removed = new Map([[writer, seq]]);
      const trim = { through: { writer, seq }, floors: removed, forced: { writer, seq } };
      entries.at(-1)!.trim = trim;
      raised.push({ disk: 0, node: 'n1', channel, trim });
      for (const { events } of record.readers)
        events[0] = {
          type: 'gap',
          atMs: 3_000,
          reason: 'trimmed',
          ranges: [{ writer, fromSeq: seq, toSeq: seq }],
        };
    },
  ],
];
