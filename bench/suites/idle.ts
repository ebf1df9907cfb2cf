/** Memory of connections that do nothing: a session with one subscription, beside a bare `ws` connection. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { IdleJob, LoadJob, LoadReport } from '../load/jobs.js';
import { residentBytes } from '../processes/processor-time.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { type Column, notesColumn, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { formatRate, kibibytes, mebibytes } from '../report/text.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';

const shared = 'ringlog, one channel';
const own = 'ringlog, a channel each';
const bare = 'bare ws';
/** Opened before the memory is read: the first ones pay for what all use. */
const firstConnections = 200;
/** Until what connecting left behind is gone. */
const settleMs = 2_000;

export const idleSuite: Suite = {
  name: 'idle',
  title: 'Memory of an idle connection',
  columns: [
    valueColumn('KiB', 'bytes', kibibytes),
    valueColumn('after gc', 'bytesAfterGc', kibibytes),
    valueColumn('base MiB', 'base', mebibytes),
    valueColumn('connects/s', 'connects', formatRate),
    notesColumn,
  ] satisfies Column[],
  open: async (context) => new IdleSuite(context),
};

/** A server of one sample: what it used before would be in its memory still. */
interface Server {
  readonly pid: number;
  readonly peer: IdleJob['peer'];
  /** Collects garbage first. */
  collectedBytes(): Promise<number>;
  stop(): Promise<void>;
}

class IdleSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #connections: number;
  readonly #cell: string;
  #servers = 0;

  constructor(context: BenchContext) {
    this.#context = context;
    this.#connections = context.quick ? 2_000 : 10_000;
    this.#cell = `${this.#connections} connections`;
    this.runs = [
      { cell: this.#cell, target: bare, sample: () => this.#sample(() => this.#ws(), 'shared') },
      { cell: this.#cell, target: shared, sample: () => this.#sample(() => this.#ringlog(), 'shared') },
      { cell: this.#cell, target: own, sample: () => this.#sample(() => this.#ringlog(), 'own') },
    ];
  }

  async #sample(start: () => Promise<Server>, channels: IdleJob['channels']): Promise<Sample | undefined> {
    const server = await start();
    const load = Worker.start<LoadJob, LoadReport>('load/load-process', {
      processor: this.#context.affinity.load,
    });
    try {
      const job = { type: 'idle', peer: server.peer, channels } as const;
      await load.do({ ...job, connections: firstConnections });
      await pause(settleMs);
      const base = residentBytes(server.pid);
      if (base === undefined) return undefined;
      const baseAfterGc = await server.collectedBytes();
      const report = await load.do({ ...job, connections: this.#connections });
      await pause(settleMs);
      const full = residentBytes(server.pid)!;
      const fullAfterGc = await server.collectedBytes();
      return {
        values: {
          base,
          bytes: (full - base) / this.#connections,
          bytesAfterGc: (fullAfterGc - baseAfterGc) / this.#connections,
          connects: report.operations / report.seconds,
        },
      };
    } finally {
      await load.stop();
      await server.stop();
    }
  }

  async #ws(): Promise<Server> {
    const { affinity } = this.#context;
    const worker = Worker.start<'port', number>('floors/ws-floor', {
      processor: affinity.server,
    });
    const url = `ws://127.0.0.1:${await worker.do('port')}`;
    return {
      pid: worker.pid,
      peer: { kind: 'ws', url },
      collectedBytes: () => worker.inside('memory'),
      stop: () => worker.stop(),
    };
  }

  async #ringlog(): Promise<Server> {
    const { affinity, directory } = this.#context;
    const node = await RinglogNode.start({
      dataPath: join(directory, `idle-${++this.#servers}`),
      processor: affinity.server,
      attended: true,
    });
    return {
      pid: node.pid,
      peer: { kind: 'ringlog', url: node.url },
      collectedBytes: () => node.inside('memory'),
      stop: () => node.kill(),
    };
  }

  goals(rows: Rows): Goal[] {
    return [shared, own].flatMap((target) => {
      const of = (name: string) => rows.median(this.#cell, name, ({ values }) => values?.['bytes']);
      const [ours, floor] = [of(target), of(bare)];
      if (ours === undefined || floor === undefined) return [];
      const name = `idle connection, ${target}: beside ${bare}`;
      return [{ name, value: ours / floor, bound: 1.25, sense: 'at most' as const, unit: '×' }];
    });
  }

  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {}
}
