/** Names of what the fan-out suite measures. */
import type { BroadcastWay } from '../floors/ws-floor.js';

export const listenerCounts = [10, 100, 1_000];
export const fanOutInFlights = [1, 8, 200];
export const ways: readonly BroadcastWay[] = ['send', 'frame', 'turn'];

export const fanOutTargets = {
  durable: 'ringlog durable',
  signals: 'ringlog signals',
  nats: 'nats, over ws',
  disk: 'append+fdatasync',
} as const;

export const diskCell = 'the disk alone, 1 in flight';
export const cellName = (listeners: number, inFlight: number) =>
  `${listeners} subscribers, ${inFlight} in flight`;
export const latencyName = (listeners: number) => `${listeners} subscribers, half of the maximum`;
export const floorName = (way: BroadcastWay, isSynced: boolean) =>
  `ws ${way}${isSynced ? ' + fdatasync' : ''}`;

/** Without a sync: what delivering costs alone. */
export const floors = ways.map((way) => floorName(way, false));
