/** What was found to be wrong: a count of each kind, and the first examples in words. */

export const violationKinds = [
  /** Acknowledged, and absent where it should be. */
  'lost',
  /** One publish, two entries. */
  'doubled',
  /** Delivered more than once to one reader. */
  'duplicate',
  'out-of-order',
  /** Skipped by a reader, or declared missing to it. */
  'gap',
  /** Refused for good or never sent, and there all the same; or delivered and not in the store. */
  'phantom',
  /** Not the bytes that were published, or a checksum that does not fit. */
  'altered',
  /** The store's files contradict themselves. */
  'damaged',
] as const;
export type ViolationKind = (typeof violationKinds)[number];

const examplesMax = 5;

export class Violations {
  readonly #counts = new Map<ViolationKind, number>();
  readonly #examples = new Map<ViolationKind, string[]>();

  add(kind: ViolationKind, example: () => string): void {
    this.#counts.set(kind, this.count(kind) + 1);
    const examples = this.#examples.get(kind) ?? [];
    if (examples.length < examplesMax) examples.push(example());
    this.#examples.set(kind, examples);
  }

  count(kind: ViolationKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  get total(): number {
    return violationKinds.reduce((sum, kind) => sum + this.count(kind), 0);
  }

  /** "lost: …" for the first of each kind, and how many more there are. */
  *lines(): Generator<string, void, undefined> {
    for (const [kind, examples] of this.#examples) {
      for (const example of examples) yield `${kind}: ${example}`;
      const more = this.count(kind) - examples.length;
      if (more > 0) yield `${kind}: and ${more} more`;
    }
  }
}
