/** Real processes on one machine, with nothing configured but where their data lies: they find each other and keep together
 *  what is written. A cluster name of their own keeps them apart from other nodes of the machine. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/index.js';
import { NodeProcess, type NodeProcessOptions } from '../support/node-process.js';
import { areTogether, ringOf, tokenOf } from '../support/rings.js';

const withinMs = 200_000;
/** Many starts of real processes: on a busy machine each takes its time. */
const testTimeoutMs = 800_000;
vi.setConfig({ testTimeout: testTimeoutMs, hookTimeout: testTimeoutMs });

const nodes: NodeProcess[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});

const multicastFault = await faultOfMulticast();

async function start(options: NodeProcessOptions): Promise<NodeProcess> {
  const node = await NodeProcess.start(options);
  nodes.push(node);
  return node;
}

async function becomes<T>(look: () => Promise<T | false | undefined>, what: string): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    if (performance.now() > end)
      throw new Error(`${what}: not within ${withinMs} ms\n${nodes.map(({ output }) => output).join('\n')}`);
    await pause(100);
  }
}

async function together(...all: readonly NodeProcess[]): Promise<void> {
  await becomes(() => areTogether(all), `a ring of ${all.length}`);
}

interface Accepted {
  readonly level: string;
  readonly copies: number;
}

/** Until a majority has it: a node that has just come may refuse for a moment, and one that reaches too few others would take
 *  it at `owner`, which has another place in the order later. */
function publish(node: NodeProcess, channel: string, text: string): Promise<Accepted> {
  const key = randomBytes(8).toString('hex');
  return becomes(async () => {
    const answer = await fetch(
      `${node.url}/v1/hubs/default/channels/${channel}/publish?level=quorum&degrade=false`,
      {
        method: 'POST',
        headers: { 'content-type': 'text/plain', 'idempotency-key': key },
        body: text,
        signal: AbortSignal.timeout(10_000),
      },
    );
    return answer.ok && ((await answer.json()) as Accepted);
  }, `${text} is published`);
}

async function history(node: NodeProcess, channel: string): Promise<unknown[]> {
  const answer = await fetch(`${node.url}/v1/hubs/default/channels/${channel}/history?limit=1000`, {
    signal: AbortSignal.timeout(10_000),
  });
  const page = (await answer.json()) as { entries: { kind: string; data: unknown }[] };
  // A merge keeps the log in order and says nothing.
  return page.entries.filter(({ kind }) => kind === 'publish').map(({ data }) => data);
}

async function expectEverywhere(
  channel: string,
  expected: readonly string[],
  ...all: readonly NodeProcess[]
) {
  for (const node of all)
    await becomes(
      async () => JSON.stringify(await history(node, channel)) === JSON.stringify(expected),
      `${channel} is ${expected.join()} at every node`,
    );
}

describe.skipIf(multicastFault !== undefined)('three processes with nothing configured', () => {
  test('form one ring: data written at any node is seen from every node, and survives a restart of all', async () => {
    const cluster = clusterName();
    const [a, b, c] = await Promise.all([start({ cluster }), start({ cluster }), start({ cluster })]);
    await together(a, b, c);
    for (const [i, node] of [a, b, c].entries()) {
      const accepted = await publish(node, 'room', `of ${i}`);
      expect(accepted.level).toBe('quorum');
      expect(accepted.copies).toBeGreaterThanOrEqual(2);
    }
    await expectEverywhere('room', ['of 0', 'of 1', 'of 2'], a, b, c);

    for (const node of [a, b, c]) expect((await node.stop()).code).toBe(0);
    await Promise.all([a.start(), b.start(), c.start()]);
    await together(a, b, c);
    await expectEverywhere('room', ['of 0', 'of 1', 'of 2'], a, b, c);
    await publish(b, 'room', 'after');
    await expectEverywhere('room', ['of 0', 'of 1', 'of 2', 'after'], a, b, c);
  });

  test('go on without one: a node stopped while others took writes has them all when it returns', async () => {
    const cluster = clusterName();
    const [a, b, c] = await Promise.all([start({ cluster }), start({ cluster }), start({ cluster })]);
    await together(a, b, c);
    const expected: string[] = [];
    const say = async (node: NodeProcess, text: string): Promise<void> => {
      await publish(node, 'room', text);
      expected.push(text);
    };
    await say(a, 'before');
    // Whoever orders the channel is among them in turn. Two are killed, one is told to stop.
    for (const [victim, other] of [
      [a, b],
      [b, c],
      [c, a],
    ] as const) {
      await (victim === c ? victim.stop() : victim.kill());
      await say(other, `without ${expected.length}`);
      await victim.start();
      await together(a, b, c);
      await expectEverywhere('room', expected, a, b, c);
    }
  });

  test('tell their clients of each other: one that is killed, or stops, takes nobody with it', async () => {
    const cluster = clusterName();
    const [a, b, c] = await Promise.all([start({ cluster }), start({ cluster }), start({ cluster })]);
    await together(a, b, c);
    const client = connect(a.url);
    try {
      const seen: unknown[] = [];
      client.subscribe('room', { start: 'beginning', onEntry: ({ data }) => void seen.push(data) });
      const sayTo = async (nodes: readonly NodeProcess[], text: string): Promise<void> => {
        await client.publish('room', text);
        await becomes(async () => seen.includes(text), `${text} comes back`);
        const ids = await Promise.all(nodes.map(async (node) => (await ringOf(node)).node));
        expect(ids).toContain(client.session?.nodeId);
      };
      await sayTo([a], 'at the first');
      // The node looks once a second at what its clients are to be told.
      await pause(2_500);
      await a.kill();
      await sayTo([b, c], 'at another');
      await pause(2_500);
      const second = (await ringOf(b)).node === client.session?.nodeId ? b : c;
      await second.stop();
      await a.start();
      await sayTo([a, second === b ? c : b], 'at a third');
      expect(seen).toEqual(['at the first', 'at another', 'at a third']);
    } finally {
      await client.close();
    }
  });

  test('join the one that holds entries already', async () => {
    const cluster = clusterName();
    const first = await start({ cluster });
    await publish(first, 'room', 'alone');
    expect((await ringOf(first)).alone).toBe(true);
    const second = await start({ cluster });
    await together(first, second);
    await expectEverywhere('room', ['alone'], first, second);
    await publish(second, 'room', 'together');
    await expectEverywhere('room', ['alone', 'together'], first, second);
  });
});

