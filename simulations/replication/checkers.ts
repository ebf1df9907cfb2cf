/** What is checked, by name, so that each check can be switched off to show that nothing else sees what it sees. */

export const checkers = [
  /** Committed entries form one order that only grows. */
  'order',
  /** Every home places them so. */
  'places',
  /** A store holds only what it can place. */
  'closed',
  /** One dot names one entry. */
  'content',
  /** What was acked at `quorum` is in the final order. */
  'acked',
  /** What was acked by one disk is in it as long as that disk lives. */
  'owner-acked',
  /** An ack says the level reached and the copies there are. */
  'copies',
  /** Only committed trims remove, for good, and nothing but what they name. */
  'trimmed',
  /** What a promise stands on is not said to be lost. */
  'lost',
  /** Readers get each entry once, with its past before it. */
  'delivered',
  /** `late` is exact. */
  'late',
  /** Readers get everything in the end. */
  'complete',
  /** After the faults end all homes come to hold the same. */
  'rest',
  /** A store that was rolled back is found out at once. */
  'noticed',
  /** What nobody uses is the same at all homes too. */
  'caught-up',
  /** What a home tells of what it holds is so, and homes whose digests differ hold different entries. */
  'digests',
  /** Two homes that compare what they hold find what differs, and nothing else. */
  'differences',
  /** A comparison ends, whatever is answered. */
  'ends',
  /** Nobody alarms without a reason. */
  'alarms',
  /** The assertions of the product. */
  'asserted',
] as const;
export type Checker = (typeof checkers)[number];

export class Violation extends Error {
  override readonly name = 'Violation';

  constructor(
    readonly checker: Checker | 'simulation',
    what: string,
  ) {
    super(what);
  }
}

let off: Checker | undefined;

export function switchOff(checker: Checker | undefined): void {
  off = checker;
}

export function isOn(checker: Checker): boolean {
  return checker !== off;
}

/** A promise. */
export function check(checker: Checker, condition: boolean, what: () => string): void {
  if (!condition && isOn(checker)) throw new Violation(checker, what());
}

/** What the simulation itself rests on. */
export function mustHold(condition: unknown, what: () => string): asserts condition {
  if (!condition) throw new Violation('simulation', what());
}
