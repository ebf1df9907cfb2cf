/** Channels that are being brought in from elsewhere while a change of the ring makes this node their home. */
import { expect, test } from 'vitest';
import type { ChannelRef } from '../../../src/base/ids.js';
import { defaultRules } from '../../../src/channels/rules.js';
import { ChannelTable } from '../../../src/engine/channel-table.js';
import { RemoteUnavailableError, type RemoteLogs } from '../../../src/engine/cluster/following.js';
import { HeldLogs } from '../../../src/engine/cluster/held-logs.js';
import { Rehoming, type RehomingParts } from '../../../src/engine/cluster/rehoming.js';
import { RoutedLogs } from '../../../src/engine/cluster/routed-logs.js';
import type { Ordering } from '../../../src/engine/ordering.js';
import type { LogStore } from '../../../src/engine/ports.js';
import { ChannelLog } from '../../../src/log/channel-log.js';
import { RunWriter } from '../../../src/log/run-writer.js';
import { writerId } from '../../storage/support.js';

const ref = { hub: 'default', channel: 'room:1' } as ChannelRef;

/** A node that is about to be a home of the channel, which its readers want meanwhile. */
function coming() {
  const node = { isHome: false, failures: [] as unknown[], shared: 0, openedApart: 0 };
  const own = new ChannelLog(ref);
  // What readers have of it by then is yet to be fetched here.
  const mirrored = new ChannelLog(ref);
  const runs = new RunWriter();
  runs.begin(ref, writerId(2), 1, 1, 0);
  runs.append({ timestamp: 1, kind: 'merge' });
  mirrored.apply(runs.end());
  mirrored.commitThrough({ writer: writerId(2), seq: 1 });
  let resolve!: (log: ChannelLog) => void;
  let reject!: (error: Error) => void;
  const opening = new Promise<ChannelLog>((...settle) => ([resolve, reject] = settle));
  const store = { open: () => Promise.resolve(own), release: () => undefined } as unknown as LogStore;
  const remote = { open: () => opening, release: () => undefined } as unknown as RemoteLogs;
  const isHome = () => node.isHome;
  const logs = new RoutedLogs(store, store, remote, isHome);
  const ordering = {
    writer: writerId(1),
    used: () => undefined,
    loaded: (channel: { shared: unknown }) => {
      if (logs.placeOf(ref) === 'remote') return;
      node.shared++;
      channel.shared = {};
    },
  } as unknown as Ordering;
  const channels = new ChannelTable(
    logs,
    ordering,
    () => defaultRules,
    () => 0,
  );
  const places = { isHome, heldInterval: () => 'i', isMirrored: () => logs.placeOf(ref) === 'remote' };
  const held = new HeldLogs(
    store,
    places,
    () => channels,
    (error) => node.failures.push(error),
  );
  const parts = {
    channels,
    logs,
    store,
    remote,
    isHome,
    replicated: {
      openApart: () => {
        node.openedApart++;
        return held.openApart(ref);
      },
      fetchHeld: () => Promise.resolve({ type: 'unknown' }),
    },
    timers: { after: () => () => undefined },
    failed: (error: unknown) => node.failures.push(error),
  } as unknown as RehomingParts;
  return { node, held, channels, resolve, reject, own, mirrored, rehoming: new Rehoming(parts) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('where nobody serves it any more it is read here, and the node does not fail', async () => {
  const { node, held, channels, reject, own, rehoming } = coming();
  await held.openApart(ref);
  const first = channels.use(ref);
  node.isHome = true;
  held.place();
  rehoming.ringChanged();
  reject(new RemoteUnavailableError('no home serves room:1 now'));
  await turn();
  expect(node.failures).toEqual([]);
  const channel = channels.held(ref)!;
  expect([channel === first, channel.isLoaded, channel.log === own, node.shared]).toEqual([
    false,
    true,
    true,
    1,
  ]);
});

test('where another home serves it its readers are moved as soon as it is there', async () => {
  const { node, held, channels, resolve, mirrored, rehoming } = coming();
  await held.openApart(ref);
  channels.use(ref);
  node.isHome = true;
  held.place();
  rehoming.ringChanged();
  await turn();
  expect(node.openedApart).toBe(0);
  resolve(mirrored);
  await turn();
  expect(node.failures).toEqual([]);
  expect(node.openedApart).toBe(1);
});