describe('an empty node', () => {
  test('acknowledges nothing that the ring it joins does not get', async () => {
    const cluster = clusterName();
    const listen = ['--peer-listen', '127.0.0.1:0', '--join'];
    const first = await start({ cluster, args: [...listen, '127.0.0.1:1'] });
    const seed = await becomes(
      async () => /Peers +(127\.0\.0\.1:\d+)/.exec(first.output)?.[1],
      'it says its address',
    );
    await publish(first, 'room', 'of the first');
    const second = await start({ cluster, args: [...listen, seed] });
    // As early as it can be asked.
    for (let i = 0; i < 5; i++) await publish(second, 'room', `of the second ${i}`);
    await together(first, second);
    const all = ['of the first', ...Array.from({ length: 5 }, (_, i) => `of the second ${i}`)];
    await expectEverywhere('room', all, first, second);
  });
});

describe('a node', () => {
  test('stays alone when it is told to', async () => {
    const node = await start({});
    expect(await ringOf(node)).toMatchObject({ alone: true });
    expect(node.output).not.toContain('Peers');
  });

  test('goes on where its address list has nobody, or somebody who is no node, and says what to do', async () => {
    const other = await start({});
    const port = Number(new URL(other.url).port);
    const node = await start({
      cluster: clusterName(),
      args: ['--join', `127.0.0.1:1,127.0.0.1:${port}`, '--peer-listen', '127.0.0.1:0'],
    });
    await becomes(
      async () => node.output.includes('No node answers at 127.0.0.1:1'),
      'it says who is missing',
    );
    await becomes(
      async () => node.output.includes(`127.0.0.1:${port} is no peer port`),
      'it says what is foreign',
    );
    await publish(node, 'room', 'anyway');
    await expectEverywhere('room', ['anyway'], node);
  });
});

function clusterName(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}

/** What the system says against multicast on the machine's own interface. */
async function faultOfMulticast(): Promise<string | undefined> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, () => resolve());
    });
    const { port } = socket.address();
    socket.addMembership('239.255.77.46', '127.0.0.1');
    socket.setMulticastInterface('127.0.0.1');
    socket.setMulticastLoopback(true);
    const heard = new Promise<boolean>((resolve) => {
      socket.once('message', () => resolve(true));
      setTimeout(() => resolve(false), 2_000).unref();
    });
    socket.send('?', port, '239.255.77.46');
    return (await heard) ? undefined : 'nothing is heard';
  } catch (error) {
    return String(error);
  } finally {
    socket.close();
  }
}

test('a hub, its settings and its people are at every node, also when one is killed', async () => {
  const cluster = `hubs-${randomBytes(4).toString('hex')}`;
  const first = await start({ cluster });
  const others = [await start({ cluster }), await start({ cluster })];
  await together(first, ...others);
  const admin = async (node: NodeProcess, path: string, body?: unknown): Promise<number> => {
    const answer = await fetch(`${node.url}/v1/admin/hubs/acme${path}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${tokenOf(node)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return answer.status;
  };
  const put = (node: NodeProcess, path: string, body?: unknown) =>
    becomes(async () => (await admin(node, path, body)) === 200, `PUT ${path}`);
  await put(first, '');
  await put(others[0]!, '/settings/rules/closed', { clientPublish: false });
  await put(others[1]!, '/settings/channels/vault', 'closed');
  await put(first, '/settings/providers/people', { type: 'directory', registration: true });
  const ada = { name: 'ada', password: 'correct horse' };
  const ask = async (
    node: NodeProcess,
    action: string,
  ): Promise<{ name?: string; token?: string; code?: string }> => {
    const answer = await fetch(`${node.url}/v1/hubs/acme/users/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ada),
    });
    return (await answer.json()) as { name?: string; token?: string; code?: string };
  };
  await becomes(async () => {
    const { name, code } = await ask(others[0]!, 'register');
    return name === 'ada' || code === 'NAME_TAKEN';
  }, 'a registration');
  await first.kill();
  for (const node of others) {
    const { token: given } = await becomes(async () => {
      const answer = await ask(node, 'login');
      return answer.token !== undefined && answer;
    }, 'a log-in');
    const client = connect({ url: node.url, hub: 'acme', token: given! });
    await client.ready();
    expect(client.identity).toMatchObject({ user: 'ada' });
    await expect(client.publish('vault', 'x')).rejects.toMatchObject({ code: 'DENIED' });
    await client.close();
  }
});
