/** One publisher, many subscribers: durable entries and signals, beside bare `ws` broadcasting in three ways, each with
 *  and without an append and sync before it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BroadcastWay } from '../floors/ws-floor.js';
import type { FanOutJob, LoadJob, LoadReport, Peer } from '../load/jobs.js';
import { type PeerServer, startNats } from '../peers/peer-servers.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { latencyColumns, notesColumn, rateColumns } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { type BenchContext, type OpenSuite, type Run, type Suite, sampleOf } from './suite.js';

const listenerCounts = [10, 100, 1_000];
const inFlights = [1, 8, 200];
const ways: readonly BroadcastWay[] = ['send', 'frame', 'turn'];

const cellName = (listeners: number, inFlight: number) => `${listeners} subscribers, ${inFlight} in flight`;
const latencyName = (listeners: number) => `${listeners} subscribers, half of the maximum`;
const durable = 'ringlog durable';
const signals = 'ringlog signals';
const nats = 'nats, over ws';
const floorName = (way: BroadcastWay, isSynced: boolean) => `ws ${way}${isSynced ? ' + fdatasync' : ''}`;

interface Target {
  readonly name: string;
  readonly peer: Peer;
  readonly serverPid: number;
  readonly load: Worker<LoadJob, LoadReport>;
}

export const fanOutSuite: Suite = {
  name: 'fanout',
  title: 'Fan-out',
  columns: [...rateColumns('deliveries'), ...latencyColumns, notesColumn],
  open: (context) => FanOutSuite.open(context),
};

class FanOutSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #targets: readonly Target[];
  readonly #node: RinglogNode;
  readonly #floors: readonly Worker<'port', number>[];
  readonly #nats: PeerServer | undefined;

  static async open(context: BenchContext): Promise<FanOutSuite> {
    const { server, load } = context.affinity;
    const node = await RinglogNode.start({ dataPath: join(context.directory, 'fan-out'), processor: server });
    const targets: Target[] = [];
    const floors: Worker<'port', number>[] = [];
    const add = (name: string, peer: Peer, serverPid: number) =>
      targets.push({ name, peer, serverPid, load: Worker.start('load/load-process', { processor: load }) });
    add(durable, { kind: 'ringlog', url: node.url }, node.pid);
    add(signals, { kind: 'ringlog', url: node.url, signals: true }, node.pid);
    for (const way of ways) {
      for (const isSynced of [false, true]) {
        const path = join(context.directory, `fan-out-${way}`);
        if (isSynced) mkdirSync(path);
        const args = isSynced ? [way, path] : [way];
        const floor = Worker.start<'port', number>('floors/ws-floor', { processor: server, args });
        floors.push(floor);
        const peer = { kind: 'ws', url: `ws://127.0.0.1:${await floor.do('port')}` } as const;
        add(floorName(way, isSynced), peer, floor.pid);
      }
    }
    const natsServer = await startNats({ directory: context.directory, processor: server });
    if (natsServer) add(nats, { kind: 'nats', url: natsServer.url }, natsServer.pid);
    return new FanOutSuite(context, { node, targets, floors, nats: natsServer });
  }

  private constructor(
    context: BenchContext,
    parts: {
      readonly node: RinglogNode;
      readonly targets: readonly Target[];
      readonly floors: readonly Worker<'port', number>[];
      readonly nats: PeerServer | undefined;
    },
  ) {
    this.#context = context;
    this.#node = parts.node;
    this.#targets = parts.targets;
    this.#floors = parts.floors;
    this.#nats = parts.nats;
    this.runs = this.#runs();
  }

  #runs(): Run[] {
    const runs: Run[] = [];
    for (const listeners of listenerCounts) {
      for (const inFlight of inFlights)
        for (const target of this.#targets)
          runs.push({
            cell: cellName(listeners, inFlight),
            target: target.name,
            sample: () => this.#sample(target, listeners, { inFlight }),
          });
      for (const target of this.#targets)
        if (
          target.name === durable ||
          target.name === signals ||
          target.name.startsWith(floorName('turn', false))
        )
          runs.push({
            cell: latencyName(listeners),
            target: target.name,
            sample: (rows) => this.#atHalf(target, listeners, rows),
          });
    }
    return runs;
  }

  async #sample(target: Target, listeners: number, pace: FanOutJob['pace']): Promise<Sample> {
    const { payloadBytes, warmUpMs, measureMs } = this.#context;
    const { peer, serverPid, load } = target;
    const job = {
      type: 'fan-out',
      peer,
      serverPid,
      listeners,
      pace,
      payloadBytes,
      warmUpMs,
      measureMs,
    } as const;
    const report = await load.do(job);
    return { ...sampleOf(report), values: { messages: report.inFlight } };
  }

  async #atHalf(target: Target, listeners: number, rows: Rows): Promise<Sample | undefined> {
    const rates = inFlights.map((inFlight) => rows.rate(cellName(listeners, inFlight), target.name) ?? 0);
    const maximum = Math.max(...rates);
    if (maximum === 0) return undefined;
    return this.#sample(target, listeners, { messagesPerSecond: maximum / 2 / listeners });
  }

  goals(rows: Rows): Goal[] {
    const goals: Goal[] = [];
    const add = (name: string, value: number | undefined, bound: number) => {
      if (value !== undefined) goals.push({ name, value, bound, sense: 'at least', unit: '×' });
    };
    for (const [listeners, bound] of [
      [100, 0.65],
      [1_000, 0.8],
    ] as const) {
      for (const inFlight of [8, 200]) {
        const cell = cellName(listeners, inFlight);
        const floor = best(ways.map((way) => rows.rate(cell, floorName(way, false))));
        add(
          `fan-out, durable, ${cell}: beside the best floor`,
          quotient(rows.rate(cell, durable), floor),
          bound,
        );
      }
    }
    for (const listeners of [100, 1_000]) {
      for (const inFlight of inFlights) {
        const cell = cellName(listeners, inFlight);
        const floor = best(ways.map((way) => rows.perProcessorSecond(cell, floorName(way, false))));
        const ours = rows.perProcessorSecond(cell, signals);
        add(
          `fan-out, signals, ${cell}: beside the best floor per processor second`,
          quotient(ours, floor),
          0.85,
        );
      }
    }
    for (const [listeners, inFlight, bound] of [
      [100, 8, 0.5],
      [1_000, 8, 0.9],
      [100, 200, 1],
      [1_000, 200, 1],
    ] as const) {
      const cell = cellName(listeners, inFlight);
      const other = rows.rate(cell, nats);
      add(`fan-out, durable, ${cell}: beside ${nats}`, quotient(rows.rate(cell, durable), other), bound);
      add(`fan-out, signals, ${cell}: beside ${nats}`, quotient(rows.rate(cell, signals), other), bound);
    }
    return goals;
  }

  /** The loads themselves end with an error when something is lost, doubled or out of order. */
  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#targets.map(({ load }) => load), ...this.#floors].map((worker) => worker.stop()),
    );
    await this.#nats?.stop();
    await this.#node.stop();
  }
}

function best(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function quotient(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b;
}
