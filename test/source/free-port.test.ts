import { expect, test } from 'vitest';
import { freePort } from '../support/free-port.js';

test('a port is given away once, though nobody listens there yet', async () => {
  // Of twenty thousand: without a note of what was given away some six of these would be there twice.
  const ports = await Promise.all(Array.from({ length: 500 }, freePort));
  expect(new Set(ports).size).toBe(ports.length);
});
