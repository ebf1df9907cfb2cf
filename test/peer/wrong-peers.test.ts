/** What a node says of one that it does not talk to: its own reason, and what to do, and never that of another fault. */
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { Dial } from '../../src/peer/dial.js';
import { faultOf } from '../../src/peer/faults.js';
import type { Hello } from '../../src/peer/hello.js';
import { WrongPeer, provenHello } from '../../src/peer/proof.js';
import { sealedBy } from '../../src/peer/security.js';
import { metadataOf } from '../../src/peer/service.js';
import { systemTimers } from '../../src/server/system-ports.js';
import { Authority } from '../support/authority.js';
import { openPort, sealed, someKey, someNode } from './support.js';

const theirs: Hello = {
  cluster: 'test',
  node: someNode(),
  boot: '1'.repeat(16),
  oldest: 1,
  newest: 1,
  address: 'b:1',
  pulsePort: 0,
};
const own: Hello = { ...theirs, node: someNode(), boot: '0'.repeat(16), address: 'a:1' };

/** What people are told where a call to `peer` is answered by `theirs`. */
async function told(peer: NodeId, us: Partial<Hello>): Promise<string> {
  const security = await sealed(someKey(), own.node);
  const call = Object.assign(new EventEmitter(), { getAuthContext: () => undefined, cancel: () => {} });
  const makeClient = () => ({ makeBidiStreamRequest: () => call, close: () => {} }) as never;
  const error = await new Promise<unknown>((resolve, reject) => {
    new Dial(
      {
        peer,
        address: 'b:1',
        own: { ...own, ...us },
        timers: systemTimers,
        makeClient,
        security: { kind: 'plain' },
      },
      () => reject(new Error('it was taken')),
      resolve,
    );
    call.emit('metadata', metadataOf(theirs));
  });
  const fault = faultOf(error, 'b:1', security);
  expect(fault.code).toBe('PEER_REFUSED');
  return fault.message;
}

test('another node at the address of one, another cluster and another version are told as such by who calls', async () => {
  expect(await told(someNode(), {})).toMatch(/^The node at b:1 is not talked to: .*ringlog node remove/);
  expect(await told(theirs.node, { cluster: 'other' })).toMatch(
    /not talked to: .*the one that answers to "test": .*--cluster-name/,
  );
  expect(await told(theirs.node, { oldest: 2, newest: 2 })).toMatch(
    /the one that answers version 1: run versions/,
  );
});

test('a certificate of another node is not told as another cluster key', async () => {
  const security = await sealed(someKey(), own.node);
  const proven = provenHello(own, theirs, undefined, security, 'answers');
  expect(proven.ok).toBe(false);
  if (proven.ok) return;
  const { message } = faultOf(new WrongPeer(proven.error), 'b:1', security);
  expect(message).toContain('give that one a certificate of its own');
  expect(message).not.toContain('cluster key');
});

test('of two nodes of one key of which one has a certificate of its own each is told that', async () => {
  const key = someKey();
  const authority = await Authority.make('Ours');
  const [one, two] = [someNode(), someNode()];
  const a = await openPort(one, await sealed(key, one));
  const b = await openPort(two, sealedBy(key, await authority.issue(two), true));
  try {
    for (const port of [a, b])
      port.start({
        linked: () => {},
        unlinked: () => {},
        received: () => {},
        packet: () => {},
        pulse: () => {},
        asked: () => undefined,
      });
    const say = async (asking: typeof a, address: string, text: string): Promise<void> => {
      await expect(asking.ask(address, Uint8Array.of(1))).rejects.toThrow(/./);
      expect(asking.told.map((each) => ('message' in each ? each.message : ''))).toEqual([
        expect.stringContaining(text),
      ]);
    };
    await say(a, b.own.address, 'give this one some too, with --peer-cert-file');
    await say(b, a.own.address, 'A node without --peer-cert-file has none');
  } finally {
    a.stop();
    b.stop();
  }
});
