/** The configuration of a node from its layers: flag over environment over file over default. */
import { readFileSync } from 'node:fs';
import { Compile } from 'typebox/compile';
import { parseDocument } from 'yaml';
import { parseChannelName, parseHubName } from '../base/ids.js';
import { isLoopback } from '../base/loopback.js';
import { type RuleConfig, undefinedSets } from '../channels/rules.js';
import { checkDocument } from '../hubs/change.js';
import type { Provider } from '../hubs/provider.js';
import { ConfigError } from './config-error.js';
import { type Config, configSchema } from './config-schema.js';
import { nodeAt, parseSetting, settings } from './config-settings.js';
import { type ListenAddress, parseListen } from './listen-address.js';
import { nearest } from './nearest.js';

export { ConfigError } from './config-error.js';
export type { Config } from './config-schema.js';

export interface ConfigLayers {
  /** A file that must exist; without it `ringlog.yaml` of the working directory is read where there is one. `false`:
   *  no file. */
  readonly file?: string | false;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Text by key, such as `session.pingIntervalMs`. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Values by section, for embedding. */
  readonly values?: object;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly file: string | undefined;
  /** Keys that are not at their default, with where they were set. */
  readonly sources: ReadonlyMap<string, 'file' | 'environment' | 'flag' | 'value'>;
  readonly warnings: readonly string[];
}

type Tree = { [key: string]: unknown };

const check = Compile(configSchema);
const defaultFile = 'ringlog.yaml';
/** Variables of ours that are no settings: the client commands' and the tests'. */
const otherVariables = new Set([
  'RINGLOG_URL',
  'RINGLOG_TOKEN',
  'RINGLOG_CA_FILE',
  'RINGLOG_PASSWORD',
  'RINGLOG_CONFIG',
  'RINGLOG_CLUSTER_KEY',
  'RINGLOG_TEST_DATA',
  'RINGLOG_CHROMIUM',
]);

export function loadConfig(layers: ConfigLayers): LoadedConfig {
  const environment = layers.environment ?? {};
  const sources = new Map<string, 'file' | 'environment' | 'flag' | 'value'>();
  const tree = defaults();
  const file = layers.file ?? environment['RINGLOG_CONFIG'];
  const fromFile = readConfigFile(file);
  if (fromFile) overlay(tree, fromFile.tree, [], (key) => sources.set(key, 'file'));
  for (const setting of settings) {
    const text = environment[setting.environment];
    if (text === undefined || text === '') continue;
    put(tree, setting.path, parseSetting(setting, text));
    sources.set(setting.key, 'environment');
  }
  for (const [key, text] of Object.entries(layers.flags ?? {})) {
    const setting = settings.find((each) => each.key === key);
    if (!setting)
      throw new ConfigError(
        unknownKey(
          key,
          settings.map((each) => each.key),
        ),
      );
    put(tree, setting.path, parseSetting(setting, text));
    sources.set(key, 'flag');
  }
  if (layers.values) overlay(tree, layers.values as Tree, [], (key) => sources.set(key, 'value'));
  const config = checked(tree);
  return { config, file: fromFile?.file, sources, warnings: strangeVariables(environment) };
}

/** Hubs and rule sets as the engine takes them. */
export function ruleConfigOf(config: Config): RuleConfig {
  return {
    sets: config.rules as RuleConfig['sets'],
    hubs: { [config.hub]: {}, ...config.hubs } as RuleConfig['hubs'],
  };
}

/** Checked when it was loaded. */
export function providersOf({ providers }: Config): Readonly<Record<string, Provider>> {
  return providers as Readonly<Record<string, Provider>>;
}

function defaults(): Tree {
  const tree: Tree = { rules: {}, hubs: {}, providers: {} };
  for (const setting of settings) put(tree, setting.path, setting.default);
  return tree;
}

function put(tree: Tree, path: readonly string[], value: unknown): void {
  let node = tree;
  for (const name of path.slice(0, -1)) node = (node[name] ??= {}) as Tree;
  node[path.at(-1)!] = value;
}

function readConfigFile(asked: string | false | undefined): { file: string; tree: Tree } | undefined {
  if (asked === false) return undefined;
  const file = asked ?? defaultFile;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (asked === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ConfigError(`The configuration file ${file} cannot be read: ${(error as Error).message}.`);
  }
  const document = parseDocument(text, { uniqueKeys: true, version: '1.2' });
  const problem = document.errors[0];
  if (problem) throw new ConfigError(`${file} is not valid YAML: ${problem.message.trim()}`);
  const tree: unknown = document.toJS({ maxAliasCount: 20 });
  if (tree === null || tree === undefined) return { file, tree: {} };
  if (!isTree(tree))
    throw new ConfigError(`${file} must hold settings by name, such as "listen: 127.0.0.1:8080".`);
  return { file, tree };
}

