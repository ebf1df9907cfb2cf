/** What an administrator sets up once for a chat: who registers, and what goes for the channels of people and groups. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../../simulations/processes/cluster.js';
import { becomes } from '../shared/waiting.js';

const settings = {
  providers: { people: { type: 'directory', registration: true } },
  rules: { chat: { presence: true, receipts: true, list: true } },
  namespaces: { u: 'chat', g: 'chat' },
};

export async function setUp({ url, process: { dataPath } }: ClusterNode): Promise<void> {
  const token = (await readFile(join(dataPath, 'admin-token'), 'utf8')).trim();
  const put = async (): Promise<boolean> => {
    const answer = await fetch(`${url}/v1/admin/hubs/default/settings`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(settings),
    });
    // Nodes that have just met do not know yet which of them orders what.
    if (!answer.ok && answer.status !== 503)
      throw new Error(`the hub could not be set up: ${await answer.text()}`);
    return answer.ok;
  };
  if (!(await becomes(put))) throw new Error('the hub could not be set up: no node takes its settings');
}
