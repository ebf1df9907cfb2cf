/** What an administrator sets up once for a chat: who registers, and what goes for the channels of people, of groups, and for all others. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../../simulations/processes/cluster.js';
import { becomes } from '../shared/waiting.js';

const settings = {
  providers: { people: { type: 'directory', registration: true } },
  rules: { chat: { presence: true, receipts: true, list: true }, plain: { presence: true, list: true } },
  namespaces: { u: 'chat', g: 'chat' },
  hub: { rules: 'plain' },
};

/** Resolves when every node goes by it. */
export async function setUp(nodes: readonly ClusterNode[]): Promise<void> {
  const put = async (): Promise<boolean> => {
    const answer = await asked(nodes[0]!, { method: 'PUT', body: JSON.stringify(settings) });
    // Nodes that have just met do not know yet which of them orders what.
    if (!answer.ok && answer.status !== 503)
      throw new Error(`the hub could not be set up: ${await answer.text()}`);
    return answer.ok;
  };
  if (!(await becomes(put))) throw new Error('the hub could not be set up: no node takes its settings');
  for (const node of nodes) {
    const isTold = async () => (await (await asked(node)).text()).includes('"receipts":true');
    if (!(await becomes(isTold))) throw new Error(`${node.name} never heard of the hub's settings`);
  }
}

async function asked({ url, process: { dataPath } }: ClusterNode, how: RequestInit = {}): Promise<Response> {
  const token = (await readFile(join(dataPath, 'admin-token'), 'utf8')).trim();
  return fetch(`${url}/v1/admin/hubs/default/settings`, {
    ...how,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  });
}
