/** What is not so of what was redacted, each as a record that tells it. */
import { redactKind } from '../../simulations/cluster/checkers/store-log.js';
import type { ClusterRecord, Reader, SeenDot } from '../../simulations/cluster/record.js';

interface Told {
  readonly record: ClusterRecord;
  /** In their order. */
  readonly entries: (SeenDot & { kind?: number; redacts?: SeenDot; isRedacted?: true })[];
}

type RedactionLie = readonly [checker: string, what: string, tell: (of: Told) => void];

export const redactionLies = (channel: string): readonly RedactionLie[] => [
  [
    'E1 redacted is gone',
    'what is redacted is still in a file',
    ({ entries }) => {
      const by = entries.at(-1)!;
      by.kind = redactKind;
      by.redacts = dotOf(entries[0]!);
    },
  ],
  [
    'E1 redacted is gone',
    'who comes at the end is given what is redacted',
    ({ record, entries }) => {
      const by = entries.at(-1)!;
      by.kind = redactKind;
      by.redacts = dotOf(entries[0]!);
      entries[0]!.isRedacted = true;
      const [first] = record.readers;
      const final: Reader = { ...first!, name: 'last', phase: 'restart' };
      record.readers.push(final);
    },
  ],
  [
    'E2 redactions hold',
    'a publish is said to have redacted something',
    ({ record, entries }) => {
      const [of, by] = [entries[0]!, entries.at(-1)!];
      record.redactions.push({ node: 'n1', channel, of: dotOf(of), by: dotOf(by) });
    },
  ],
  [
    'E2 nothing else is redacted',
    'an entry is without its content by nobody’s word',
    ({ entries }) => (entries[1]!.isRedacted = true),
  ],
];

function dotOf({ writer, seq }: SeenDot): SeenDot {
  return { writer, seq };
}
