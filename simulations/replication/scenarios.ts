/** Stories that once broke something, here or elsewhere, told to the real core. Each throws where a promise breaks. */
import type { NodeId } from '../../src/base/ids.js';
import { Acting } from '../../src/cluster/acting.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import { type ClusterId, foundRing } from '../../src/cluster/ring.js';
import { mustHold } from './checkers.js';
import type { SimNode } from './node.js';
import { Stage } from './stage.js';

/** D1. The owner sends an entry to b and loses power before its own disk has it. It comes back and writes again: under
 *  another writer, so the entry at b keeps its name. */
export function seqReuse(): void {
  const stage = new Stage(3);
  const [a, b, c] = stage.nodes as [SimNode, SimNode, SimNode];
  stage.own(a);
  stage.split([a, b], [c]);
  const first = stage.publish(a);
  a.beginCommit();
  stage.hear(b);
  mustHold(b.log(stage.ref).have(first.dot!.writer) === 1, () => 'b has the entry');
  stage.powerLoss(a);
  stage.world.network.heal();
  a.boot(false);
  stage.world.connectAll();
  stage.own(a);
  const second = stage.publish(a);
  stage.pass(500);
  mustHold(second.dot!.writer !== first.dot!.writer, () => 'another start is another writer');
  mustHold(stage.level(second) === 'quorum', () => `the second is ${stage.level(second)}`);
  stage.end();
  for (const node of stage.nodes) {
    mustHold(node.log(stage.ref).have(first.dot!.writer) === 1, () => 'the first survives');
  }
}

/** D2. Of two entries one reaches b only and the next c only; then the owner's disk is gone. c does not take what it cannot
 *  place, so no hole is left that readers could wait for. */
export function hole(): void {
  const stage = new Stage(3);
  const [a, b, c] = stage.nodes as [SimNode, SimNode, SimNode];
  stage.own(a);
  stage.split([a, b], [c]);
  const first = stage.publish(a);
  stage.pass(200);
  mustHold(stage.level(first) === 'quorum', () => `the first is ${stage.level(first)}`);
  stage.split([a, c], [b]);
  const second = stage.publish(a);
  a.beginCommit();
  stage.hear(c);
  mustHold(c.log(stage.ref).have(second.dot!.writer) < second.dot!.seq, () => 'c took what it cannot place');
  mustHold(stage.level(second) === 'none', () => `the second is ${stage.level(second)}`);
  a.loseDisk();
  stage.world.network.heal();
  stage.world.connectAll();
  stage.own(b);
  const third = stage.publish(b);
  stage.pass(500);
  mustHold(stage.level(third) === 'quorum', () => `the third is ${stage.level(third)}`);
  stage.end();
}

/** D3. The owner stands still for 30 s in the middle of a publish. Another takes over and acknowledges 100; then the first
 *  goes on, knowing of its pause or not. */
export function sleepingOwner(notices: boolean): void {
  const stage = new Stage(3);
  const [a, b] = stage.nodes as [SimNode, SimNode, SimNode];
  stage.own(a);
  const before = stage.publish(a);
  stage.pass(200);
  stage.split([a], stage.nodes.slice(1));
  const during = stage.publish(a);
  a.beginCommit();
  a.isPaused = true;
  stage.hear();
  stage.own(b);
  const others = Array.from({ length: 100 }, () => {
    const publish = stage.publish(b);
    stage.pass(25);
    return publish;
  });
  stage.world.now += 30_000;
  stage.world.network.heal();
  a.isPaused = false;
  if (notices) a.replica.resumed(30_000, stage.world.now);
  const after = stage.publish(a, true);
  a.replica.want(stage.interval, false, stage.world.now);
  a.drain();
  stage.pass(3_000);
  mustHold(stage.level(before) === 'quorum', () => `before the pause: ${stage.level(before)}`);
  // One that notices asks first, and by then may have heard that its entry was merged and committed.
  const honest = notices ? ['indeterminate', 'quorum'] : ['indeterminate'];
  mustHold(honest.includes(stage.level(during)), () => `during it: ${stage.level(during)}`);
  for (const each of others) mustHold(stage.level(each) === 'quorum', () => 'b acknowledged all of its own');
  mustHold(!stage.owns(a), () => 'a is fenced');
  mustHold(stage.level(after) === 'owner', () => `after it: ${stage.level(after)}`);
  const round = a.log(stage.ref).roundOf(after.dot!);
  mustHold(!notices || round === 0, () => 'what is stamped after a pause is not under the lost claim');
  stage.end();
}

/** D11. All power is gone at once. Nodes start in some order, perhaps one of them never: nobody owns anything alone before
 *  the others had their time, then one does, and nothing acknowledged is lost. */
