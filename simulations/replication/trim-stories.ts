/** Stories of trims told to the real core. Each throws where a promise breaks. */
import { channelKey, dotText } from '../../src/base/ids.js';
import { mustHold } from './checkers.js';
import type { SimNode } from './node.js';
import { Stage } from './stage.js';

/** D5. A home is away while everything it has is trimmed, and writes alone meanwhile. It comes back: nothing that was trimmed
 *  shows up again, and what it alone has is merged. */
export function comesBack(): void {
  const stage = new Stage(3);
  const [a, b, zombie] = stage.nodes as [SimNode, SimNode, SimNode];
  const { ref, world } = stage;
  stage.own(a);
  for (let i = 0; i < 4; i++) stage.publish(a);
  stage.pass(300);
  stage.split([a, b], [zombie]);
  for (const node of [a, b]) world.disconnect(node, zombie);
  const alone = stage.publish(zombie, true);
  for (let i = 0; i < 6; i++) {
    stage.publish(a);
    stage.pass(50);
  }
  stage.pass(2_500);
  mustHold(stage.level(alone) === 'owner', () => `what is written alone is ${stage.level(alone)}`);
  const { endPosition } = a.log(ref);
  mustHold(
    a.replica.trimLimit(ref, 60_000, world.now) <= 4,
    () => 'what the home lacks is spared for a while',
  );
  mustHold(a.replica.trimLimit(ref, 1_000, world.now) === endPosition, () => 'and for no longer');
  a.trims.set(channelKey(ref), endPosition);
  stage.pass(500);
  for (const node of [a, b]) {
    mustHold(node.log(ref).firstPosition === endPosition, () => `${node.index} has trimmed`);
  }
  world.network.heal();
  world.connectAll();
  stage.pass(2_000);
  for (const node of stage.nodes) {
    const log = node.log(ref);
    const { writer, seq } = alone.dot!;
    mustHold(log.committedSeq(writer) >= seq, () => `${node.index} has what was written alone`);
    mustHold(log.firstPosition === endPosition, () => `${node.index} begins behind what is trimmed`);
    const isThere = log.floors.get(writer) === undefined;
    mustHold(isThere, () => `${dotText(alone.dot!)} is not trimmed unseen`);
  }
  stage.end();
}
