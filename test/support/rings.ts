/** What real nodes say of the ring they are in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RingView } from '../../simulations/processes/cluster.js';
import type { NodeProcess } from './node-process.js';

/** Of the administrator. */
export function tokenOf(node: NodeProcess): string {
  return readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim();
}

export async function ringOf(node: NodeProcess): Promise<RingView> {
  const answer = await fetch(`${node.url}/v1/admin/cluster`, {
    headers: { authorization: `Bearer ${tokenOf(node)}` },
    signal: AbortSignal.timeout(10_000),
  });
  return (await answer.json()) as RingView;
}

/** All of them in one ring that is whole. Whether they reach each other at a moment is not looked at: on a busy machine that
 *  comes and goes, and what matters is what becomes of what is written. */
export async function areTogether(all: readonly NodeProcess[]): Promise<boolean> {
  const rings = await Promise.all(all.map(ringOf));
  return rings.every(
    ({ ring }) =>
      ring?.members.length === all.length && !ring.change && ring.version === rings[0]!.ring!.version,
  );
}
