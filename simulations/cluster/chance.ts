/** Streams of chance: each part of the world has its own, so that what one draws shifts no other. */
import { crc32 } from 'node:zlib';
import { type Random, seededRandom } from '../../src/base/random.js';

export function chanceFor(seed: number, name: string): Random {
  return seededRandom(crc32(`${seed} ${name}`));
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random.next() * values.length)]!;
}

export function between(random: Random, low: number, high: number): number {
  return low + random.next() * (high - low);
}

/** So that 1 to 10 is as likely as 10 to 100. */
export function logBetween(random: Random, low: number, high: number): number {
  return low * (high / low) ** random.next();
}

export function whole(random: Random, low: number, high: number): number {
  return low + Math.floor(random.next() * (high - low + 1));
}

/** The time to the next of events that come `perSecond` in the mean, in milliseconds. */
export function interval(random: Random, perSecond: number): number {
  return (-Math.log(1 - random.next()) * 1_000) / perSecond;
}

export function shuffled<T>(random: Random, values: readonly T[]): T[] {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
