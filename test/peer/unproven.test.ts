import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { Unproven } from '../../src/peer/unproven.js';

const { peerConnectionsUnprovenMax: all } = limits;
const ofOne = all / 2;

/** Adds, and tells whose connections were ended. */
function world() {
  const unproven = new Unproven();
  const ended: string[] = [];
  const add = (name: string, address: string): void => unproven.add(name, address, () => ended.push(name));
  return { unproven, ended, add };
}

const strangerAt = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;

describe('a connection that has not proved who it is', () => {
  test('always finds room: the oldest of the address that has most goes', () => {
    const { add, ended } = world();
    for (let i = 0; i < ofOne; i++) add(`flood ${i}`, '10.9.9.9');
    for (let i = ofOne; i < all; i++) add(`other ${i}`, strangerAt(i));
    expect(ended).toEqual([]);
    add('new', '192.0.2.1');
    add('newer', '192.0.2.2');
    expect(ended).toEqual(['flood 0', 'flood 1']);
  });

  test('takes no more than a share for its address, and an IPv6 network is one address', () => {
    const { add, ended } = world();
    for (let i = 0; i < ofOne; i++) add(`${i}`, `2001:db8:0:7::${(i + 1).toString(16)}`);
    add('same network', '2001:db8:0:7:ffff::1');
    add('another', '2001:db8:0:8::1');
    expect(ended).toEqual(['0']);
  });

  test('of an address each goes by age where all have one', () => {
    const { add, ended } = world();
    for (let i = 0; i < all + 3; i++) add(`${i}`, strangerAt(i));
    expect(ended).toEqual(['0', '1', '2']);
  });

  test('from where a member is, or a node has proved itself, is not ended for strangers elsewhere', () => {
    const { unproven, add, ended } = world();
    unproven.expect(['192.0.2.1']);
    add('member', '::ffff:192.0.2.1');
    add('node', '192.0.2.2');
    unproven.proved('node');
    add('it again', '192.0.2.2');
    for (let i = 0; i < 3 * all; i++) add(`${i}`, strangerAt(i));
    expect(ended).toHaveLength(2 * all);
    expect(ended.filter((name) => !/^\d+$/.test(name))).toEqual([]);
    expect(unproven.makeRoom()).toBe(true);
    expect(ended.at(-1)).toBe(`${2 * all}`);
  });

  test('leaves its place when it ends', () => {
    const { unproven, add, ended } = world();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < ofOne; i++) add(`${i}`, '10.9.9.9');
      for (let i = 0; i < ofOne; i++) unproven.remove(`${i}`);
    }
    expect(ended).toEqual([]);
    expect(unproven.makeRoom()).toBe(false);
  });
});
