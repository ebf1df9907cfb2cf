/** What a node tells of the log it has open, or of having none. */
import type { NodeStatus } from './api.js';
import type { Core } from './core.js';

type CoreStatus = Pick<
  NodeStatus,
  'storeId' | 'writer' | 'channelsInMemory' | 'diskFull' | 'counters' | 'cluster'
>;

/** `counted`: what is counted outside of the log. */
export function coreStatus(core: Core | undefined, counted: Readonly<Record<string, number>>): CoreStatus {
  return {
    storeId: core?.store.storeId ?? '',
    writer: core?.ordering.writer ?? '',
    channelsInMemory: core?.channels.size ?? 0,
    diskFull: core !== undefined && core.store.space() !== 'ok',
    ...(core?.cluster ? { cluster: core.cluster.status() } : {}),
    counters: { ...core?.committer.counters, ...counted, ...core?.delivery.counters },
  };
}
