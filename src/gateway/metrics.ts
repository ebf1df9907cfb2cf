/** `/metrics`: the node's counters and gauges for Prometheus. One registry a node, filled when it is asked. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { NodeStatus } from '../engine/api.js';
import type { GatewayContext } from './context.js';

const gauges: Readonly<Record<string, { help: string; of: (status: NodeStatus) => number }>> = {
  ringlog_up: { help: '1 while the node serves', of: ({ state }) => (state === 'serving' ? 1 : 0) },
  ringlog_sessions: { help: 'Open sessions', of: (status) => status.sessions },
  ringlog_subscriptions: { help: 'Subscriptions of all sessions', of: (status) => status.subscriptions },
  ringlog_channels_in_memory: { help: 'Channels held in memory', of: (status) => status.channelsInMemory },
  ringlog_disk_full: {
    help: '1 while publishes are refused for want of space',
    of: ({ diskFull }) => (diskFull ? 1 : 0),
  },
  ringlog_start_time_seconds: {
    help: 'When the node was started, Unix time',
    of: (status) => status.startedUnixMs / 1000,
  },
  ringlog_resident_memory_bytes: { help: 'Memory of the process', of: () => process.memoryUsage.rss() },
  ringlog_cpu_seconds: {
    help: 'Processor time of the process',
    of: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
};

export class Metrics {
  readonly #context: GatewayContext;
  readonly #registry = new Registry();
  readonly #gauges: ReadonlyMap<string, Gauge>;
  readonly #connections: Gauge;
  readonly #info: Gauge;
  readonly #counters = new Map<string, Counter>();

  constructor(context: GatewayContext) {
    this.#context = context;
    const registers = [this.#registry];
    this.#gauges = new Map(
      Object.entries(gauges).map(([name, { help }]) => [name, new Gauge({ name, help, registers })]),
    );
    this.#connections = new Gauge({ name: 'ringlog_connections', help: 'Open connections', registers });
    this.#info = new Gauge({
      name: 'ringlog_info',
      help: 'What runs here',
      labelNames: ['version', 'node_id'],
      registers,
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const status = this.#context.api.status();
    for (const [name, gauge] of this.#gauges) gauge.set(gauges[name]!.of(status));
    this.#connections.set(this.#context.connections.open);
    this.#info.set({ version: status.version, node_id: status.nodeId }, 1);
    const connectionsRefused = this.#context.connections.refused;
    for (const [name, value] of Object.entries({ ...status.counters, connectionsRefused })) {
      const counter = this.#counter(name);
      counter.reset();
      counter.inc(value);
    }
    return this.#registry.metrics();
  }

  /** `commitEntries` is `ringlog_commit_entries_total`. */
  #counter(name: string): Counter {
    const known = this.#counters.get(name);
    if (known) return known;
    const words = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const counter = new Counter({
      name: `ringlog_${words}_total`,
      help: `Count of ${words.replaceAll('_', ' ')}`,
      registers: [this.#registry],
    });
    this.#counters.set(name, counter);
    return counter;
  }
}
