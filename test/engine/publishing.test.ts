/** What another node says of a publish that it let in is looked at all the same. */
import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import type { ChannelName, HubName } from '../../src/base/ids.js';
import { anonymous, openRules } from './harness.js';
import { defaultRules, rulesFor } from '../../src/channels/rules.js';
import { ActiveChannel } from '../../src/engine/active-channel.js';
import type { Core } from '../../src/engine/core.js';
import type { Pending, PendingPublish } from '../../src/engine/pending.js';
import { Publishing } from '../../src/engine/publishing.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import { jsonPatchType } from '../../src/protocol/content-type.js';
import { type Failure, failure } from '../../src/protocol/errors.js';

const hub = 'default' as HubName;

test.each(['lobby', '$settings', '$keys:ada'])('a patch of %s is refused', (channel) => {
  const used: unknown[] = [];
  const core = {
    channels: { find: () => undefined, isFull: false, use: (ref: unknown) => used.push(ref) },
    store: { space: () => 'ok' },
    committer: { hasRoom: () => true },
  } as unknown as Core;
  const publishing = new Publishing(core, (...ref) => rulesFor(openRules, ...ref));
  const failures: Failure[] = [];
  const content = encodeContent({ contentType: jsonPatchType, payload: utf8('[]') });
  const ref = { hub, channel: channel as ChannelName };
  publishing.forwarded(
    {
      id: 1,
      ref,
      actor: 'ann',
      content,
      retain: false,
      level: 'quorum',
      degrade: false,
      first: true,
      kind: 'patch',
    } as never,
    { publishAccepted: () => undefined, publishFailed: (_, refused) => void failures.push(refused) },
  );
  expect(failures).toMatchObject([{ code: 'INVALID', outcome: 'rejected' }]);
  expect(used).toEqual([]);
});

test('a publish goes behind what is on its way to another node, though others wait here by now', () => {
  const ref = { hub, channel: 'lobby' as ChannelName };
  const channel = new ActiveChannel(ref, defaultRules, 0);
  // Of a client of another node, that sent it here.
  channel.wait({ kind: 'merge' } as Pending);
  const core = {
    channels: { find: () => channel },
    ordering: { acting: () => ({ at: 'here' }) },
  } as unknown as Core;
  const forwarded: unknown[] = [];
  const away = {
    holds: () => true,
    forward: ({ requestId }: PendingPublish) => void forwarded.push(requestId),
    signal: () => undefined,
  };
  const publishing = new Publishing(core, (...each) => rulesFor(openRules, ...each), away);
  const content = encodeContent({ contentType: 'text/plain', payload: utf8('hello') });
  publishing.publish({
    origin: { publishAccepted: () => undefined, publishFailed: () => undefined },
    requestId: 7,
    hub,
    principal: anonymous,
    message: { type: 'publish', channel: 'lobby', content },
  });
  expect(forwarded).toEqual([7]);
  expect(channel.pending).toHaveLength(1);
});

test('the system writes nothing more into a hub that is being deleted', () => {
  const hubs = {
    missing: () => failure('HUB_NOT_FOUND'),
    isDeleted: () => true,
    recipient: () => undefined,
    tooMany: () => undefined,
    tooManyNew: () => undefined,
    unsigned: () => undefined,
  };
  const publishing = new Publishing({} as Core, () => undefined, undefined, hubs);
  const failures: Failure[] = [];
  const ref = { hub, channel: '$sessions' as ChannelName };
  publishing.system(ref, encodeContent({ payload: utf8('{}') }), '', {
    publishAccepted: () => undefined,
    publishFailed: (_, refused) => void failures.push(refused),
  });
  expect(failures).toMatchObject([{ code: 'HUB_NOT_FOUND' }]);
});
