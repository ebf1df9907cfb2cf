/** What is looked at again and again, once nothing goes wrong any more, until it is as it should be. */
import type { World } from './world.js';

const pauseMs = 100;

/** The last look: one that is enough, or when so long has passed. */
export async function lastLook<T>(
  world: World,
  withinMs: number,
  look: () => Promise<T>,
  isEnough: (seen: T) => boolean,
): Promise<T> {
  const endMs = world.nowMs() + withinMs;
  for (;;) {
    const seen = await look();
    if (isEnough(seen) || world.nowMs() >= endMs) return seen;
    await world.pass(pauseMs);
  }
}
