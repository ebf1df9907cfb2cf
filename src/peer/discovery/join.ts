/** The setting `join`: how other nodes are found. */
import { type Result, err, ok } from '../../base/result.js';
import { parseAddress } from '../addresses.js';
import type { NameToFind } from './names.js';

export interface JoinPlan {
  /** Asks the local network. */
  readonly isAuto: boolean;
  readonly addresses: readonly string[];
  readonly names: readonly NameToFind[];
}

const defaultPort = 7946;

export function parseJoin(items: readonly string[]): Result<JoinPlan, string> {
  const addresses: string[] = [];
  const names: NameToFind[] = [];
  for (const item of items) {
    if (item === 'auto' || item === 'none') continue;
    const name = /^dns:([^:\s]+)(?::(\d{1,5}))?$/.exec(item);
    const address = parseAddress(item) ?? parseAddress(`${item}:${defaultPort}`);
    if (name) names.push({ name: name[1]!, port: name[2] === undefined ? defaultPort : Number(name[2]) });
    else if (address && !item.startsWith('dns:'))
      addresses.push(parseAddress(item) ? item : `${item}:${defaultPort}`);
    else
      return err(
        `join has "${item}"; write auto, none, host:port such as 10.0.0.5:7946, or dns:name, several joined by commas.`,
      );
  }
  if (items.includes('none') && items.length > 1)
    return err('join is "none", or names how others are found; not both.');
  return ok({ isAuto: items.includes('auto'), addresses, names });
}
