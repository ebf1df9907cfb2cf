import fc from 'fast-check';
import { expect, test } from 'vitest';
import { channelNameFor, namespaceOf, parseChannelName, parseDot, parseHubName } from '../../src/base/ids.js';

test('hub names follow the grammar', () => {
  for (const name of ['default', 'a', '0', 'my-hub-2', 'a'.repeat(63)])
    expect(parseHubName(name).ok).toBe(true);
  for (const name of ['', '-a', 'A', 'a_b', 'a/b', '$x', 'ü', 'a'.repeat(64)])
    expect(parseHubName(name).ok).toBe(false);
});

test('attack 12: channel names follow the grammar', () => {
  const good = ['lobby', 'irc:ubuntu', 'a:b:c', '$settings', 'A.b_c~d@e+f=g-h', 'x'.repeat(255)];
  const bad = [
    '',
    ':a',
    'a:',
    'a::b',
    'a b',
    'a/b',
    '../x',
    'a%2fb',
    'a\0',
    'ü',
    '$',
    'a:$b',
    'a$',
    'x'.repeat(256),
    'a|b',
    'a\n',
  ];
  for (const name of good) expect(parseChannelName(name).ok, name).toBe(true);
  for (const name of bad) expect(parseChannelName(name).ok, name).toBe(false);
});

test('any text has one name: what the grammar lacks is percent-encoded', () => {
  expect(channelNameFor('room:Zürich 1')).toBe('room:Z%C3%BCrich%201');
  expect(channelNameFor('a/b?c#d$')).toBe('a%2Fb%3Fc%23d%24');
  expect(channelNameFor('$settings')).toBe('$settings');
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }), (text) => {
      const name = channelNameFor(text);
      expect(channelNameFor(name)).toBe(name);
      // What cannot be a name whatever is done about its characters: an empty segment.
      const hasSegments = !/^:|::|:$/.test(text) && text !== '$' && !text.startsWith('$:');
      expect(parseChannelName(name).ok, name).toBe(hasSegments);
    }),
  );
});

test('an escape has one form only', () => {
  for (const name of ['a%2Fb', '%F0%9F%98%80', 'a%3Ab', '%20', '%00'])
    expect(parseChannelName(name).ok, name).toBe(true);
  for (const name of [
    'a%2fb',
    '%41',
    '%61',
    '%2E',
    '%2D',
    '%7E',
    '%40',
    '%',
    '%2',
    '%GG',
    '%30',
    '%5F',
    '%3D',
    '%2B',
  ]) {
    expect(parseChannelName(name).ok, name).toBe(false);
  }
});

test('the namespace is what stands before the first colon', () => {
  expect([namespaceOf('irc:a:b'), namespaceOf('lobby')]).toEqual(['irc', undefined]);
});

test('a message id is a writer and a number from 1', () => {
  const writer = '0123456789abcdef01234567';
  expect(parseDot(`${writer}-12`)).toEqual({ ok: true, value: { writer, seq: 12 } });
  for (const text of [
    `${writer}-0`,
    `${writer}-01`,
    `${writer}`,
    `${writer}-9007199254740993`,
    `x-1`,
    `${writer}--1`,
  ]) {
    expect(parseDot(text).ok, text).toBe(false);
  }
});
