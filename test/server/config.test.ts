import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { settings } from '../../src/server/config-settings.js';
import {
  ConfigError,
  type ConfigLayers,
  loadConfig,
  providersOf,
  ruleConfigOf,
} from '../../src/server/config.js';
import { parseListen } from '../../src/server/listen-address.js';
import { nearest } from '../../src/server/nearest.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ringlog-config-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const path = join(folder, 'ringlog.yaml');
  writeFileSync(path, text);
  return path;
}

const refusal = (layers: ConfigLayers) => {
  try {
    loadConfig({ file: false, ...layers });
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'accepted';
};

describe('names', () => {
  test('one setting, three spellings', () => {
    expect(settings.find(({ key }) => key === 'session.pingIntervalMs')).toMatchObject({
      environment: 'RINGLOG_SESSION_PING_INTERVAL_MS',
      flag: '--session-ping-interval-ms',
      type: 'integer',
    });
    expect(settings.find(({ key }) => key === 'listen')).toMatchObject({
      environment: 'RINGLOG_LISTEN',
      flag: '--listen',
    });
  });

  test('no two settings share one', () => {
    for (const field of ['key', 'environment', 'flag'] as const) {
      expect(new Set(settings.map((setting) => setting[field])).size).toBe(settings.length);
    }
  });

  test('no setting is a secret', () => {
    expect(
      settings.map(({ key }) => key).filter((key) => /token|secret|password|clusterKey/i.test(key)),
    ).toEqual([]);
  });

  test('docs/operations.md lists every setting with its default', () => {
    const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const missing = settings.filter(({ key, default: fallback }) => {
      const line = text.split('\n').find((each) => each.startsWith(`| \`${key}\``));
      const shown = String(fallback) === '' ? 'none' : `\`${String(fallback)}\``;
      return line === undefined || !line.includes(shown);
    });
    expect(missing.map(({ key }) => key)).toEqual([]);
  });
});

describe('layers', () => {
  test('flag over environment over file over default', () => {
    const path = file('session: {pingIntervalMs: 2000, pongTimeoutMs: 300, authTimeoutMs: 400}\n');
    const { config, sources } = loadConfig({
      file: path,
      environment: { RINGLOG_SESSION_PING_INTERVAL_MS: '3000', RINGLOG_SESSION_PONG_TIMEOUT_MS: '3000' },
      flags: { 'session.pingIntervalMs': '4000' },
    });
    expect(config.session).toMatchObject({ pingIntervalMs: 4_000, pongTimeoutMs: 3_000, authTimeoutMs: 400 });
    expect(config.listen).toBe('127.0.0.1:8080');
    expect(sources.get('session.pingIntervalMs')).toBe('flag');
    expect(sources.get('session.pongTimeoutMs')).toBe('environment');
    expect(sources.get('session.authTimeoutMs')).toBe('file');
    expect(sources.has('listen')).toBe(false);
  });

  test('what homes that catch up may take is a share in percent, and nothing else', () => {
    expect(loadConfig({ file: false }).config.cluster.catchUpShare).toBe(25);
    const environment = { RINGLOG_CLUSTER_CATCH_UP_SHARE: '100' };
    expect(loadConfig({ file: false, environment }).config.cluster.catchUpShare).toBe(100);
    for (const text of ['0', '101', 'x', '12.5', ''])
      expect(refusal({ flags: { 'cluster.catchUpShare': text } })).toContain('cluster.catchUpShare');
    expect(refusal({ file: file('cluster: {catchUpShare: 0}\n') })).toContain('cluster.catchUpShare');
  });

  test('the result cannot be changed', () => {
    const { config } = loadConfig({ file: false });
    expect(() => Object.assign(config.session, { pingIntervalMs: 1 })).toThrow(TypeError);
  });

  test('lists and booleans in text', () => {
    const environment = {
      RINGLOG_HTTP_ORIGINS: 'https://a.example, https://b.example',
      RINGLOG_AUTH_ANONYMOUS: 'no',
    };
    const { config } = loadConfig({ file: false, environment });
    expect(config.http.origins).toEqual(['https://a.example', 'https://b.example']);
    expect(config.auth.anonymous).toBe(false);
  });

  test('a file that was named must be there; the default one need not', () => {
    expect(refusal({ file: join(folder, 'none.yaml') })).toContain('cannot be read');
    expect(loadConfig({ environment: {} }).file).toBeUndefined();
    expect(loadConfig({ environment: { RINGLOG_CONFIG: file('hub: other') } }).config.hub).toBe('other');
  });

  test('an empty file is fine, one that is no mapping is not', () => {
    expect(loadConfig({ file: file('# nothing\n') }).config.hub).toBe('default');
    expect(refusal({ file: file('- a\n') })).toContain('by name');
    expect(refusal({ file: file('a: [\n') })).toContain('not valid YAML');
    expect(refusal({ file: file('hub: a\nhub: b\n') })).toContain('not valid YAML');
  });
});

describe('what is wrong is told with what was meant', () => {
  test.each([
    ['sesion: {pingIntervalMs: 1}', 'There is no setting "sesion". Did you mean "session"?'],
    [
      'session: {pingInterval: 1}',
      'There is no setting "session.pingInterval". Did you mean "session.pingIntervalMs"?',
    ],
    ['session: {pingIntervalMs: soon}', 'session.pingIntervalMs must be integer.'],
    ['session: {pingIntervalMs: 5}', 'session.pingIntervalMs must be >= 1000.'],
    ['log: {level: loud}', 'log.level must be one of trace, debug, info, warn, error, fatal, silent.'],
    ['session: 7', 'session must be object.'],
    ['rules: {a: {publik: true}}', 'There is no setting "rules.a.publik". Did you mean "rules.a.public"?'],
    ['rules: {a: {ack: best}}', 'rules.a.ack must be one of memory, owner, quorum.'],
    [
      'hubs: {default: {rules: chatt}}\nrules: {chat: {}}',
      'There is no rule set "chatt" in rules. Did you mean "chat"?',
    ],
    ['hub: UPPER', 'hub: A hub name has'],
    ['hubs: {"a b": {}}', 'hubs.a b: A hub name has'],
    ['listen: somewhere', 'listen is "somewhere"; write it as host:port'],
  ])('%s', (text, sentence) => {
    expect(refusal({ file: file(text) })).toContain(sentence);
  });

  test('text of flags and environment is checked the same way', () => {
    expect(refusal({ flags: { 'session.pingIntervalMs': '1e4' } })).toContain('must be integer');
    expect(refusal({ environment: { RINGLOG_INSECURE: 'perhaps' } })).toContain('insecure must be boolean');
  });

  test('unknown variables are warnings, and those of Kubernetes none', () => {
    const { warnings } = loadConfig({
      file: false,
      environment: {
        RINGLOG_SESION_PING_INTERVAL_MS: '1',
        RINGLOG_PORT: 'tcp://10.0.0.1:8080',
        RINGLOG_PORT_8080_TCP_ADDR: '10.0.0.1',
        RINGLOG_SERVICE_HOST: '10.0.0.1',
        RINGLOG_URL: 'http://x',
        HOME: '/',
      },
    });
    expect(warnings).toEqual([
      'The variable RINGLOG_SESION_PING_INTERVAL_MS is no setting and has no effect. Did you mean RINGLOG_SESSION_PING_INTERVAL_MS?',
    ]);
  });
});

describe('listening beyond this machine', () => {
  test.each(['0.0.0.0:8080', '192.0.2.1:80', ':8080', '[::]:8080', 'example.org:8080'])(
    '%s needs a decision',
    (listen) => {
      const sentence = refusal({ values: { listen } });
      expect(sentence).toContain('anyone on the network');
      expect(sentence).toContain('--insecure');
      expect(refusal({ values: { listen, insecure: true } })).toBe('accepted');
      expect(refusal({ values: { listen, auth: { anonymous: false } } })).toBe('accepted');
    },
  );

  test.each(['127.0.0.1:0', 'localhost:8080', '[::1]:8080', '127.9.9.9:1'])('%s does not', (listen) => {
    expect(refusal({ values: { listen } })).toBe('accepted');
  });

  test('addresses', () => {
    expect(parseListen('[::1]:8080')).toEqual({ host: '::1', port: 8080 });
    expect(parseListen(':8080')).toEqual({ host: '0.0.0.0', port: 8080 });
    for (const text of ['8080', 'host', 'host:99999', '::1:80', 'a b:1']) {
      expect(() => parseListen(text)).toThrow(ConfigError);
    }
  });
});

test('rules: the hub that always exists, and hubs that refer to sets', () => {
  const { config } = loadConfig({
    file: file(
      'rules: {chat: {retain: true, retention: {maxCount: 10}}}\nhubs: {acme: {rules: chat, namespaces: {room: chat}}}\n',
    ),
  });
  expect(ruleConfigOf(config)).toEqual({
    sets: { chat: { retain: true, retention: { maxCount: 10 } } },
    hubs: { default: {}, acme: { rules: 'chat', namespaces: { room: 'chat' } } },
  });
});

test('providers of every hub are checked as those of settings are', () => {
  const jwt = "{type: jwt, issuer: 'https://i.example', jwksUrl: 'https://i.example/keys'}";
  const { config } = loadConfig({ file: file(`providers: {main: ${jwt}}\n`) });
  expect(providersOf(config)).toMatchObject({ main: { type: 'jwt', issuer: 'https://i.example' } });
  expect(() => loadConfig({ file: file('providers: {main: {type: jwt}}\n') })).toThrow(
    'providers.main: A provider of type "jwt" has an "issuer".',
  );
  expect(providersOf(loadConfig({ file: false }).config)).toEqual({});
});

test('nearest names', () => {
  expect(nearest('lissten', ['listen', 'log.level'])).toBe('listen');
  expect(nearest('zzzzzz', ['listen'])).toBeUndefined();
});
