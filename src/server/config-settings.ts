/** The settings one by one, with the names they have everywhere: `session.pingIntervalMs` in the file is
 *  `RINGLOG_SESSION_PING_INTERVAL_MS` in the environment and `--session-ping-interval-ms` as a flag. */
import { configSchema } from './config-schema.js';

export interface Setting {
  readonly key: string;
  readonly path: readonly string[];
  readonly environment: string;
  readonly flag: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'list' | 'choice';
  readonly choices?: readonly string[];
  readonly description: string;
  readonly default: unknown;
}

/** As JSON Schema shows itself, as far as it is looked at here. */
interface Node {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: unknown;
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly description?: string;
  readonly default?: unknown;
}

export const rootNode = configSchema as unknown as Node;

/** All settings that have one value; maps (`rules`, `hubs`) are set in the file only. */
export const settings: readonly Setting[] = settingsBelow(rootNode, []);

export function nodeAt(path: readonly string[]): Node | undefined {
  let node: Node | undefined = rootNode;
  for (const name of path) node = node?.properties?.[name] ?? Object.values(node?.patternProperties ?? {})[0];
  return node;
}

/** Names for a boolean in text: what YAML users also write. */
const booleans: Readonly<Record<string, boolean>> = {
  true: true, yes: true, on: true, 1: true,
  false: false, no: false, off: false, 0: false,
}; // prettier-ignore

/** Text of the environment or a flag as the setting's type; left as text where it does not fit, for the check to say so. */
export function parseSetting(setting: Setting, text: string): unknown {
  switch (setting.type) {
    case 'integer':
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case 'boolean': {
      const known = text.trim().toLowerCase();
      return Object.hasOwn(booleans, known) ? booleans[known] : text;
    }
    case 'list':
      return text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
    case 'string':
    case 'choice':
      return text;
  }
}

function settingsBelow(node: Node, path: readonly string[]): Setting[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const childPath = [...path, name];
    if (child.properties) return settingsBelow(child, childPath);
    if (child.patternProperties) return [];
    const words = childPath.flatMap((part) => part.split(/(?=[A-Z])/)).map((word) => word.toLowerCase());
    return [
      {
        key: childPath.join('.'),
        path: childPath,
        environment: `RINGLOG_${words.join('_').toUpperCase()}`,
        flag: `--${words.join('-')}`,
        type: typeOf(child),
        ...(child.enum && { choices: child.enum }),
        description: child.description ?? '',
        default: child.default,
      },
    ];
  });
}

function typeOf(node: Node): Setting['type'] {
  if (node.enum) return 'choice';
  if (node.type === 'array') return 'list';
  return node.type as 'string' | 'integer' | 'number' | 'boolean';
}
