/** Changes of the ring in running nodes. */
import { describe, expect, test } from 'vitest';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { TestSession, anonymous } from './harness.js';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

describe('a change of the ring', () => {
  test('a fourth node joins a ring of three', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a] = world.nodes as [TestNode];
    const session = connect(a);
    for (let i = 0; i < 20; i++) expect((await session.publish(`news:${i}`, i)).error).toBeUndefined();
    const d = await world.addNode();
    await world.pass(1_000);
    const joined = await world.run(d.engine.cluster!.join(a.address));
    console.log(joined, d.engine.cluster!.ring().version);
    for (let i = 0; i < 20; i++) {
      await world.pass(500);
      console.log(
        i,
        JSON.stringify(
          world.nodes.map(({ engine }) => {
            const { version, change } = engine.cluster!.ring();
            return [version, change?.phase, change?.short, change?.nodes.map(({ left }) => left)];
          }),
        ),
      );
    }
    console.log(alarms(world));
  });
});
