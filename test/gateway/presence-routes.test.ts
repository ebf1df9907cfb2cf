import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeNode, type TestGateway, gatewayInFront } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
  node.members = [
    { session: 'a'.repeat(24), user: 'ada', metadata: '{"at":[1,"é"]}', since: 5 },
    { session: 'b'.repeat(24), since: 6 },
    { session: 'c'.repeat(24), metadata: 'null', since: 7 },
  ];
});
afterEach(() => front.gateway.stop());

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const answer = await front.fetch(`/v1/hubs/default/channels/${path}`);
  return { status: answer.status, body: await answer.json() };
}

test('who is in a channel comes in pages, with what each says of itself as it is', async () => {
  const first = { session: 'a'.repeat(24), user: 'ada', metadata: { at: [1, 'é'] }, since: 5 };
  const second = { session: 'b'.repeat(24), since: 6 };
  expect(await get('chat/presence?limit=2')).toEqual({
    status: 200,
    body: { count: 3, members: [first, second], next: second.session },
  });
  expect(await get(`chat/presence?after=${second.session}`)).toEqual({
    status: 200,
    body: { count: 3, members: [{ session: 'c'.repeat(24), metadata: null, since: 7 }] },
  });
});

test('how many are is a number', async () => {
  expect(await get('chat/occupancy')).toEqual({ status: 200, body: { count: 3 } });
});

test('a channel that keeps neither, and a page that is none, are problems', async () => {
  for (const what of ['presence', 'occupancy'])
    expect(await get(`plain/${what}`)).toMatchObject({ status: 404, body: { code: 'NO_PRESENCE' } });
  for (const limit of ['0', '1001', 'x'])
    expect(await get(`chat/presence?limit=${limit}`)).toMatchObject({
      status: 400,
      body: { code: 'INVALID' },
    });
});
