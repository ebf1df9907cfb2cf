/** Who has the names of groups that several wanted at once. */
import type { Checker } from './evidence.js';

const groupsLog = '$groups';

/** P5: one that was told so at most, and whoever was told so has it at every node; who was told that it is another's was told the
 *  truth. Where entries of the log of groups were given up all nodes say that groups cannot be told. */
export const groupsHaveOneMaker: Checker = function* ({ record, homesOf }) {
  const logs = homesOf(groupsLog).flatMap(({ channels }) => channels.get(groupsLog) ?? []);
  const isLacking = logs.some(({ writers }) => [...writers.values()].flat().some(({ lost }) => lost));
  const makers = new Map<string, string>();
  for (const { group, user, outcome } of record.groupRaces) {
    if (outcome !== 'made') continue;
    const other = makers.get(group);
    if (other !== undefined) yield `${group} was made by ${other} and by ${user}`;
    makers.set(group, user);
  }
  for (const seen of record.groups) {
    const owners = new Map<string, string>();
    for (const [node, said] of seen) {
      for (const [group, owner] of said) {
        const maker = makers.get(group);
        const isUntold = isLacking && owner === 'UNAVAILABLE';
        if (maker !== undefined && owner !== maker && !isUntold)
          yield `${group} of ${maker} is ${owner || 'nobody'}’s at ${node}`;
        const before = owners.get(group) ?? owner;
        if (before !== owner)
          yield `${group} is ${before || 'nobody'}’s, and at ${node} ${owner || 'nobody'}’s`;
        owners.set(group, owner);
      }
    }
    for (const { group, user, outcome } of record.groupRaces) {
      const owner = owners.get(group);
      if (outcome === 'taken' && owner === '')
        yield `${user} was told that ${group} is taken, and it is nobody’s`;
      if (outcome === 'taken' && owner === user) yield `${user} was told that its own ${group} is another’s`;
      if (outcome === 'rejected' && owner === user) yield `${group} is ${user}’s, whose request was refused`;
    }
  }
};
