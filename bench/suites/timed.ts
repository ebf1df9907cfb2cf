/** One timed load as a sample: rates, shares, and what they cost the server. */
import type { LoadJob, LoadReport, TimedJob } from '../load/jobs.js';
import type { Inside } from '../processes/inside.js';
import { isReadable } from '../processes/processor-time.js';
import type { Worker } from '../processes/worker.js';
import type { Sample } from '../report/sample.js';

export interface TimedServer {
  readonly pid: number;
  /** Of a server that is a program of the bench, or attended. */
  inside?(what: Inside): Promise<number>;
}

export type Load = Worker<LoadJob, LoadReport>;
type WithoutServer<J> = J extends unknown ? Omit<J, 'serverPids'> : never;

export interface Timed {
  readonly report: LoadReport;
  readonly sample: Sample;
}

/** Several servers count as one. */
export async function timed(
  load: Load,
  job: WithoutServer<TimedJob>,
  ...servers: readonly TimedServer[]
): Promise<Timed> {
  // Where the load cannot read it, servers tell their processor time before and after the whole load.
  const before = isReadable ? undefined : await toldBy(servers);
  const report = await load.do({ ...job, serverPids: servers.map(({ pid }) => pid) });
  if (before === undefined) return { report, sample: sampleOf(report) };
  const used = (await toldBy(servers))! - before;
  const serverSeconds = (used * report.operations) / report.operationsInAll;
  return { report, sample: sampleOf({ ...report, serverSeconds }) };
}

async function toldBy(servers: readonly TimedServer[]): Promise<number | undefined> {
  let sum = 0;
  for (const server of servers) {
    const told = await server.inside?.('processor');
    if (told === undefined) return undefined;
    sum += told;
  }
  return sum;
}

export function sampleOf(report: LoadReport): Sample {
  const { operations, seconds, loadSeconds, serverSeconds, machineSeconds, latencies } = report;
  const ours = (serverSeconds ?? 0) + loadSeconds;
  return {
    rate: operations / seconds,
    loadShare: loadSeconds / seconds,
    ...(serverSeconds !== undefined && {
      serverShare: serverSeconds / seconds,
      // It comes in ticks of 10 ms: below some of them a quotient says nothing.
      ...(serverSeconds >= 0.05 && { perProcessorSecond: operations / serverSeconds }),
    }),
    ...(machineSeconds !== undefined && { foreignShare: Math.max(0, machineSeconds - ours) / seconds }),
    ...(latencies && { latencies }),
  };
}
