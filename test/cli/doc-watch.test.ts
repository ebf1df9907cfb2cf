/** What `ringlog doc watch` prints of a document whose order changed. */
import { expect, test } from 'vitest';
import { watchDocument } from '../../src/cli/doc-watch.js';
import { terminalOn } from '../../src/cli/terminal.js';
import type { ChannelName } from '../../src/base/ids.js';
import { utf8 } from '../../src/base/bytes.js';
import { encodeCursor } from '../../src/log/cursor.js';
import { encodeServerFrame } from '../../src/protocol/index.js';
import { hub } from '../client/fake-node.js';
import { World } from '../client/world.js';

const channel = 'doc:plan' as ChannelName;

/** A node delivers a patch, says that the order has changed, and delivers another one, all in one turn. */
async function watched(isForPeople: boolean): Promise<string[]> {
  const world = new World();
  const client = world.connect();
  const subscription = client.subscribe(channel);
  const lines: string[] = [];
  const terminal = terminalOn({ isTTY: false, write: () => true }, {});
  const print = (text: () => string, json: () => string) => {
    lines.push(isForPeople ? text() : json());
    return Promise.resolve();
  };
  const watching = watchDocument(subscription, { isForPeople, terminal, print });
  await world.settle();
  const patch = (value: number) => client.patch(channel, [{ op: 'add', path: '/n', value }]);
  void patch(1);
  await world.settle();
  world.wire!.session!.send(
    encodeServerFrame('protobuf', [
      {
        requestId: 0,
        message: {
          type: 'rebase',
          channel,
          info: { version: 7, voids: 1, hash: new Uint8Array(32), size: 17 },
          value: utf8('{"a":1.5,"b":"\u009b"}'),
          cursor: encodeCursor({ hub, channel }, []),
        },
      },
    ]),
  );
  void patch(2);
  await world.settle();
  subscription.close();
  await watching;
  return lines;
}

test('a rebase is printed at its place: what the document is now', async () => {
  const lines = await watched(false);
  expect(lines.map((line) => Object.keys(JSON.parse(line) as object).at(-1))).toEqual([
    'patch',
    'rebase',
    'patch',
  ]);
  expect(JSON.parse(lines[1]!)).toMatchObject({
    rebase: { version: 7, voids: 1, hash: '00'.repeat(32), document: { a: 1.5, b: '\u009b' } },
  });
});

test('for people it is a line', async () => {
  const lines = await watched(true);
  expect(lines[1]).toBe(
    'rebase: changes came to stand in another order; it is now (version 7, 1 void) {"a":1.5,"b":"\\x9b"}',
  );
});
