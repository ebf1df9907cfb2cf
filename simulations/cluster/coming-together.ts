/** What is looked at again and again, once nothing goes wrong any more, until it is as it should be. */
import { type Result, err } from '../../src/base/result.js';
import type { Engine } from '../../src/engine/engine.js';
import { type Failure, failure } from '../../src/protocol/errors.js';
import type { SimulatedNode } from './node.js';
import type { World } from './world.js';

const pauseMs = 100;
/** It starts again within a second. */
const backMs = 10_000;

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

/** What a node answers. What rotted before may end it even now; it is asked again once it is back. */
export async function answerOf<T>(
  world: World,
  node: SimulatedNode,
  ask: (engine: Engine) => Promise<Result<T, Failure>>,
): Promise<Result<T, Failure>> {
  const endMs = world.nowMs() + backMs;
  for (;;) {
    const { engine, life, state } = node;
    const isUp = engine && life && state === 'up';
    const answer = isUp ? await world.until(life.answered(ask(engine))) : undefined;
    if (answer) return answer;
    if (world.nowMs() >= endMs) return err(failure('UNAVAILABLE'));
    await world.pass(pauseMs);
  }
}
