/** What a figure is worth nothing without. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';

export interface Surroundings {
  readonly time: string;
  /** Of the project; with "+" when files differ from it. Undefined outside a clone. */
  readonly commit: string | undefined;
  readonly node: string;
  readonly platform: string;
  readonly processors: number;
  /** Of the last minute, before the bench began. */
  readonly loadAverage: number;
  readonly pinning: string;
}

export function surroundings(projectRoot: string, pinning: string): Surroundings {
  return {
    time: new Date().toISOString(),
    commit: commitOf(projectRoot),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processors: cpus().length,
    loadAverage: loadavg()[0]!,
    pinning,
  };
}

export function surroundingsLines(all: Surroundings): string[] {
  const { time, commit, node, platform, processors, loadAverage, pinning } = all;
  const where = `${processors} processors, ${platform}, Node ${node}`;
  return [
    `${time.slice(0, 10)}, commit ${commit ?? 'unknown'}; ${where}`,
    `load average ${loadAverage.toFixed(1)} before; ${pinning}`,
  ];
}

function commitOf(projectRoot: string): string | undefined {
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', projectRoot, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  try {
    const commit = git('rev-parse', '--short', 'HEAD').trim();
    return git('status', '--porcelain', '--', 'src').trim() === '' ? commit : `${commit}+`;
  } catch {
    return undefined;
  }
}
