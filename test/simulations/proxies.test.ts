/** The network between real nodes, with sockets in place of nodes: what is cut is cut, pulses too. */
import { type Socket as UdpSocket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Proxies, nodeHost } from '../../simulations/processes/proxies.js';
import { limits } from '../../src/base/limits.js';
import { freePort } from '../support/free-port.js';

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A node that sends back what it hears as a connection, and notes packets. */
async function node(proxies: Proxies, name: string) {
  const port = await freePort();
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(port, nodeHost);
  await once(server, 'listening');
  const heard: string[] = [];
  const udp = async (at: number): Promise<UdpSocket> => {
    const socket = createSocket('udp4').on('message', (bytes) => void heard.push(String(bytes)));
    socket.bind(at, nodeHost);
    await once(socket, 'listening');
    closers.push(() => socket.close());
    return socket;
  };
  const [packets, pulses] = [await udp(port), await udp(port + limits.pulsePortAbove)];
  closers.push(() => server.close());
  const proxy = await proxies.add({ name, port, pid: () => process.pid });
  return { port, proxy, heard, packets, pulses };
}

async function two() {
  const proxies = new Proxies();
  closers.push(() => proxies.close());
  return { proxies, a: await node(proxies, 'a'), b: await node(proxies, 'b') };
}

const settleMs = 200;

test.skipIf(process.platform !== 'linux')(
  'questions for a pulse are passed on, and cut with all else',
  async () => {
    const { proxies, a, b } = await two();
    const ask = async (text: string): Promise<void> => {
      a.pulses.send(text, b.port + limits.pulsePortAbove, '127.0.0.1');
      a.packets.send(`packet ${text}`, b.proxy, '127.0.0.1');
      await pause(settleMs);
    };
    await ask('one');
    await expect.poll(() => b.heard.toSorted()).toEqual(['one', 'packet one']);
    proxies.isolate('b');
    await ask('two');
    proxies.mend();
    proxies.cutPackets('a');
    await ask('three');
    expect(b.heard).toHaveLength(2);
    proxies.mend();
    proxies.cut('b', 'a', true);
    await ask('four');
    await expect.poll(() => b.heard.slice(2).toSorted()).toEqual(['four', 'packet four']);
    expect(proxies.pulses).toBe(2);
  },
);

test.skipIf(process.platform !== 'linux')(
  'connections alone are cut, and go on with what waited',
  async () => {
    const { proxies, a, b } = await two();
    const socket: Socket = connect(b.proxy, '127.0.0.1');
    closers.push(() => socket.destroy());
    let back = '';
    socket.on('data', (bytes) => (back += String(bytes)));
    socket.write('one');
    await expect.poll(() => back).toBe('one');
    proxies.cutConnections('b');
    socket.write(' two');
    a.packets.send('packet', b.proxy, '127.0.0.1');
    await expect.poll(() => b.heard).toEqual(['packet']);
    await pause(settleMs);
    expect(back).toBe('one');
    proxies.mend();
    await expect.poll(() => back).toBe('one two');
    expect((socket.address() as AddressInfo).port).toBeGreaterThan(0);
  },
);