/** Lays one tree over another; refuses names that are not in the schema. */
function overlay(onto: Tree, from: Tree, path: readonly string[], note: (key: string) => void): void {
  for (const [name, value] of Object.entries(from)) {
    const known = nodeAt(path)?.properties ?? {};
    if (!Object.hasOwn(known, name)) {
      throw new ConfigError(unknownKey([...path, name].join('.'), keysBelow(path, Object.keys(known))));
    }
    const section = known[name]!.properties !== undefined;
    if (section && isTree(value)) overlay((onto[name] ??= {}) as Tree, value, [...path, name], note);
    else {
      onto[name] = value;
      note([...path, name].join('.'));
    }
  }
}

const keysBelow = (path: readonly string[], names: readonly string[]) => [
  ...names.map((name) => [...path, name].join('.')),
  ...settings.map((setting) => setting.key),
];

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return `There is no setting "${key}".${meant === undefined ? '' : ` Did you mean "${meant}"?`}`;
}

function checked(tree: Tree): Config {
  if (!check.Check(tree)) throw new ConfigError(sentences(tree).join('\n'));
  const config = tree as unknown as Config;
  const hub = parseHubName(config.hub);
  if (!hub.ok) throw new ConfigError(`hub: ${hub.error}`);
  for (const [name, references] of Object.entries(config.hubs)) {
    const parsed = parseHubName(name);
    if (!parsed.ok) throw new ConfigError(`hubs.${name}: ${parsed.error}`);
    for (const channel of Object.keys(references.channels ?? {})) {
      const channelName = parseChannelName(channel);
      if (!channelName.ok) throw new ConfigError(`hubs.${name}.channels.${channel}: ${channelName.error}`);
    }
  }
  const providers = checkDocument({ providers: config.providers });
  if (!providers.ok) throw new ConfigError(providers.error);
  const missing = undefinedSets(ruleConfigOf(config))[0];
  if (missing !== undefined) {
    const meant = nearest(missing, Object.keys(config.rules));
    throw new ConfigError(
      `There is no rule set "${missing}" in rules.${meant === undefined ? '' : ` Did you mean "${meant}"?`}`,
    );
  }
  refuseOpenNetwork(config, parseListen(config.listen));
  return deepFreeze(config);
}

function refuseOpenNetwork(config: Config, listen: ListenAddress): void {
  if (isLoopback(listen.host) || !config.auth.anonymous || config.insecure) return;
  throw new ConfigError(
    `Listening on ${config.listen} would let anyone on the network read and write, because clients without a token are served. ` +
      'Set auth.anonymous to false (--auth-anonymous=false), listen on 127.0.0.1, or say --insecure if the network is trusted.',
  );
}

function sentences(tree: Tree): string[] {
  const out: string[] = [];
  for (const error of check.Errors(tree)) {
    const path = error.instancePath.split('/').slice(1);
    if (error.keyword === 'boolean') {
      const siblings = Object.keys(nodeAt(path.slice(0, -1))?.properties ?? {});
      const named = siblings.map((name) => [...path.slice(0, -1), name].join('.'));
      out.push(unknownKey(path.join('.'), named));
    } else if (error.keyword !== 'additionalProperties' && error.keyword !== 'anyOf') {
      const choices = nodeAt(path)?.enum;
      out.push(`${path.join('.')} ${choices ? `must be one of ${choices.join(', ')}` : error.message}.`);
    }
  }
  return out.length > 0 ? out : ['The configuration is not valid.'];
}

function strangeVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set([...settings.map((setting) => setting.environment), ...otherVariables]);
  return (
    Object.keys(environment)
      .filter((name) => name.startsWith('RINGLOG_') && !known.has(name))
      // Kubernetes sets these for a service called "ringlog"; refusing them would keep a node from starting there.
      .filter((name) => !/_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)$/.test(name))
      .map((name) => {
        const meant = nearest(name, known);
        return `The variable ${name} is no setting and has no effect.${meant === undefined ? '' : ` Did you mean ${meant}?`}`;
      })
  );
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child);
    Object.freeze(value);
  }
  return value;
}
