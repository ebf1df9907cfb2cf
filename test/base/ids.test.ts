import { expect, test } from 'vitest';
import { namespaceOf, parseChannelName, parseDot, parseHubName } from '../../src/base/ids.js';

test('hub names follow the grammar', () => {
  for (const name of ['default', 'a', '0', 'my-hub-2', 'a'.repeat(63)])
    expect(parseHubName(name).ok).toBe(true);
  for (const name of ['', '-a', 'A', 'a_b', 'a/b', '$x', 'ü', 'a'.repeat(64)])
    expect(parseHubName(name).ok).toBe(false);
});

test('channel names follow the grammar', () => {
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
