/** One name is registered on both sides of a partition, by WebSocket, HTTP and the command: it has one owner, and every other one is told. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { setUp } from '../../examples/chat/hub.js';
import { type ClusterNode, ProcessCluster } from '../../simulations/processes/cluster.js';
import { runProgram } from '../support/run-program.js';

vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

let cluster: ProcessCluster;
beforeAll(async () => {
  cluster = await ProcessCluster.start({ nodes: 3 });
  await setUp(cluster.nodes);
});
afterAll(() => cluster?.remove());

const ways: Readonly<
  Record<string, (node: ClusterNode, action: string, name: string, password: string) => Promise<string>>
> = {
  socket: (node, action, name, password) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${node.url.replace(/^http/, 'ws')}/v1/hubs/default/ws`);
      socket.once('error', reject);
      socket.once('open', () =>
        socket.send(JSON.stringify({ requestId: 1, user: { action, request: { name, password } } })),
      );
      socket.on('message', (bytes: Buffer) => {
        const told: unknown = JSON.parse(bytes.toString());
        for (const message of Array.isArray(told) ? told : [told]) {
          const { requestId, error } = message as { requestId?: number; error?: { code: string } };
          if (requestId !== 1) continue;
          socket.close();
          resolve(error?.code ?? 'done');
        }
      });
    }),
  http: async (node, action, name, password) => {
    const answer = await fetch(`${node.url}/v1/hubs/default/users/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, password }),
    });
    return answer.ok ? 'done' : ((await answer.json()) as { code: string }).code;
  },
  command: async (node, action, name, password) => {
    const env = {
      PATH: process.env['PATH'],
      RINGLOG_URL: node.url,
      RINGLOG_DATA: node.process.dataPath,
    };
    const { code, err } = await runProgram('dist/cli/main.js', ['user', action, name], {
      env,
      input: `${password}\n`,
    });
    return code === 0 ? 'done' : (/\b[A-Z][A-Z_]{5,}\b/.exec(err)?.[0] ?? err);
  },
};

/** Until it is said, one way or the other. */
async function said(ask: () => Promise<string>): Promise<string> {
  let answer = '';
  await cluster.becomes(async () => {
    answer = await ask();
    return !['UNAVAILABLE', 'INDETERMINATE', 'OVERLOADED'].includes(answer);
  }, 'somebody says');
  return answer;
}

test.each(Object.entries(ways))('by %s', async (way, ask) => {
  const [here, , alone] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  const name = `name-by-${way}`;
  const words = { here: 'a password of here', alone: 'a password of alone' };
  cluster.proxies.isolate(alone.name);
  try {
    const [first, second] = await Promise.all([
      said(() => ask(here, 'register', name, words.here)),
      ask(alone, 'register', name, words.alone),
    ]);
    // Who asked again where it was not said finds its own name taken.
    expect(['done', 'NAME_TAKEN']).toContain(first);
    // The few give a name to nobody.
    expect(['UNAVAILABLE', 'INDETERMINATE']).toContain(second);
  } finally {
    cluster.proxies.mend();
  }
  await cluster.together();
  expect(await said(() => ask(alone, 'register', name, words.alone))).toBe('NAME_TAKEN');
  for (const node of cluster.nodes) {
    expect(await said(() => ask(node, 'login', name, words.here))).toBe('done');
    expect(await said(() => ask(node, 'login', name, words.alone))).toBe('UNAUTHENTICATED');
  }
});
