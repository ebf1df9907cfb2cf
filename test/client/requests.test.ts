/** Questions that are asked again until they are answered or too old. */
import { expect, test } from 'vitest';
import type { ChannelName } from '../../src/base/ids.js';
import { Requests } from '../../src/client/requests.js';
import { failure } from '../../src/protocol/errors.js';

test('one that is refused for now is asked again, and in the end says why it was', async () => {
  const requests = new Requests();
  const asked: number[] = [];
  const send = (): number => asked.push(asked.length);
  const answer = requests.add({ type: 'occupancy', channel: 'lobby' as ChannelName }, 1_000);
  requests.fill(0, send);
  const error = failure('UNAVAILABLE', { channel: 'lobby', message: 'No home answers.', retryAfterMs: 300 });
  requests.received(1, { type: 'error', error }, 0);
  requests.fill(299, send);
  expect(asked).toHaveLength(1);
  requests.fill(300, send);
  expect(asked).toHaveLength(2);
  requests.tick(1_000);
  await expect(answer).rejects.toMatchObject({
    code: 'TIMEOUT',
    outcome: 'rejected',
    message: 'There was no answer in time. Before: UNAVAILABLE, No home answers.',
  });
});
