/** Durable publishes, acknowledged after their sync, beside: the disk alone, LevelDB, and an echo that stores nothing. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskJob, DiskResult } from '../floors/disk-floor.js';
import type { LoadJob, LoadReport, PublishJob } from '../load/jobs.js';
import { type PeerServer, startRedis } from '../peers/peer-servers.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { latencyColumns, notesColumn, rateColumns, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { plain } from '../report/text.js';
import { type BenchContext, type OpenSuite, type Run, type Suite, sampleOf } from './suite.js';

interface Cell {
  readonly inFlight: number;
  readonly connections: number;
  readonly perFrame: number;
}

const inFlights = [1, 64, 512];
const cells: readonly Cell[] = [1, 16].flatMap((perFrame) =>
  [1, 16].flatMap((connections) => inFlights.map((inFlight) => ({ inFlight, connections, perFrame }))),
);

const nameOf = ({ inFlight, connections, perFrame }: Cell) =>
  `${inFlight} in flight, ${connections} conn, ${perFrame} a frame`;
const diskName = (inFlight: number) => `${inFlight} in flight, in process`;
const product = 'ringlog';
const echo = 'ws echo';
const append = 'append+fdatasync';
const level = 'leveldb sync batch';
const sync = 'fdatasync, blocking';
const redis = 'redis XADD, fsync always';
const one = { inFlight: 1, connections: 1, perFrame: 1 };

export const publishSuite: Suite = {
  name: 'publish',
  title: 'Durable publishes, acknowledged after fdatasync',
  columns: [
    ...rateColumns('acks'),
    ...latencyColumns,
    valueColumn('a sync', 'acksPerCommit', plain),
    notesColumn,
  ],
  open: (context) => PublishSuite.open(context),
};

class PublishSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #node: RinglogNode;
  readonly #echo: Worker<'port', number>;
  readonly #echoUrl: string;
  readonly #disk: Worker<DiskJob, DiskResult>;
  readonly #redis: PeerServer | undefined;
  readonly #nodeLoad: Worker<LoadJob, LoadReport>;
  readonly #echoLoad: Worker<LoadJob, LoadReport>;
  readonly #redisLoad: Worker<LoadJob, LoadReport> | undefined;

  static async open(context: BenchContext): Promise<PublishSuite> {
    const { server } = context.affinity;
    const diskPath = join(context.directory, 'disk-floor');
    mkdirSync(diskPath);
    const node = await RinglogNode.start({ dataPath: join(context.directory, 'publish'), processor: server });
    const echoServer = Worker.start<'port', number>('floors/ws-floor', { processor: server });
    return new PublishSuite(context, {
      node,
      echoServer,
      echoUrl: `ws://127.0.0.1:${await echoServer.do('port')}`,
      disk: Worker.start('floors/disk-floor', { processor: server, args: [diskPath] }),
      redis: await startRedis({ directory: context.directory, processor: server }),
    });
  }

  private constructor(
    context: BenchContext,
    parts: {
      readonly node: RinglogNode;
      readonly echoServer: Worker<'port', number>;
      readonly echoUrl: string;
      readonly disk: Worker<DiskJob, DiskResult>;
      readonly redis: PeerServer | undefined;
    },
  ) {
    const { load } = context.affinity;
    this.#context = context;
    this.#node = parts.node;
    this.#echo = parts.echoServer;
    this.#echoUrl = parts.echoUrl;
    this.#disk = parts.disk;
    this.#redis = parts.redis;
    this.#nodeLoad = Worker.start('load/load-process', { processor: load });
    this.#echoLoad = Worker.start('load/load-process', { processor: load });
    if (parts.redis) this.#redisLoad = Worker.start('load/load-process', { processor: load });
    this.runs = this.#runs();
  }

  #runs(): Run[] {
    const runs: Run[] = [this.#diskRun('sync', sync, 1)];
    for (const inFlight of inFlights) {
      runs.push(this.#diskRun('append', append, inFlight), this.#diskRun('level', level, inFlight));
      for (const cell of cells.filter((each) => each.inFlight === inFlight)) {
        if (cell.perFrame === 1)
          runs.push({ cell: nameOf(cell), target: echo, sample: () => this.#echoSample(cell) });
        if (cell.perFrame === 1 && this.#redis)
          runs.push({ cell: nameOf(cell), target: redis, sample: () => this.#redisSample(cell) });
        runs.push({ cell: nameOf(cell), target: product, sample: () => this.#productSample(cell) });
      }
    }
    return runs;
  }

  #diskRun(kind: DiskJob['kind'], target: string, inFlight: number): Run {
    const { payloadBytes, warmUpMs, measureMs } = this.#context;
    return {
      cell: diskName(inFlight),
      target,
      sample: async () => {
        const job = { kind, inFlight, payloadBytes, warmUpMs, measureMs };
        const { operations, seconds, processorSeconds, latencies } = await this.#disk.do(job);
        const perProcessorSecond = operations / processorSeconds;
        return {
          rate: operations / seconds,
          perProcessorSecond,
          serverShare: processorSeconds / seconds,
          latencies,
        };
      },
    };
  }

  #job(cell: Cell): Omit<PublishJob, 'peer' | 'serverPid'> {
    const { payloadBytes, warmUpMs, measureMs } = this.#context;
    return { type: 'publish', ...cell, channels: 'shared', payloadBytes, warmUpMs, measureMs };
  }

  async #echoSample(cell: Cell): Promise<Sample> {
    const peer = { kind: 'ws', url: this.#echoUrl } as const;
    return sampleOf(await this.#echoLoad.do({ ...this.#job(cell), peer, serverPid: this.#echo.pid }));
  }

  async #redisSample(cell: Cell): Promise<Sample> {
    const { url, pid } = this.#redis!;
    const job = { ...this.#job(cell), peer: { kind: 'redis', url } as const, serverPid: pid };
    return sampleOf(await this.#redisLoad!.do(job));
  }

  async #productSample(cell: Cell): Promise<Sample> {
    const node = this.#node;
    const before = await node.counters();
    const peer = { kind: 'ringlog', url: node.url } as const;
    const report = await this.#nodeLoad.do({ ...this.#job(cell), peer, serverPid: node.pid });
    const after = await node.counters();
    const commits = after.commits - before.commits;
    return {
      ...sampleOf(report),
      values: {
        underWay: report.inFlight,
        acks: report.operationsInAll,
        entries: after.entries - before.entries,
        commits,
        acksPerCommit: report.operationsInAll / commits,
      },
    };
  }

  goals(rows: Rows): Goal[] {
    const goals: Goal[] = [];
    const beside = (cell: Cell, bound: number, other = echo) => {
      const [ours, floor] = [rows.rate(nameOf(cell), product), rows.rate(nameOf(cell), other)];
      if (ours === undefined || floor === undefined) return;
      const name = `publish, ${nameOf(cell)}: beside ${other}`;
      goals.push({ name, value: ours / floor, bound, sense: 'at least', unit: '×' });
    };
    beside({ ...one, inFlight: 64 }, 1);
    beside({ ...one, inFlight: 64, connections: 16 }, 0.75);
    beside({ ...one, inFlight: 512 }, 2);
    beside({ ...one, inFlight: 512, connections: 16 }, 2);
    beside(one, 0.9, redis);
    beside({ ...one, inFlight: 64 }, 1.1, redis);
    beside({ ...one, inFlight: 512 }, 2, redis);
    const [ours, disk, trip] = [
      rows.p50Ms(nameOf(one), product),
      rows.p50Ms(diskName(1), append),
      rows.p50Ms(nameOf(one), echo),
    ];
    if (ours !== undefined && disk !== undefined && trip !== undefined) {
      const name = 'publish, 1 in flight: p50 beside one fdatasync + one ws round trip';
      goals.push({ name, value: ours / (disk + trip), bound: 1.3, sense: 'at most', unit: '×' });
    }
    return goals;
  }

  /** Acks and entries are the same publishes; and at one in flight each needs a sync of its own. */
  problems(rows: Rows): string[] {
    const problems: string[] = [];
    for (const cell of cells)
      for (const { values } of rows.samples(nameOf(cell), product))
        if (values!['acks'] !== values!['entries'])
          problems.push(
            `${nameOf(cell)}: ${values!['acks']} acks, but ${values!['entries']} entries were stored`,
          );
    const syncRates = [...rows.samples(diskName(1), sync), ...rows.samples(diskName(1), append)].map(
      ({ rate }) => rate!,
    );
    for (const { rate, values } of rows.samples(nameOf(one), product)) {
      if (values!['acks']! > values!['commits']!)
        problems.push(`${nameOf(one)}: ${values!['acks']} acks with ${values!['commits']} syncs`);
      if (syncRates.length > 0 && rate! > Math.max(...syncRates))
        problems.push(`${nameOf(one)}: ${rate} acks/s, but the disk makes ${Math.max(...syncRates)} syncs/s`);
    }
    return problems;
  }

  async close(): Promise<void> {
    const others = [this.#nodeLoad, this.#echoLoad, this.#redisLoad, this.#echo, this.#disk, this.#redis];
    await Promise.all(others.map((other) => other?.stop()));
    await this.#node.stop();
  }
}
