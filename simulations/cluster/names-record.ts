/** What was seen of names that several people wanted at once. */

/** A name that one of them registered, and what it was told. */
export interface NameRace {
  readonly name: string;
  readonly by: string;
  outcome: 'unknown' | 'made' | 'taken' | 'rejected' | 'indeterminate';
}

/** What one node says. */
export interface SeenNames {
  /** By name: who is let in by it with what it registered; a code where that is not said. */
  readonly owners: ReadonlyMap<string, string>;
  /** By name: whose the token is that some node gave for it; a code where it is nobody's. */
  readonly tokens: ReadonlyMap<string, string>;
}

export class NamesRecord {
  readonly races: NameRace[] = [];
  /** By node, in the end and once more when all had been stopped. */
  readonly looks: ReadonlyMap<string, SeenNames>[] = [];
  /** Of people who are gone, as nodes have them in the end. */
  keysLeft: readonly string[] = [];
}
