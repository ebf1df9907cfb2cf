import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { PeerClocks } from '../../src/cluster/peer-clocks.js';

const hourMs = 3_600_000;
const unixMs = 1_800_000_000_000;

test('nobody heard, or not lately, is no opinion', () => {
  const clocks = new PeerClocks();
  expect(clocks.agree(unixMs, 0)).toBeUndefined();
  clocks.heard('a', unixMs, 0);
  expect(clocks.agree(unixMs + 60_001, 60_001)).toBeUndefined();
});

test('most of those heard decide', () => {
  const clocks = new PeerClocks();
  clocks.heard('a', unixMs + hourMs, 1_000);
  clocks.heard('b', unixMs, 1_000);
  expect(clocks.agree(unixMs + hourMs + 5_000, 6_000)).toBe(false);
  clocks.heard('c', unixMs + hourMs, 1_000);
  expect(clocks.agree(unixMs + hourMs + 5_000, 6_000)).toBe(true);
  expect(clocks.agree(unixMs + 5_000, 6_000)).toBe(false);
});

test('a packet that was long under way does not make its sender look slow', () => {
  const clocks = new PeerClocks();
  clocks.heard('a', unixMs, 1_000);
  clocks.heard('a', unixMs + 10, 6_000);
  expect(clocks.agree(unixMs + 5_100, 6_100)).toBe(true);
});

test('the memory of addresses is bounded', () => {
  const clocks = new PeerClocks();
  clocks.heard('first', unixMs + hourMs, 0);
  for (let i = 0; i < limits.peerClocksMax; i++) clocks.heard(`${i}`, unixMs, 0);
  expect(clocks.agree(unixMs, 0)).toBe(true);
});
