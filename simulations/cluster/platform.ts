/** Where a simulated client runs: its machine's clock, its own chance, and sockets of the simulated network. */
import type { Random } from '../../src/base/random.js';
import type { Platform } from '../../src/client/platform.js';
import { type Machine, timerMs } from '../world/machine.js';
import type { ClientNetwork } from './client-network.js';

export function platformFor(
  client: string,
  machine: Machine,
  network: ClientNetwork,
  random: Random,
  broken: (error: unknown) => void,
): Platform {
  return {
    nowMs: () => machine.line.monotonicMs(),
    unixMs: () => machine.wallMs(),
    after: (delayMs, callback) => machine.after(timerMs(delayMs), callback),
    soon: (callback) => machine.soon(callback),
    random,
    openSocket: (url, _, events) => network.open(client, machine, url, events),
    report: broken,
  };
}
