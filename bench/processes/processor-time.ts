/** Processor time of processes and of the machine, and memory, from /proc. Elsewhere nothing is known of another process:
 *  figures "per processor second" are left out there, unless the process tells its own. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Whether processor time of other processes can be read here. */
export const isReadable = process.platform === 'linux';
const ticksPerSecond = isReadable ? Number(execFileSync('getconf', ['CLK_TCK'])) : 100;

/** All threads, in user and system mode. */
export function processorSeconds(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name stands in parentheses and may hold anything, spaces too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Of several together; undefined where one is not known. */
export function processorSecondsOf(pids: readonly number[]): number | undefined {
  let sum = 0;
  for (const pid of pids) {
    const seconds = processorSeconds(pid);
    if (seconds === undefined) return undefined;
    sum += seconds;
  }
  return sum;
}

export function ownProcessorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Of all processors together. */
export function machineProcessorSeconds(): number | undefined {
  const fields = read('/proc/stat')?.split('\n', 1)[0]?.split(/\s+/).slice(1).map(Number);
  if (!fields) return undefined;
  const [user, nice, system, , , interrupts, softInterrupts, stolen] = fields as number[];
  return (user! + nice! + system! + interrupts! + softInterrupts! + stolen!) / ticksPerSecond;
}

export function residentBytes(pid: number): number | undefined {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1_024;
}

function read(file: string): string | undefined {
  if (!isReadable) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
