/** Stories told to whole clusters: each once broke a design, here or elsewhere. */
import { describe, expect, test } from 'vitest';
import type { PlantedBug } from '../../src/base/planted.js';
import { stories, tellStory } from '../../simulations/cluster/scenarios/index.js';

test.each([...stories.keys()])('%s', async (name) => {
  const findings = await tellStory(name);
  expect(findings.map(({ checker, what }) => `${checker}: ${what}`)).toEqual([]);
});

const lightsOut = 'D11 lights out: n1, n2, n3, 100 ms apart';

describe('a planted bug shows', () => {
  const shown: readonly (readonly [bug: PlantedBug, name: string, checker: string])[] = [
    ['keys-in-memory', lightsOut, 'I16 retries count once'],
    ['sync-left-out', lightsOut, 'I3 delivered is durable'],
    ['live-before-end', 'D14 ahead', 'I25 readers catch up'],
    ['delivered-at-sync', 'D13 churn', 'I3 delivered is durable'],
    ['clock-follows-all', 'D8 six hours ahead', 'story'],
    ['lonely-claim', 'D8 six hours ahead', 'R36 no lonely claim'],
    ['floors-untold', 'D5 zombie', 'story'],
    ['floors-in-memory', 'D5 zombie', 'I1 acked is kept'],
    ['trim-by-own-clock', 'D5 zombie', 'I19 floors are trims'],
    ['gap-untold', 'A lost tail', 'I13 losses are told'],
    ['rest-goes-first', 'An orderly return', 'I17 publishers in order'],
    ['empty-is-new', 'D6 empty twin', 'story'],
    ['rollback-unnoticed', 'D7 rollback', 'story'],
    ['twin-unnoticed', 'D7 twice', 'story'],
    ['joint-skipped', 'Replaced while it is written to', 'I9 claims see acks'],
    ['incoming-counts', 'Replaced while it is written to', 'I9 claims see acks'],
    ['one-ring-appends', 'Written between two rings', 'crash'],
    ['damage-served', 'D10 bit rot: an entry', 'I4 whole entries'],
    ['ack-before-sync', 'D15 view split', 'I23 acks are honest'],
    ['ghosts-stay', 'D16 ghost', 'P1 presence is exact'],
    ['voids-untold', 'A change that is void in the end', 'F3 authors are told'],
    ['voids-told-twice', 'A change that is void in the end', 'F3 authors are told'],
    ['voids-counted-twice', 'A change that is void in the end', 'F2 documents are what their log comes to'],
    ['read-unseen', 'Read beside others', 'N5 notifications are what their log comes to'],
    ['gap-by-majority', 'Rot while the one that has it is away', 'I20 given up is nowhere'],
  ];

  test.each(shown)('%s in %s', async (bug, name, checker) => {
    const found = (await tellStory(name, bug)).map((finding) => finding.checker);
    expect(found).toContain(checker);
  });

  // The same for each: what happens does not depend on who looks at it.
  test('and not where its checker is off', async () => {
    const [bug, name, checker] = shown[0]!;
    const without = await tellStory(name, bug, new Set([checker]));
    expect(without.map((finding) => finding.checker)).not.toContain(checker);
  });
});
