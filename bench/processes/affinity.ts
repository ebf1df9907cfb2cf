/** Which processor the server runs on and which the load, so that neither takes time from the other. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Affinity {
  /** Undefined where processes cannot be pinned; `note` says why. */
  readonly server: number | undefined;
  readonly load: number | undefined;
  readonly note: string;
}

/** Becomes the program that it starts, on the processors it is given. */
export const pinningProgram = 'taskset';

export function affinity(): Affinity {
  const none = (note: string) => ({ server: undefined, load: undefined, note });
  if (process.platform !== 'linux') return none('nothing is pinned: only Linux has taskset');
  const allowed = allowedProcessors();
  if (allowed.length < 2) return none('nothing is pinned: there is only one processor');
  const [server, load] = allowed as [number, number];
  try {
    for (const processor of [server, load])
      execFileSync(pinningProgram, ['-c', String(processor), 'true'], { stdio: 'ignore' });
  } catch {
    return none('nothing is pinned: taskset is missing or not allowed');
  }
  return { server, load, note: `server on processor ${server}, load on processor ${load}` };
}

function allowedProcessors(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return Array.from({ length: last! - first + 1 }, (_, i) => first + i);
  });
}
