/** One publisher, many subscribers: durable entries and signals, beside bare `ws` broadcasting in three ways, each with
 *  and without an append and sync before it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DiskFloor } from './disk.js';
import type { FanOutJob, Peer } from '../load/jobs.js';
import { type PeerServer, startNats } from '../peers/peer-servers.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { latencyColumns, notesColumn, rateColumns } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { fanOutGoals } from './fan-out-goals.js';
import {
  cellName,
  diskCell,
  fanOutInFlights,
  fanOutTargets,
  floorName,
  latencyName,
  listenerCounts,
  ways,
} from './fan-out-cells.js';
import { type BenchContext, type OpenSuite, type Run, type Suite } from './suite.js';
import { type Load, type TimedServer, timed } from './timed.js';

/** Of the floors only the best. */
const measuredAtHalf = new Set<string>([
  fanOutTargets.durable,
  fanOutTargets.signals,
  fanOutTargets.nats,
  floorName('turn', false),
  floorName('turn', true),
]);

interface Target {
  readonly name: string;
  readonly peer: Peer;
  readonly server: TimedServer;
  readonly load: Load;
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
  readonly #disk: DiskFloor;
  readonly #nats: PeerServer | undefined;

  static async open(context: BenchContext): Promise<FanOutSuite> {
    const { affinity } = context;
    const processor = affinity.server;
    const node = await RinglogNode.start({ dataPath: join(context.directory, 'fan-out'), processor });
    const targets: Target[] = [];
    const floors: Worker<'port', number>[] = [];
    const add = (name: string, peer: Peer, server: TimedServer) =>
      targets.push({
        name,
        peer,
        server,
        load: Worker.start('load/load-process', { processor: affinity.load }),
      });
    add(fanOutTargets.durable, { kind: 'ringlog', url: node.url }, node);
    add(fanOutTargets.signals, { kind: 'ringlog', url: node.url, signals: true }, node);
    for (const way of ways) {
      for (const isSynced of [false, true]) {
        const path = join(context.directory, `fan-out-${way}`);
        if (isSynced) mkdirSync(path);
        const args = isSynced ? [way, path] : [way];
        const floor = Worker.start<'port', number>('floors/ws-floor', { processor, args });
        floors.push(floor);
        const peer = { kind: 'ws', url: `ws://127.0.0.1:${await floor.do('port')}` } as const;
        add(floorName(way, isSynced), peer, floor);
      }
    }
    const diskPath = join(context.directory, 'fan-out-disk');
    mkdirSync(diskPath);
    const disk = DiskFloor.start(diskPath, processor);
    const natsServer = await startNats({ directory: context.directory, processor });
    if (natsServer) add(fanOutTargets.nats, { kind: 'nats', url: natsServer.url }, natsServer);
    return new FanOutSuite(context, { node, targets, floors, disk, nats: natsServer });
  }

  private constructor(
    context: BenchContext,
    parts: {
      readonly node: RinglogNode;
      readonly targets: readonly Target[];
      readonly floors: readonly Worker<'port', number>[];
      readonly disk: DiskFloor;
      readonly nats: PeerServer | undefined;
    },
  ) {
    this.#context = context;
    this.#node = parts.node;
    this.#targets = parts.targets;
    this.#floors = parts.floors;
    this.#disk = parts.disk;
    this.#nats = parts.nats;
    this.runs = this.#runs();
  }

  #runs(): Run[] {
    const diskRun = { kind: 'append', inFlight: 1 } as const;
    const runs: Run[] = [
      {
        cell: diskCell,
        target: fanOutTargets.disk,
        sample: () => this.#disk.sample(diskRun, this.#context),
      },
    ];
    for (const listeners of listenerCounts) {
      for (const inFlight of fanOutInFlights)
        for (const target of this.#targets)
          runs.push({
            cell: cellName(listeners, inFlight),
            target: target.name,
            sample: () => this.#sample(target, listeners, { inFlight }),
          });
      for (const target of this.#targets)
        if (measuredAtHalf.has(target.name))
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
    const { peer, server, load } = target;
    const job = {
      type: 'fan-out',
      peer,
      listeners,
      pace,
      payloadBytes,
      warmUpMs,
      measureMs,
    } as const;
    const { report, sample } = await timed(load, job, server);
    return { ...sample, values: { messages: report.inFlight } };
  }

  async #atHalf(target: Target, listeners: number, rows: Rows): Promise<Sample | undefined> {
    const rates = fanOutInFlights.map(
      (inFlight) => rows.rate(cellName(listeners, inFlight), target.name) ?? 0,
    );
    const maximum = Math.max(...rates);
    if (maximum === 0) return undefined;
    return this.#sample(target, listeners, { messagesPerSecond: maximum / 2 / listeners });
  }

  goals(rows: Rows): Goal[] {
    return fanOutGoals(rows);
  }

  /** The loads themselves end with an error when something is lost, doubled or out of order. */
  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#targets.map(({ load }) => load), ...this.#floors].map((worker) => worker.stop()),
    );
    await this.#disk.stop();
    await this.#nats?.stop();
    await this.#node.stop();
  }
}
