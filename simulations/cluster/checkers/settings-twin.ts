/** Settings of a hub, and what they let anybody do in one channel of it, written a second time and plainly. */
import type { SeenSettingEntry } from '../settings-record.js';

/** By section and name; values as JSON. */
export type Lines = ReadonlyMap<string, string>;

export interface Rights {
  readonly publish: boolean;
  readonly subscribe: boolean;
}

export const gateChannel = 'gate:1';

type Document = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

export function linesOf(document: Document): Lines {
  const lines = new Map<string, string>();
  for (const [section, items] of Object.entries(document))
    for (const [name, value] of Object.entries(items ?? {}))
      lines.set(`${section} ${name}`, JSON.stringify(value));
  return lines;
}

/** The same text for the same settings. */
export function textOf(lines: Lines): string {
  return [...lines]
    .map(([key, value]) => `${key} ${value}`)
    .sort()
    .join('\n');
}

/** Behind each entry, and first of all before any. */
export function statesOf(log: readonly SeenSettingEntry[]): Lines[] {
  const states: Lines[] = [new Map()];
  for (const { event, payload } of log) states.push(behind(states.at(-1)!, event, payload));
  return states;
}

function behind(before: Lines, event: string, payload: string): Lines {
  const { section, name, value, document } = JSON.parse(payload) as {
    section: string;
    name: string;
    value: unknown;
    document: Document;
  };
  if (event === 'replace') return linesOf(document);
  const lines = new Map(before);
  if (event === 'remove') lines.delete(`${section} ${name}`);
  else lines.set(`${section} ${name}`, JSON.stringify(value));
  return lines;
}

/** Of who has nothing but what rules give everybody. A rule set that is not there gives nothing. */
export function rightsIn(lines: Lines): Rights {
  const [namespace] = gateChannel.split(':');
  const reference =
    lines.get(`channels ${gateChannel}`) ?? lines.get(`namespaces ${namespace}`) ?? lines.get('hub rules');
  if (reference === undefined) return { publish: true, subscribe: true };
  const set = lines.get(`rules ${JSON.parse(reference) as string}`);
  if (set === undefined) return { publish: false, subscribe: false };
  const rules = JSON.parse(set) as Readonly<Record<string, unknown>>;
  return { publish: rules['clientPublish'] !== false, subscribe: rules['public'] !== false };
}
