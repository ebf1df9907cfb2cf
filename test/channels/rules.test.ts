import { expect, test } from 'vitest';
import { refusal } from '../../src/channels/permissions.js';
import { type RuleConfig, defaultRules, rulesFor, undefinedSets } from '../../src/channels/rules.js';

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

const anonymous = { authenticated: false, admin: false };
const user = { authenticated: true, admin: false };
const admin = { authenticated: true, admin: true };

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

test('kinds of channels that are not served are refused as such, not as a question of rights', () => {
  for (const channel of ['u:alice']) {
    expect(refusal(admin, 'publish', channel, defaultRules)?.code).toBe('UNSUPPORTED');
  }
});
