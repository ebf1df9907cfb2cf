/** Levels as the numbers of `Level` in proto/client.proto. */
import type { Level } from './messages.js';

export const levels = ['memory', 'owner', 'quorum'] as const satisfies readonly Level[];

export function levelNumber(level: Level): number {
  return levels.indexOf(level) + 1;
}

/** `undefined` for 0, the default, and for numbers this version does not know. */
export function levelOf(number: number): Level | undefined {
  return levels[number - 1];
}
