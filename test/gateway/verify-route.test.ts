import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ChannelName, HubName, NodeId } from '../../src/base/ids.js';
import { err, ok } from '../../src/base/result.js';
import type { ProofPage, ProofRequest } from '../../src/engine/cluster/proof.js';
import { FakeNode, type TestGateway, adminToken, gatewayInFront, userToken } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;

beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const path = '/v1/admin/cluster/verify';
const ask = (body: object, token = adminToken) =>
  front.fetch(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const [a, b] = ['a', 'b'].map((each) => each.repeat(32) as NodeId) as [NodeId, NodeId];
const page: ProofPage = {
  isEqual: false,
  channels: 7,
  entries: 70,
  homes: [
    { node: a, state: 'differs' },
    { node: b, state: 'unreachable' },
  ],
  differences: [
    {
      ref: { hub: 'default' as HubName, channel: 'chat' as ChannelName },
      interval: '0123456789abcdef',
      kind: 'missing',
      homes: [a, b],
      at: b,
    },
  ],
  more: 2,
  repaired: 1,
  done: 0.25,
  next: '4000000000000000-2',
};

test('a page as the node gives it, asked for by administrators alone', async () => {
  node.standing = 'active';
  const asked: ProofRequest[] = [];
  node.prove = (request) => {
    asked.push(request);
    return Promise.resolve(ok(page));
  };
  expect((await ask({}, userToken)).status).toBe(403);
  expect(asked).toEqual([]);
  const answer = await ask({ after: '0000000000000000-4', repair: true });
  const { isEqual: _, ...rest } = page;
  expect(await answer.json()).toEqual({
    ...rest,
    equal: false,
    differences: [
      {
        hub: 'default',
        channel: 'chat',
        interval: '0123456789abcdef',
        kind: 'missing',
        homes: [a, b],
        at: b,
      },
    ],
  });
  expect(asked).toEqual([{ after: '0000000000000000-4', repair: true }]);
});

test.each([
  ['bad-cursor', 400],
  ['busy', 503],
  ['not-serving', 503],
] as const)('a refusal: %s', async (refusal, status) => {
  node.standing = 'active';
  node.prove = () => Promise.resolve(err(refusal));
  const answer = await ask({});
  expect(answer.status).toBe(status);
  expect(await answer.json()).toHaveProperty('detail');
});

test('a node that is alone, and what is no request', async () => {
  expect(await (await ask({})).json()).toMatchObject({
    code: 'INVALID',
    detail: expect.stringContaining('alone'),
  });
  node.standing = 'active';
  for (const body of [{ after: 7 }, { repair: 'yes' }, { other: 1 }, { after: 'x'.repeat(40) }])
    expect((await ask(body)).status).toBe(400);
});
