/** What real nodes say of the ring they are in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeProcess } from './node-process.js';

export interface RingSeen {
  readonly alone: boolean;
  readonly node: string;
  readonly ring?: { version: number; members: { node: string; state: string }[]; change?: object };
  readonly seen?: {
    members: { node: string; reachable: boolean }[];
    intervals: { wanted: number; owned: number };
  };
}

/** Of the administrator. */
export function tokenOf(node: NodeProcess): string {
  return readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim();
}

export async function ringOf(node: NodeProcess): Promise<RingSeen> {
  const answer = await fetch(`${node.url}/v1/admin/cluster`, {
    headers: { authorization: `Bearer ${tokenOf(node)}` },
    signal: AbortSignal.timeout(10_000),
  });
  return (await answer.json()) as RingSeen;
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
