/** Who tries to log in waits by what failed, whatever else is under way. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { LogIns } from '../../src/engine/people/log-ins.js';

const address = '10.0.0.1';

test('a try that is given back takes its own wait along, and no other', () => {
  const logIns = new LogIns();
  for (let i = 1; i < limits.loginFailuresAddressMax; i++) logIns.tried(`user ${i}`, address, 0);
  const counted = logIns.tried('ada', address, 0);
  expect(logIns.waitMs('bob', address, 0)).toBeGreaterThan(0);
  // It is looked at for longer than that, and somebody fails meanwhile.
  const laterMs = logIns.waitMs('bob', address, 0);
  logIns.tried('bob', address, laterMs);
  logIns.giveBack(counted);
  expect(logIns.waitMs('carol', address, laterMs)).toBeGreaterThan(0);
});

test('one that is given back at once leaves nothing', () => {
  const logIns = new LogIns();
  for (let i = 0; i < 2 * limits.loginFailuresAddressMax; i++)
    logIns.giveBack(logIns.tried('ada', address, 0));
  expect(logIns.waitMs('ada', address, 0)).toBe(0);
});
