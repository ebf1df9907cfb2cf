import { expect, test } from 'vitest';
import { parseChannelName } from '../../src/base/ids.js';
import { type Action, Grants } from '../../src/channels/grants.js';
import { type Asker, refusal } from '../../src/channels/permissions.js';
import { type RuleConfig, defaultRules, rulesFor, undefinedSets } from '../../src/channels/rules.js';
import { isOwnChannel, ownerOf, userChannelOf } from '../../src/channels/user-channels.js';

const config: RuleConfig = {
  sets: { hubWide: { retain: true }, news: { clientPublish: false }, secret: { public: false } },
  hubs: {
    default: { rules: 'hubWide', namespaces: { news: 'news' }, channels: { 'news:inside': 'secret' } },
    bare: {},
  },
};

test('the most specific rule set wins, and what it does not say is the default', () => {
  expect(rulesFor(config, 'default', 'lobby')).toEqual({ ...defaultRules, retain: true });
  expect(rulesFor(config, 'default', 'news:today')).toEqual({ ...defaultRules, clientPublish: false });
  expect(rulesFor(config, 'default', 'news:inside')).toEqual({ ...defaultRules, public: false });
  expect(rulesFor(config, 'bare', 'lobby')).toEqual(defaultRules);
});

test('names that every object has are no hubs, namespaces or sets', () => {
  expect(rulesFor(config, 'constructor', 'lobby')).toBeUndefined();
  expect(rulesFor(config, 'toString', 'lobby')).toBeUndefined();
  expect(rulesFor(config, 'bare', '__proto__:x')).toEqual(defaultRules);
  expect(rulesFor(config, 'default', 'constructor:x')).toEqual({ ...defaultRules, retain: true });
});

test('references to sets that are not defined are found', () => {
  const broken = {
    sets: { a: {} },
    hubs: { x: { rules: 'a', namespaces: { n: 'b' }, channels: { c: 'b', d: 'e' } } },
  };
  expect(undefinedSets(broken)).toEqual(['b', 'e']);
});

const anonymous = { actor: '', authenticated: false, admin: false };
const user = { actor: 'eve', authenticated: true, admin: false };
const admin = { actor: 'root', authenticated: true, admin: true };

test('rules decide what clients may do; administrators may do everything but write system channels', () => {
  const closed = { ...defaultRules, public: false, clientPublish: false };
  expect(refusal(anonymous, 'publish', 'lobby', defaultRules)).toBeUndefined();
  expect(refusal(anonymous, 'publish', 'lobby', { ...defaultRules, allowAnonymous: false })?.code).toBe(
    'UNAUTHENTICATED',
  );
  expect(refusal(user, 'publish', 'lobby', { ...defaultRules, allowAnonymous: false })).toBeUndefined();
  expect(refusal(user, 'publish', 'lobby', closed)?.code).toBe('DENIED');
  expect(refusal(user, 'subscribe', 'lobby', closed)?.code).toBe('DENIED');
  expect(refusal(admin, 'publish', 'lobby', closed)).toBeUndefined();
  expect(refusal(user, 'subscribe', '$settings', defaultRules)?.code).toBe('DENIED');
  expect(refusal(admin, 'subscribe', '$settings', defaultRules)).toBeUndefined();
  expect(refusal(admin, 'publish', '$settings', defaultRules)?.code).toBe('DENIED');
});

test('a user’s channel is read by that user, and written to by whoever is known', () => {
  const code = (asker: Asker, action: Action, channel: string, rules = defaultRules) =>
    refusal(asker, action, channel, rules)?.code;
  const ada = { ...user, actor: 'ada' };
  expect(code(anonymous, 'publish', 'u:ada')).toBe('UNAUTHENTICATED');
  expect(code(anonymous, 'subscribe', 'u:ada')).toBe('UNAUTHENTICATED');
  for (const channel of ['u:ada', 'u:ada:calls']) expect(code(ada, 'subscribe', channel)).toBeUndefined();
  for (const channel of ['u:ada2', 'u:bob', 'u:bob:ada']) {
    expect(code(ada, 'subscribe', channel)).toBe('DENIED');
    expect(code(ada, 'publish', channel)).toBeUndefined();
  }
  expect(code(ada, 'publish', 'u:bob', { ...defaultRules, clientPublish: false })).toBe('DENIED');
  const support = { ...ada, grants: new Grants({ subscribe: ['u:*'] }) };
  expect(code(support, 'subscribe', 'u:bob')).toBeUndefined();
  expect(code(admin, 'subscribe', 'u:bob')).toBeUndefined();
});

test('no two users have one channel', () => {
  const names = ['é', '%C3%A9', 'a:b', 'a', 'a%3Ab', 'ada', 'u:ada', '日本'];
  const channels = names.map((name) => userChannelOf(name));
  expect(new Set(channels).size).toBe(names.length);
  expect(channels.map((channel) => parseChannelName(channel).ok)).not.toContain(false);
  expect(channels.map(ownerOf)).toEqual(names);
  expect(isOwnChannel(userChannelOf('a:b'), 'a')).toBe(false);
  for (const channel of ['u:', 'u:%', 'u:%C3', 'u:a%62', 'x:ada']) expect(ownerOf(channel)).toBeUndefined();
});
