/** What a node tells of the log it has open, or of having none. */
import type { NodeStatus } from './api.js';
import type { Core } from './core.js';

type CoreStatus = Pick<
  NodeStatus,
  'storeId' | 'writer' | 'channelsInMemory' | 'diskFull' | 'counters' | 'cluster'
>;

/** `published`: what was counted where publishes come in. */
export function coreStatus(
  core: Core | undefined,
  published: Readonly<Record<string, number>> | undefined,
): CoreStatus {
  return {
    storeId: core?.store.storeId ?? '',
    writer: core?.ordering.writer ?? '',
    channelsInMemory: core?.channels.size ?? 0,
    diskFull: core !== undefined && core.store.space() !== 'ok',
    ...(core?.cluster ? { cluster: core.cluster.status() } : {}),
    counters: { ...core?.committer.counters, ...published, ...core?.delivery.counters },
  };
}
