/** When nothing happens nothing is said: what is asked again and again for no reason costs links and keeps logs in memory. */
import { expect, test } from 'vitest';
import { Stage } from '../../simulations/replication/stage.js';
import type { SimNode } from '../../simulations/replication/node.js';

test('an owner that has stamped nothing in a channel, since all of it is committed, comes to rest', () => {
  const stage = new Stage(3);
  const [a, b, c] = stage.nodes as [SimNode, SimNode, SimNode];
  stage.own(a);
  stage.publish(a);
  stage.pass(500);
  stage.split([a, b], [c]);
  stage.publish(a);
  stage.pass(500);
  // Of what is committed one home lacks a part.
  stage.world.network.heal();
  stage.world.connectAll();
  for (const interval of stage.world.intervals) a.replica.want(interval, false, stage.world.now);
  stage.pass(500);
  stage.own(b);
  b.touch(stage.ref);
  stage.pass(2_000);
  for (const node of stage.nodes) expect(node.log(stage.ref).entries).toBe(b.log(stage.ref).entries);
  const { network } = stage.world;
  const send = network.send.bind(network);
  let frames = 0;
  network.send = (parcel) => {
    frames++;
    send(parcel);
  };
  stage.pass(3_000);
  expect(frames).toBe(0);
  expect(b.replica.releaseChannel(stage.ref)).toBe(true);
});
