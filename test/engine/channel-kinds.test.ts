/** Every question about what a channel comes to, asked of every kind of channel: where it makes no sense it is refused, and
 *  leaves nothing behind that the next who writes there would go by. */
import { describe, expect, test } from 'vitest';
import { type Json, type TestSession, World, admin, anonymous } from './harness.js';

const ofNeither = ['lobby', 'u:ada', 'g:team', '$settings'];
const wrongForDocuments = ['notification:alerts', ...ofNeither];
const wrongForNotifications = ['doc:plan', ...ofNeither];

const questions = {
  documentGet: { wrong: wrongForDocuments, right: 'doc:plan' },
  notifications: { wrong: wrongForNotifications, right: 'notification:alerts' },
} as const;

function isOk(world: World): void {
  expect(world.observations.filter(({ type }) => type === 'alarm' || type === 'store-reopened')).toEqual([]);
  expect(world.engine.status().state).toBe('serving');
}

describe.each(['documentGet', 'notifications'] as const)('%s over a WebSocket', (question) => {
  test.each(questions[question].wrong)('is refused of %s', async (channel) => {
    const world = await World.start();
    const asker = world.connect({ principal: admin });
    expect((await asker.ask({ [question]: { channel } })).error).toMatchObject({
      code: 'INVALID',
      outcome: 'rejected',
      channel,
    });
    expect(asker.closed).toBeUndefined();
    isOk(world);
  });

  test('is answered where it makes sense', async () => {
    const world = await World.start();
    const channel = questions[question].right;
    const asker = world.connect({ principal: admin });
    expect((await asker.ask({ [question]: { channel } })).error).toBeUndefined();
    isOk(world);
  });
});

describe('over HTTP', () => {
  const asked = {
    document: (world: World, channel: string) =>
      world.engine.document(admin, 'default', { type: 'documentGet', channel }),
    documentChanges: (world: World, channel: string) =>
      world.engine.documentChanges(admin, 'default', channel, {}),
    notifications: (world: World, channel: string) =>
      world.engine.notifications(admin, 'default', {
        type: 'notifications',
        channel,
        forward: false,
        unread: false,
      }),
  };
  const kinds = {
    document: { wrong: wrongForDocuments, right: 'doc:plan' },
    documentChanges: { wrong: wrongForDocuments, right: 'doc:plan' },
    notifications: { wrong: wrongForNotifications, right: 'notification:alerts' },
  };

  describe.each(['document', 'documentChanges', 'notifications'] as const)('%s', (question) => {
    test.each(kinds[question].wrong)('is refused of %s', async (channel) => {
      const world = await World.start();
      const answer = await world.run<Json>(asked[question](world, channel));
      expect(answer).toMatchObject({ ok: false, error: { code: 'INVALID', channel } });
      isOk(world);
    });

    test('is answered where it makes sense', async () => {
      const world = await World.start();
      expect(await world.run<Json>(asked[question](world, kinds[question].right))).toMatchObject({
        ok: true,
      });
      isOk(world);
    });
  });
});

test('of receipts nobody is told what they would be as notifications', async () => {
  const world = await World.start();
  const asker = world.connect({ principal: admin });
  const channel = 'receipts:lobby';
  expect((await asker.ask({ notifications: { channel } })).error.code).toBe('DENIED');
  isOk(world);
});

test('somebody who asks an inbox for its document takes nothing from those who use it', async () => {
  const world = await World.start();
  const channel = 'notification:alerts';
  const eve = world.connect({ principal: anonymous });
  const service = world.connect({ principal: admin });
  await eve.ask({ documentGet: { channel } });
  await world.run(world.engine.documentChanges(anonymous, 'default', channel, {}));
  const { ack } = await service.publish(channel, { title: 'One' }, { kind: 'notification' });
  await eve.ask({ documentGet: { channel } });
  expect(await eve.publish(channel, { ids: [ack.id] }, { kind: 'read' })).toHaveProperty('ack');
  expect((await list(service, channel)).info).toMatchObject({ unread: 0, total: 1 });
  expect(service.closed).toBeUndefined();
  isOk(world);
});

test('somebody who asks a document for its notifications takes nothing from those who change it', async () => {
  const world = await World.start();
  const channel = 'doc:plan';
  const [eve, ada] = [world.connect(), world.connect()];
  await eve.ask({ notifications: { channel } });
  const add = [{ op: 'add', path: '/a', value: 1 }];
  expect((await ada.publish(channel, add, { kind: 'patch' })).ack).toMatchObject({ version: 1 });
  await eve.ask({ notifications: { channel } });
  const replace = [{ op: 'replace', path: '', value: { b: 2 } }];
  expect((await ada.publish(channel, replace, { kind: 'patch' })).ack).toMatchObject({ version: 2 });
  expect((await ada.ask({ documentGet: { channel } })).document).toMatchObject({
    version: 2,
    value: { b: 2 },
  });
  isOk(world);
});

async function list(session: TestSession, channel: string): Promise<Json> {
  return (await session.ask({ notifications: { channel } })).notifications;
}
