/** Who is in a channel, once nothing goes wrong any more. */
import type { Checker } from './evidence.js';

/** P1: every node and every client that keeps a list says that exactly those are there who are. */
export const presenceIsExact: Checker = function* ({ record }) {
  for (const { expected, seen } of record.presences) {
    for (const [who, lines] of seen) {
      const ghosts = lines.filter((line) => !expected.includes(line));
      const missing = expected.filter((line) => !lines.includes(line));
      if (ghosts.length > 0) yield `${who} says that ${ghosts.join(', ')} is there`;
      if (missing.length > 0) yield `${who} does not say that ${missing.join(', ')} is there`;
      if (new Set(lines).size < lines.length) yield `${who} names somebody twice`;
    }
  }
};
