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

/** A home missed entries and the trim that removed some of them. Nobody owns the interval, nobody uses the channel: homes that
 *  compare what they hold come to the same floors and the same digests. */
export function comparedFromBehind(): void {
  const stage = new Stage(3);
  const [a, b, away] = stage.nodes as [SimNode, SimNode, SimNode];
  const { ref, world } = stage;
  stage.own(a);
  for (let i = 0; i < 4; i++) stage.publish(a);
  stage.pass(300);
  stage.split([a, b], [away]);
  for (const node of [a, b]) world.disconnect(node, away);
  for (let i = 0; i < 6; i++) {
    stage.publish(a);
    stage.pass(50);
  }
  stage.pass(2_500);
  const { endPosition } = a.log(ref);
  a.trims.set(channelKey(ref), endPosition);
  stage.pass(500);
  mustHold(a.log(ref).firstPosition === endPosition, () => 'the owner has trimmed');
  startAgain(stage);
  away.scrubbing.begin(b.id);
  stage.pass(500);
  restsWith(stage, endPosition);
}

/** All homes hold a trim, and one of them never heard that it is committed; then all start anew, and it owns the interval. */
export function comparedUncommitted(): void {
  const stage = new Stage(3);
  const [a, b, c] = stage.nodes as [SimNode, SimNode, SimNode];
  const { ref, world } = stage;
  stage.own(a);
  for (let i = 0; i < 4; i++) stage.publish(a);
  stage.pass(300);
  const { endPosition } = a.log(ref);
  a.trims.set(channelKey(ref), endPosition);
  // It takes the trim in, and what is said of it later does not reach it.
  a.beginCommit();
  stage.hear(c);
  stage.split([a, b], [c]);
  stage.pass(500);
  mustHold(a.log(ref).firstPosition === endPosition, () => 'the owner has trimmed');
  const isHeld = c.log(ref).heldTrims.length === 1 && c.log(ref).firstPosition === 0;
  mustHold(isHeld, () => 'the third home holds the trim, and what it removes');
  startAgain(stage);
  stage.own(c);
  b.scrubbing.begin(c.id);
  stage.pass(1_000);
  mustHold(
    world.nodes.every((node) => node.log(ref).entries === c.log(ref).entries),
    () => 'all are equal',
  );
  restsWith(stage, endPosition);
}

/** What is committed is forgotten, and what was under way. */
function startAgain({ nodes, world }: Stage): void {
  world.network.heal();
  for (const node of nodes) {
    node.crash();
    node.boot(false);
  }
  for (const node of nodes) world.connect(node);
  for (const node of nodes) {
    for (const interval of world.intervals) node.replica.want(interval, false, world.now);
    node.releaseAll();
  }
}

/** Floors and digests are the same everywhere, and another comparison finds nothing. */
function restsWith(stage: Stage, firstPosition: number): void {
  const { nodes, ref, world, stats } = stage;
  for (const node of nodes) {
    const at = node.log(ref).firstPosition;
    mustHold(at === firstPosition, () => `${node.index} begins at ${at}, not at ${firstPosition}`);
  }
  for (const node of nodes) {
    for (const peer of nodes) {
      if (peer === node) continue;
      const before = stats.scrubFindings;
      node.scrubbing.begin(peer.id);
      stage.pass(200);
      mustHold(stats.scrubFindings === before, () => `${node.index} differs from ${peer.index}`);
    }
  }
  mustHold(world.alarmsMeant.size === 0, () => 'nobody alarms');
}
