/** What nodes hold of a channel, as text: equal texts, equal logs. */
import type { NodeView } from './surroundings.js';
import type { World } from './world.js';

export function haveOf(node: NodeView, ref: World['refs'][number]): string {
  const have = node
    .log(ref)
    .writers()
    .map(({ writer, seq }) => `${writer}-${seq}`);
  return have.sort().join();
}
