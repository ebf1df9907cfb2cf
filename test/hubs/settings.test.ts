import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { defaultRules, rulesFor } from '../../src/channels/rules.js';
import { Catalog, encodeHubEvent } from '../../src/hubs/catalog.js';
import { checkDocument, checkSetting, decodeChange, encodeChange } from '../../src/hubs/change.js';
import type { Change } from '../../src/hubs/change.js';
import { Settings, viewOf } from '../../src/hubs/settings.js';
import type { HubName } from '../../src/base/ids.js';

const folded = (change: { event: string; payload: Uint8Array }) => ({
  ...change,
  unixMs: 0,
  actor: undefined,
});

describe('a change', () => {
  test.each<[string, Change]>([
    [
      'put',
      { type: 'put', section: 'rules', name: 'a', value: { ack: 'owner', retention: { maxCount: 1 } } },
    ],
    ['remove', { type: 'remove', section: 'channels', name: 'room:1' }],
    ['replace', { type: 'replace', document: { hub: { anonymous: false }, channels: { 'room:1': 'a' } } }],
  ])('is read as it was written: %s', (_, change) => {
    const { event, payload } = encodeChange(change);
    expect(decodeChange(event, payload)).toEqual({ ok: true, value: change });
  });

  test.each<[string, string, unknown]>([
    ['rules', 'a b', {}],
    ['rules', 'a', { public: 'yes' }],
    ['rules', 'a', { unknown: 1 }],
    ['rules', 'a', { retention: { maxCount: 0 } }],
    ['rules', 'a', { messageBytesMax: 2 ** 40 }],
    ['rules', 'a', []],
    ['rules', 'x'.repeat(129), {}],
    ['namespaces', 'a', 1],
    ['channels', 'no good', 'a'],
    ['channels', '../etc', 'a'],
    ['metadata', 'no good', {}],
    ['metadata', 'room:1', 'text'],
    ['metadata', 'room:1', []],
    ['metadata', 'room:1', { text: 'x'.repeat(4_096) }],
    ['metadata', 'room:1', JSON.parse(`${'{"a":'.repeat(17)}1${'}'.repeat(17)}`)],
    ['hub', 'anonymous', 1],
    ['hub', 'constructor', true],
    ['hub', '__proto__', {}],
  ])('of what is no setting is refused: %s %s %j', (section, name, value) => {
    expect(checkSetting(section as 'rules', name, value)).toMatchObject({ ok: false });
  });

  test.each([[null], [[]], [{ secrets: {} }], [{ rules: [] }], [{ rules: { a: { public: 1 } } }]])(
    'to what is no document is refused: %j',
    (value: unknown) => expect(checkDocument(value)).toMatchObject({ ok: false }),
  );

  test('that nobody wrote is void, whatever bytes it has', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('put', 'remove', 'replace', 'other', undefined),
        fc.string(),
        (event, text) => {
          const settings = new Settings();
          const outcome = settings.apply({ event, payload: utf8(text), unixMs: 0, actor: undefined });
          expect(outcome.isVoid && settings.document()).toEqual({});
        },
      ),
    );
  });
});

test('names that mean something to JavaScript are names', () => {
  const settings = new Settings();
  for (const name of ['__proto__', 'constructor', 'toString'])
    settings.apply(folded(encodeChange({ type: 'put', section: 'rules', name, value: { public: false } })));
  settings.apply(
    folded(encodeChange({ type: 'put', section: 'namespaces', name: '__proto__', value: 'constructor' })),
  );
  const view = viewOf('h', { sets: {}, hubs: {} }, settings.document());
  expect(rulesFor(view.rules, 'h', '__proto__:x')).toEqual({ ...defaultRules, public: false });
  expect(rulesFor(view.rules, 'h', 'toString:x')).toEqual(defaultRules);
  expect(({} as { public?: unknown }).public).toBeUndefined();
});

test('settings go over the configuration, name by name', () => {
  const config = {
    sets: { chat: { retain: true }, quiet: { store: false } },
    hubs: { h: { rules: 'chat', namespaces: { a: 'quiet', b: 'quiet' } } },
  };
  const view = viewOf('h', config, {
    rules: { quiet: { public: false } },
    namespaces: { b: 'chat' },
    hub: { anonymous: false },
  });
  const rules = (channel: string) => rulesFor(view.rules, 'h', channel);
  expect(rules('x')).toEqual({ ...defaultRules, retain: true });
  expect(rules('a:x')).toEqual({ ...defaultRules, public: false });
  expect(rules('b:x')).toEqual({ ...defaultRules, retain: true });
  expect(view.anonymous).toBe(false);
});

test('a hub is made once', () => {
  const catalog = new Catalog();
  const make = (hub: string) => catalog.apply(folded(encodeHubEvent('create', hub as HubName))).isVoid;
  expect(['acme', 'acme', '$ringlog', 'No Good', 'other'].map(make)).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
  expect(catalog.hubs).toEqual(['acme', 'other']);
});
