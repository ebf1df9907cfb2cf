/** `ringlog bench`: loads a running node and tells what it takes. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { limits } from '../base/limits.js';
import { isLoopback } from '../base/loopback.js';
import { runFanOutLoad } from './bench/fan-out-load.js';
import type { Duration, LoadResult } from './bench/measuring.js';
import { inFlightOf, runPublishLoad } from './bench/publish-load.js';
import { RinglogListener, RinglogSpeaker, type RinglogTarget } from './bench/ringlog-conversation.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { unreachable } from './node-http.js';
import { type Output, createOutput } from './output.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { formatCount } from './terminal.js';

interface BenchOptions extends TargetOptions {
  readonly inFlight: string;
  readonly connections: string;
  readonly perFrame: string;
  readonly subscribers: string;
  readonly seconds: string;
  readonly bytes: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

interface Plan {
  readonly inFlight: number;
  readonly connections: number;
  readonly perFrame: number;
  readonly subscribers: number;
  readonly seconds: number;
  readonly bytes: number;
}

/** From this share of a processor on, this process and not the node is what is measured. */
const fullShare = 0.9;

/** More might fill a subscriber's queue, and a node drops signals for who does not keep up. */
const fanOutInFlightMax = 1_000;

export function addBenchCommand(program: Command): void {
  const command = program
    .command('bench')
    .description('Load a running node: publishes, then fan-out of entries and of signals.')
    .option('--in-flight <n>', 'messages under way at once', '64')
    .option('--connections <n>', 'connections that publish', '1')
    .option('--per-frame <n>', 'publishes in one frame', '1')
    .option('--subscribers <n>', 'subscribers of the fan-out; 0 leaves it out', '100')
    .option('--seconds <n>', 'of each measurement', '5')
    .option('--bytes <n>', 'payload of a message', '128')
    .option('--json', 'JSON on a terminal too')
    .option('--yes', 'also load a node that is not on this machine');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
What it publishes stays in the log, in channels whose names begin with "bench:".

Examples:
  ringlog bench
  ringlog bench --in-flight 512 --connections 16 --seconds 10
  ringlog bench --url http://10.0.0.5:8080 --yes | jq .perSecond`,
    )
    .action((options: BenchOptions) => untilInterrupted((signal) => bench(options, signal)));
}

async function bench(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const plan = planOf(options);
  const target = targetOf(options, process.env);
  const { hostname } = new URL(target.url);
  if (options.yes !== true && !isLoopback(hostname)) {
    const message = `${target.url} is not on this machine, and loading it may hurt others. Say --yes if that is meant.`;
    throw new CommandError(exitCodes.usage, message);
  }
  const output = createOutput(options);
  try {
    await runAll(plan, target, output, signal);
  } catch (error) {
    if (signal.aborted || error instanceof CommandError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') throw unreachable(target);
    throw new CommandError(exitCodes.failed, `The load failed: ${message}.`);
  }
}

async function runAll(plan: Plan, target: Target, output: Output, signal: AbortSignal): Promise<void> {
  const { subscribers } = plan;
  const inFlight = Math.min(plan.inFlight, fanOutInFlightMax);
  const peer: RinglogTarget = {
    url: target.url,
    hub: target.hub,
    ...(target.token !== undefined && { token: target.token }),
  };
  // A run of its own: what earlier ones left does not count.
  const channel = `bench:${randomBytes(6).toString('hex')}`;
  const speaker = (level?: 'memory') =>
    new RinglogSpeaker(peer, {
      channels: [channel],
      publishesPerFrame: 1,
      payloadBytes: plan.bytes,
      inFlight,
      ...(level && { level }),
    });
  await publish(plan, peer, channel, { output, signal });
  if (subscribers === 0) return;
  for (const level of [undefined, 'memory'] as const) {
    const meter = new Meter(plan, signal);
    const listeners = Array.from({ length: subscribers }, () => new RinglogListener(peer, [channel]));
    const pace = { inFlight };
    const result = await runFanOutLoad({ speaker: speaker(level), listeners, pace, ...meter.duration });
    const what = level === 'memory' ? 'signals' : 'entries';
    await tell(
      output,
      { what: `delivered ${what}`, under: `${subscribers} subscribers, ${inFlight} in flight` },
      result,
      meter,
    );
  }
}

async function publish(
  plan: Plan,
  peer: RinglogTarget,
  channel: string,
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<void> {
  const { inFlight, connections, perFrame, bytes } = plan;
  const meter = new Meter(plan, signal);
  const speakers = Array.from(
    { length: connections },
    () =>
      new RinglogSpeaker(peer, {
        channels: [channel],
        publishesPerFrame: perFrame,
        payloadBytes: bytes,
        inFlight,
      }),
  );
  const load = { speakers, inFlight, ...meter.duration };
  const result = await runPublishLoad(load);
  const under = `${connections} connections, ${inFlightOf(load)} in flight, ${perFrame} a frame`;
  await tell(output, { what: 'published', under }, result, meter);
}

/** How much of a processor this process itself took. */
class Meter {
  readonly duration: Duration;
  #begun = process.cpuUsage();
  #used = process.cpuUsage();

  constructor({ seconds }: Plan, signal: AbortSignal) {
    this.duration = {
      warmUpMs: Math.min(1_000, seconds * 300),
      measureMs: seconds * 1_000,
      signal,
      onEdge: (edge) => {
        if (edge === 'begin') this.#begun = process.cpuUsage();
        else this.#used = process.cpuUsage(this.#begun);
      },
    };
  }

  get share(): number {
    return (this.#used.user + this.#used.system) / 1_000 / this.duration.measureMs;
  }
}

async function tell(
  output: Output,
  { what, under }: { readonly what: string; readonly under: string },
  { operations, seconds, latencies }: LoadResult,
  { share }: Meter,
): Promise<void> {
  const perSecond = Math.round(operations / seconds);
  const times = latencies
    ? `p50 ${latencies.p50Ms.toFixed(2)} ms, p99 ${latencies.p99Ms.toFixed(2)} ms`
    : 'none came back';
  const full = share > fullShare ? '; this process is full, the node may do more' : '';
  await output.print(
    () =>
      `${what.padEnd(18)} ${formatCount(perSecond).padStart(12)} a second   ${times}   (${under}; load took ${Math.round(share * 100)} % of a processor${full})`,
    () =>
      JSON.stringify({
        measured: what,
        under,
        perSecond,
        operations,
        seconds,
        ...(latencies && {
          p50Ms: latencies.p50Ms,
          p90Ms: latencies.p90Ms,
          p99Ms: latencies.p99Ms,
          maxMs: latencies.maxMs,
        }),
        loadShare: share,
      }),
  );
}

function planOf(options: BenchOptions): Plan {
  return {
    inFlight: wholeNumber('--in-flight', options.inFlight, 1, 65_536),
    connections: wholeNumber('--connections', options.connections, 1, 10_000),
    perFrame: wholeNumber('--per-frame', options.perFrame, 1, limits.envelopesPerFrameMax),
    subscribers: wholeNumber('--subscribers', options.subscribers, 0, 20_000),
    seconds: wholeNumber('--seconds', options.seconds, 1, 3_600),
    bytes: wholeNumber('--bytes', options.bytes, 1, 65_536),
  };
}

function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max && /^\d+$/.test(text)) return value;
  throw new CommandError(
    exitCodes.usage,
    `${flag} takes a whole number from ${min} to ${max}, not "${text}".`,
  );
}
