/** Nodes' ports on real sockets of this machine. */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { NodeId } from '../../src/base/ids.js';
import type { Observation } from '../../src/engine/ports.js';
import { makeCertificates } from '../../src/peer/certificates.js';
import { type ClusterKey, newClusterKey, parseClusterKey } from '../../src/peer/cluster-key.js';
import { PeerPort, type PeerPortOptions } from '../../src/peer/peer-port.js';
import { type Security, sealedBy } from '../../src/peer/security.js';
import { systemClock, systemRandom, systemTimers } from '../../src/server/system-ports.js';
import type { PeersEnd, PeersWorld } from '../contracts/peers.js';

export function someKey(): ClusterKey {
  const key = parseClusterKey(newClusterKey(systemRandom));
  if (!key.ok) throw new Error(key.error);
  return key.value;
}

export async function sealed(key: ClusterKey, node: NodeId, cluster = 'test'): Promise<Security> {
  return sealedBy(key, await makeCertificates(key, cluster, node));
}

export function someNode(): NodeId {
  return randomBytes(16).toString('hex') as NodeId;
}

export async function openPort(
  node: NodeId,
  security: Security,
  more: Partial<PeerPortOptions> = {},
): Promise<PeerPort & { readonly told: Observation[] }> {
  const told: Observation[] = [];
  const port = await PeerPort.open({
    cluster: 'test',
    node,
    security,
    listen: { host: '127.0.0.1', port: 0 },
    portsTried: 10,
    advertise: (bound) => `127.0.0.1:${bound}`,
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    observer: { observe: (observation) => void told.push(observation) },
    ...more,
  });
  return Object.assign(port, { told });
}

export async function becomes(condition: () => boolean, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`it did not become so within ${withinMs} ms`);
    await pause(10);
  }
}

/** Nodes are named by letters; the same letter is the same node at the same port. */
export function socketWorld(secure: (node: NodeId) => Promise<Security>): PeersWorld {
  const ports = new Map<string, PeerPort>();
  const all: PeerPort[] = [];
  return {
    async open(name): Promise<PeersEnd> {
      const id = name.repeat(32) as NodeId;
      const port = ports.get(name)?.port ?? 0;
      const peers = await openPort(id, await secure(id), { listen: { host: '127.0.0.1', port } });
      ports.set(name, peers);
      all.push(peers);
      return { id, address: peers.own.address, peers };
    },
    kill: (name) => ports.get(name)!.stop(),
    becomes,
    pass: () => pause(100),
    run: (task) => task(),
    done: async () => all.forEach((port) => port.stop()),
  };
}
