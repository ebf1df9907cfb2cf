/** How nodes of one network find each other: on interfaces that come and go, and under a key on a real socket. */
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { type Announcement, decodeAnnouncement } from '../../src/peer/discovery/announcement.js';
import { type GroupSocket, Multicast, type MulticastOptions } from '../../src/peer/discovery/multicast.js';
import { systemClock, systemRandom, systemTimers } from '../../src/server/system-ports.js';
import { becomes, someNode } from './support.js';

const group = { address: '239.255.77.46', port: 0 };
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const said = (node: NodeId, address: string): Announcement => ({
  cluster: 'test',
  node,
  address,
  standing: 'empty',
});

/** A system whose interfaces the test names; nothing takes time until it says so. */
function world() {
  const sent: { readonly at: string; readonly address: string }[] = [];
  const joins: string[] = [];
  const due: (() => void)[] = [];
  const state = { interfaces: [] as readonly string[], refused: '', changes: 0 };
  const secret = randomBytes(32);
  const socket: GroupSocket = {
    bind: async () => {},
    join: (_group, at) => {
      joins.push(at);
      if (at === state.refused) throw Object.assign(new Error('no such device'), { code: 'ENODEV' });
    },
    send: async (bytes, _port, _group, at) => {
      sent.push({ at, address: decodeAnnouncement(bytes, secret)!.address });
    },
    onDatagram: () => {},
    close: () => {},
  };
  const node = someNode();
  const options: MulticastOptions = {
    secret,
    group,
    clock: systemClock,
    random: { next: () => 0.5, bytes: (length) => new Uint8Array(length) },
    timers: { after: (_delayMs, callback) => (due.push(callback), () => {}), soon: (callback) => callback() },
    interfaces: () => state.interfaces,
    openSocket: () => socket,
    own: (at) => said(node, `${at}:7946`),
    heard: () => {},
    changed: () => void state.changes++,
  };
  const pass = async (): Promise<void> => {
    sent.length = 0;
    for (const callback of due.splice(0)) callback();
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return { state, sent, joins, options, pass };
}

test('a node that starts before its network is up speaks and listens there once it is', async () => {
  const { state, sent, joins, options, pass } = world();
  const multicast = await Multicast.open(options);
  closers.push(() => multicast.stop());
  await pass();
  expect(sent).toEqual([{ at: '127.0.0.1', address: '127.0.0.1:7946' }]);

  state.interfaces = ['10.0.0.5', '192.168.1.5'];
  state.refused = '192.168.1.5';
  await pass();
  expect(sent).toEqual([{ at: '10.0.0.5', address: '10.0.0.5:7946' }]);
  expect(state.changes).toBe(1);

  state.refused = '';
  await pass();
  expect(sent.map(({ address }) => address)).toEqual(['10.0.0.5:7946', '192.168.1.5:7946']);

  // One that comes back is joined again.
  state.interfaces = ['192.168.1.5'];
  await pass();
  state.interfaces = ['10.0.0.5', '192.168.1.5'];
  await pass();
  expect(joins.filter((at) => at === '10.0.0.5')).toHaveLength(2);
  expect(joins.filter((at) => at === '192.168.1.5')).toHaveLength(2);
  expect(sent).toHaveLength(2);
});

test('without an interface that can be joined it is told', async () => {
  const { state, options } = world();
  state.refused = '127.0.0.1';
  await expect(Multicast.open(options)).rejects.toThrow('no such device');
});

test('under a key nodes hear each other at the address of the interface, and others with another key do not', async () => {
  const own = { address: '239.255.77.46', port: 20_000 + Math.floor(Math.random() * 10_000) };
  const [ours, theirs] = [randomBytes(32), randomBytes(32)];
  const heard = new Map<string, Announcement[]>();
  const open = async (name: string, secret: Buffer): Promise<void> => {
    const node = someNode();
    const list: Announcement[] = [];
    heard.set(name, list);
    const multicast = await Multicast.open({
      secret,
      group: own,
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      interfaces: () => ['127.0.0.1'],
      own: (at) => said(node, `${at}:${name}`),
      heard: (announcement) => void list.push(announcement),
    });
    closers.push(() => multicast.stop());
  };
  for (const name of ['1', '2']) await open(name, ours);
  await open('3', theirs);
  await becomes(() => heard.get('1')!.length > 0 && heard.get('2')!.length > 0);
  expect(new Set(heard.get('1')!.map(({ address }) => address))).toEqual(new Set(['127.0.0.1:2']));
  expect(new Set(heard.get('2')!.map(({ address }) => address))).toEqual(new Set(['127.0.0.1:1']));
  expect(heard.get('3')).toEqual([]);
});
