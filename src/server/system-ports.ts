/** The machine behind the engine's ports: real clock, timers, chance and hashing. */
import { createHash, randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Clock, Hashing, Random, Timers } from '../engine/ports.js';

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export const systemTimers: Timers = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
  // The check phase comes after all sockets of this turn were read.
  soon(callback) {
    setImmediate(callback);
  },
};

export const systemRandom: Random = {
  next: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  bytes: (length) => new Uint8Array(randomBytes(length)),
};

export const systemHashing: Hashing = {
  sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
};

/** For what share of the time since the last call this thread's loop had work. */
export function systemBusyShare(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

/** For how many milliseconds this thread's loop has had work in all. */
export function systemWorkedMs(): number {
  return performance.eventLoopUtilization().active;
}
