import { expect, test } from 'vitest';
import { WorkerSilence } from '../../src/server/worker-silence.js';

const stuckMs = 10_000;
const everyMs = WorkerSilence.lookEveryMs(stuckMs);

/** Looks so often, each after that time; what they say. */
function look(silence: WorkerSilence, times: number, sinceMs = everyMs): (string | undefined)[] {
  return Array.from({ length: times }, () => silence.look(sinceMs)).filter((due) => due !== undefined);
}

function spoken(): WorkerSilence {
  const silence = new WorkerSilence(stuckMs);
  silence.heard();
  return silence;
}

test('a worker is told to be stuck once, and to be ended after three times as long', () => {
  const silence = spoken();
  expect(look(silence, 5)).toEqual([]);
  expect(look(silence, 1)).toEqual(['tell']);
  expect(silence.isStuck).toBe(true);
  expect(look(silence, 9)).toEqual([]);
  expect(look(silence, 1)).toEqual(['end']);
});

test('one that answers is no longer stuck, and its time begins anew', () => {
  const silence = spoken();
  look(silence, 14);
  expect(silence.heard()).toBe(true);
  expect(silence.isStuck).toBe(false);
  expect(look(silence, 5)).toEqual([]);
  expect(silence.heard()).toBe(false);
});

test('time in which the node did not look itself counts for two looks at most', () => {
  const silence = spoken();
  expect(look(silence, 2, 3_600_000)).toEqual([]);
  expect(silence.isStuck).toBe(false);
});

test('one that has never spoken loads its program', () => {
  const silence = new WorkerSilence(stuckMs);
  expect(look(silence, 100)).toEqual([]);
});
