/** Durable publishes, acknowledged after their sync, beside: the disk alone, LevelDB, and an echo that stores nothing. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskJob } from '../floors/disk-floor.js';
import type { PublishJob } from '../load/jobs.js';
import { type PeerServer, startRedis } from '../peers/peer-servers.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { latencyColumns, notesColumn, rateColumns, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { plain } from '../report/text.js';
import { DiskFloor } from './disk.js';
import { type BenchContext, type OpenSuite, type Run, type Suite } from './suite.js';
import { type Load, timed } from './timed.js';

interface Cell {
  /** Publishes under way over all connections. */
  readonly inFlight: number;
  readonly connections: number;
  readonly perFrame: number;
  readonly channels: 'shared' | 'own';
}

const diskInFlights = [1, 64, 512];
const cells = allCells();

/** 1, 64 and 512 in flight, but each connection has at least one frame under way. */
function allCells(): readonly Cell[] {
  const found = new Map<string, Cell>();
  for (const wanted of diskInFlights) {
    for (const perFrame of [1, 16]) {
      for (const connections of [1, 16]) {
        const inFlight = Math.max(wanted, connections * perFrame);
        const shared: Cell = { inFlight, connections, perFrame, channels: 'shared' };
        const isLarge = connections > 1 && perFrame === 1 && wanted > 1;
        for (const cell of isLarge ? [shared, { ...shared, channels: 'own' as const }] : [shared])
          found.set(nameOf(cell), cell);
      }
    }
  }
  return [...found.values()].toSorted((a, b) => a.inFlight - b.inFlight);
}

function nameOf({ inFlight, connections, perFrame, channels }: Cell): string {
  const on = connections === 1 ? 'connection' : 'connections';
  const to = channels === 'own' ? ', a channel each' : '';
  return `${inFlight} in flight, ${connections} ${on}, ${perFrame} a frame${to}`;
}

const diskName = (inFlight: number) => `${inFlight} in flight, in process`;
const product = 'ringlog';
const echo = 'ws echo';
const append = 'append+fdatasync';
const level = 'leveldb sync batch';
const sync = 'fdatasync, blocking';
const redis = 'redis XADD, fsync always';
const one: Cell = { inFlight: 1, connections: 1, perFrame: 1, channels: 'shared' };

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
  readonly #disk: DiskFloor;
  readonly #redis: PeerServer | undefined;
  readonly #nodeLoad: Load;
  readonly #echoLoad: Load;
  readonly #redisLoad: Load | undefined;

  static async open(context: BenchContext): Promise<PublishSuite> {
    const { server } = context.affinity;
    const diskPath = join(context.directory, 'disk-floor');
    mkdirSync(diskPath);
    const node = await RinglogNode.start({ dataPath: join(context.directory, 'publish'), processor: server });
    const echoServer = Worker.start<'port', number>('floors/ws-floor', { processor: server });
    const suite = new PublishSuite(context, {
      node,
      echoServer,
      echoUrl: `ws://127.0.0.1:${await echoServer.do('port')}`,
      disk: DiskFloor.start(diskPath, server),
      redis: await startRedis({ directory: context.directory, processor: server }),
    });
    await suite.#warmUp();
    return suite;
  }

  private constructor(
    context: BenchContext,
    parts: {
      readonly node: RinglogNode;
      readonly echoServer: Worker<'port', number>;
      readonly echoUrl: string;
      readonly disk: DiskFloor;
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

  /** The cell with one in flight comes first, and takes too few steps to get code compiled: all get a load before it. */
  async #warmUp(): Promise<void> {
    const busy: Cell = { ...one, inFlight: 64 };
    await this.#echoSample(busy);
    if (this.#redis) await this.#redisSample(busy);
    for (let i = 0; i < 3; i++) await this.#productSample(busy);
  }

  #runs(): Run[] {
    const runs: Run[] = [this.#diskRun('sync', sync, 1)];
    for (const inFlight of diskInFlights) {
      // Beside the product's own cell: what the disk takes changes by the minute.
      if (inFlight > 1) runs.push(this.#diskRun('append', append, inFlight));
      runs.push(this.#diskRun('level', level, inFlight));
    }
    for (const cell of cells) {
      if (cell.inFlight === 1) runs.push(this.#diskRun('append', append, 1));
      const add = (target: string, sample: () => Promise<Sample>) =>
        runs.push({ cell: nameOf(cell), target, sample });
      if (cell.perFrame === 1 && cell.channels === 'shared') {
        add(echo, () => this.#echoSample(cell));
        if (this.#redis) add(redis, () => this.#redisSample(cell));
      }
      add(product, () => this.#productSample(cell));
    }
    return runs;
  }

  #diskRun(kind: DiskJob['kind'], target: string, inFlight: number): Run {
    return {
      cell: diskName(inFlight),
      target,
      sample: () => this.#disk.sample({ kind, inFlight }, this.#context),
    };
  }

  #job(cell: Cell): Omit<PublishJob, 'peer' | 'serverPids'> {
    const { payloadBytes, warmUpMs, measureMs } = this.#context;
    return { type: 'publish', ...cell, payloadBytes, warmUpMs, measureMs };
  }

  async #echoSample(cell: Cell): Promise<Sample> {
    const peer = { kind: 'ws', url: this.#echoUrl } as const;
    return (await timed(this.#echoLoad, { ...this.#job(cell), peer }, this.#echo)).sample;
  }

  async #redisSample(cell: Cell): Promise<Sample> {
    const peer = { kind: 'redis', url: this.#redis!.url } as const;
    return (await timed(this.#redisLoad!, { ...this.#job(cell), peer }, this.#redis!)).sample;
  }

  async #productSample(cell: Cell): Promise<Sample> {
    const node = this.#node;
    const before = await node.counters();
    const peer = { kind: 'ringlog', url: node.url } as const;
    const { report, sample } = await timed(this.#nodeLoad, { ...this.#job(cell), peer }, node);
    const after = await node.counters();
    const commits = after.commits - before.commits;
    return {
      ...sample,
      values: {
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
      const [ourCost, itsCost] = [
        rows.perProcessorSecond(nameOf(cell), product),
        rows.perProcessorSecond(nameOf(cell), other),
      ];
      const isKnown = ourCost !== undefined && itsCost !== undefined;
      goals.push({
        name,
        value: ours / floor,
        bound,
        sense: 'at least',
        unit: '×',
        ...(isKnown && { perProcessorSecond: ourCost / itsCost }),
      });
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
    // By the fastest of its syncs: other programs may have slowed down most of them.
    const fastest = rows.median(diskName(1), sync, ({ latencies }) => latencies?.p10Ms);
    for (const { rate, values } of rows.samples(nameOf(one), product)) {
      if (values!['acks']! > values!['commits']!)
        problems.push(`${nameOf(one)}: ${values!['acks']} acks with ${values!['commits']} syncs`);
      if (fastest !== undefined && rate! > 1_000 / fastest)
        problems.push(`${nameOf(one)}: ${rate} acks/s, but the disk makes ${1_000 / fastest} syncs/s`);
    }
    return problems;
  }

  async close(): Promise<void> {
    const others = [this.#nodeLoad, this.#echoLoad, this.#redisLoad, this.#echo, this.#disk, this.#redis];
    await Promise.all(others.map(async (other) => other?.stop()));
    await this.#node.stop();
  }
}
