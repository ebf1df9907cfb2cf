/** Who has the names that several people registered at once. */
import type { NameRace, SeenNames } from '../names-record.js';
import type { Checker } from './evidence.js';

/** H9: one that was told so at most, and whoever was told so is let in by it at every node, and nobody else; who was told that it is
 *  another's was told the truth. A token of one node is good at all. */
export const namesHaveOneOwner: Checker = function* ({ record: { names } }) {
  const makers = new Map<string, string>();
  for (const { name, by, outcome } of names.races) {
    if (outcome !== 'made') continue;
    const other = makers.get(name);
    if (other !== undefined) yield `${name} was registered by ${other} and by ${by}`;
    makers.set(name, by);
  }
  for (const look of names.looks) {
    const owners = yield* ownersIn(look, makers);
    for (const race of names.races) yield* isTold(race, owners.get(race.name));
  }
};

/** H11: of whom the name is not, or who has left, no node has the key. */
export const keysOfNobodyAreGone: Checker = function* ({ record: { names } }) {
  for (const key of names.keysLeft) yield `the key of nobody is left: ${key}`;
};

/** By name; empty for nobody's. */
function* ownersIn(
  look: ReadonlyMap<string, SeenNames>,
  makers: ReadonlyMap<string, string>,
): Generator<string, ReadonlyMap<string, string>> {
  const all = new Map<string, string>();
  for (const [node, { owners, tokens }] of look) {
    for (const [name, owner] of owners) {
      const maker = makers.get(name);
      if (maker !== undefined && owner !== maker) yield `${name} of ${maker} lets in [${owner}] at ${node}`;
      if (owner.includes(',')) yield `${name} lets in [${owner}] at ${node}`;
      const before = all.get(name) ?? owner;
      if (before !== owner) yield `${name} lets in [${before}], and at ${node} [${owner}]`;
      all.set(name, owner);
    }
    for (const [name, user] of tokens) if (user !== name) yield `a token of ${name} is ${user} at ${node}`;
  }
  return all;
}

function* isTold({ name, by, outcome }: NameRace, owner: string | undefined): Generator<string> {
  if (owner === undefined) return;
  if (outcome === 'taken' && owner === '') yield `${by} was told that ${name} is taken, and it is nobody’s`;
  if (outcome === 'taken' && owner === by) yield `${by} was told that its own ${name} is another’s`;
  if (outcome === 'rejected' && owner === by) yield `${name} is ${by}’s, whose request was refused`;
}