export function lightsOut(order: readonly number[], gapMs: number): void {
  const stage = new Stage(3);
  const { world, nodes } = stage;
  stage.own(nodes[0]!);
  const kept = [stage.publish(nodes[0]!), stage.publish(nodes[0]!, false, 'owner')];
  stage.pass(200);
  const lost = stage.publish(nodes[0]!);
  nodes[0]!.beginCommit();
  for (const node of nodes) stage.powerLoss(node);
  world.network.parcels.length = 0;
  const actings = new Map<SimNode, Acting>();
  for (const at of order) {
    start(stage, nodes[at]!, actings);
    act(stage, actings, gapMs);
    const owners = nodes.filter((node) => stage.owns(node));
    const mayOwn = actings.size > 1 || gapMs >= 3_000;
    mustHold(owners.length <= 1, () => `${owners.length} own the interval`);
    mustHold(mayOwn || owners.length === 0, () => `${at} owns the interval alone after ${gapMs} ms`);
  }
  act(stage, actings, 6_000);
  const owner = nodes.find((node) => stage.owns(node));
  mustHold(owner, () => 'somebody owns the interval in the end');
  const next = stage.publish(owner);
  act(stage, actings, 500);
  mustHold(stage.level(next) === 'quorum', () => `what comes next is ${stage.level(next)}`);
  for (const each of kept) {
    const has = owner.log(stage.ref).committedSeq(each.dot!.writer) >= each.dot!.seq;
    mustHold(has, () => 'what was acknowledged is there');
  }
  mustHold(stage.level(lost) === 'none', () => 'nobody was told of what power loss took');
  stage.end();
}

/** The node decides from its ring and whom it can reach whether it wants the interval. */
function start(stage: Stage, node: SimNode, actings: Map<SimNode, Acting>): void {
  const { world, nodes } = stage;
  node.boot(false);
  const ids = nodes.map(({ id }) => id);
  const ring = { ...foundRing('c'.repeat(32) as ClusterId, ids[0]!, 3), members: ids.map(activeMember) };
  const acting = new Acting({ table: new RingTable(ring), self: node.id, now: world.now });
  for (const [other, its] of actings) {
    acting.reachable(other.id, true, world.now);
    its.reachable(node.id, true, world.now);
  }
  actings.set(node, acting);
  world.connect(node);
}

const activeMember = (node: NodeId) => ({ node, state: 'active' as const });

/** The interval of the story is the first of the ring. */
function act(stage: Stage, actings: ReadonlyMap<SimNode, Acting>, ms: number): void {
  const { world } = stage;
  for (const end = world.now + ms; world.now < end;) {
    for (const [node, acting] of actings) {
      acting.tick(world.now);
      for (const other of actings.keys()) {
        if (other !== node) acting.settled(other.id, actings.get(other)!.isSettled);
      }
      node.replica.want(stage.interval, acting.isWanted(0), world.now);
      node.drain();
    }
    stage.pass(25);
  }
}

/** D14. A reader has 100 entries; the replica it comes to next is 20 behind. It goes on there without a repeat. */
export function ahead(): void {
  const stage = new Stage(3);
  const [a, b, c] = stage.nodes as [SimNode, SimNode, SimNode];
  const [reader] = stage.world.readers;
  stage.own(a);
  for (let i = 0; i < 100; i++) {
    if (i === 80) stage.split([a, b], [c]);
    stage.publish(a);
    stage.pass(25);
  }
  reader!.serve(a, Infinity);
  const had = reader!.delivered.length;
  mustHold(had >= 100, () => `the reader has ${had}`);
  const behind = c.log(stage.ref).entries;
  mustHold(behind <= had - 20, () => `c has ${behind} of ${had}`);
  c.crash();
  stage.split([b, c], [a]);
  c.boot(false);
  stage.world.connect(c);
  reader!.serve(c, Infinity);
  stage.pass(500);
  mustHold(stage.stats.fetched === 1, () => 'c fetches what the reader has');
  stage.own(b);
  stage.publish(b);
  stage.pass(500);
  reader!.serve(c, Infinity);
  mustHold(reader!.delivered.length > had, () => 'the reader goes on at c');
  stage.end();
}

/** Decision 10. A home of five acks an entry and loses its disk; four homes are enough to give it back everything but what
 *  the silent fifth, which owns, alone has, and goes on counting. */
export function wipedHomeOfFive(): void {
  const stage = new Stage(5);
  const [a, b, c, d, e] = stage.nodes as [SimNode, SimNode, SimNode, SimNode, SimNode];
  stage.own(a);
  stage.split([a, b], [c, d, e]);
  stage.publish(a);
  stage.pass(100);
  stage.split([a], [b, c, d, e]);
  b.loseDisk();
  b.boot(false);
  stage.world.connect(b);
  stage.pass(1_000);
  // The owner reaches c, and counts three: itself, c and the disk that is gone.
  stage.split([a, c], [b, d, e]);
  stage.world.connect(c);
  stage.pass(1_000);
  d.replica.want(stage.interval, true, stage.world.now);
  stage.pass(1_000);
  stage.publish(d);
  stage.pass(1_000);
  stage.end();
}
