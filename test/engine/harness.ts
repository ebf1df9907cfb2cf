/** A node in virtual time on a simulated disk, and sessions that speak JSON to it. */
import { createHash } from 'node:crypto';
import { utf8 } from '../../src/base/bytes.js';
import type { NodeId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import type { RuleConfig } from '../../src/channels/rules.js';
import type { OutFrame, Principal, SessionHandle, SessionSink } from '../../src/engine/api.js';
import { Engine } from '../../src/engine/engine.js';
import type { EngineOptions } from '../../src/engine/options.js';
import type { Authenticator, LogStore, Observation, Secrets, ServiceCalls } from '../../src/engine/ports.js';
import { administratorName } from '../../src/hubs/provider.js';
import type { Encoding } from '../../src/protocol/messages.js';
import type { Files, StoreFile } from '../../src/storage/files.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { SimulatedDisk } from '../../simulations/world/disk.js';
import { SimulatedIndex } from '../../simulations/world/key-value.js';

export const openRules: RuleConfig = { sets: {}, hubs: { default: {}, other: {} } };
export const adminToken = 'secret';
export const admin: Principal = { actor: administratorName, authenticated: true, admin: true };
export const anonymous: Principal = { actor: '', authenticated: false, admin: false };

export interface WorldOptions {
  readonly rules?: RuleConfig;
  readonly anonymous?: boolean;
  /** Hubs can be made and set at run time. */
  readonly hubs?: EngineOptions['hubs'];
  readonly authenticator?: Authenticator;
  readonly secrets?: Secrets;
  readonly services?: ServiceCalls;
  readonly messagesPerSecondMax?: number;
  readonly segmentBytes?: number;
  readonly seed?: number;
  readonly maintenanceIntervalMs?: number;
  readonly documentCacheBytes?: number;
  /** A disk that acknowledges syncs it does not make. */
  readonly syncDoesNothing?: boolean;
}

/** A disk that outlives the nodes started on it. */
export class World {
  readonly clock = new SimulatedClock();
  readonly random;
  readonly disk: SimulatedDisk;
  readonly index: SimulatedIndex;
  readonly observations: Observation[] = [];
  /** Every sync takes this long. */
  syncDelayMs = 0;
  /** The next write fails with this code. */
  failNextWrite: string | undefined;
  engine!: Engine;
  /** From the next start on. */
  rules: RuleConfig;

  constructor(readonly options: WorldOptions = {}) {
    this.rules = options.rules ?? openRules;
    this.random = seededRandom(options.seed ?? 7);
    this.disk = new SimulatedDisk(
      { clock: this.clock, random: this.random, latencyMsMax: 0.2 },
      { syncDoesNothing: options.syncDoesNothing ?? false },
    );
    this.index = new SimulatedIndex({ clock: this.clock, random: this.random });
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    await world.boot();
    return world;
  }

  boot(): Promise<void> {
    return this.run(this.start());
  }

  /** Starts a node on what the disk holds; it makes progress as virtual time is run. */
  async start(): Promise<void> {
    const { options } = this;
    const engineOptions: EngineOptions = {
      nodeId: '0'.repeat(32) as NodeId,
      version: '0.0.0-test',
      rules: this.rules,
      anonymous: options.anonymous ?? true,
      ...(options.hubs ? { hubs: options.hubs } : {}),
      verifyToken: (token) => (token === adminToken ? admin : undefined),
      session: {
        pingIntervalMs: 25_000,
        pongTimeoutMs: 8_000,
        authTimeoutMs: 5_000,
        messagesPerSecondMax: options.messagesPerSecondMax ?? 100_000,
      },
      maintenanceIntervalMs: options.maintenanceIntervalMs ?? 1_000,
      ...(options.documentCacheBytes !== undefined && { documentCacheBytes: options.documentCacheBytes }),
    };
    this.engine = new Engine(
      {
        clock: this.clock,
        timers: this.clock,
        random: this.random,
        hashing: { sha256: (bytes) => createHash('sha256').update(bytes).digest() },
        observer: { observe: (observation) => void this.observations.push(observation) },
        openStore: () => this.openStore(),
        ...(options.secrets ? { secrets: options.secrets } : {}),
        ...(options.services ? { services: options.services } : {}),
        ...(options.authenticator ? { authenticator: options.authenticator } : {}),
      },
      engineOptions,
    );
    await this.engine.start();
  }

  openStore(): Promise<LogStore> {
    return openLogStore({
      directory: '/data',
      soleHome: true,
      plentyBytes: 1 << 40,
      files: this.#files(),
      openIndex: () => this.index.keyValue(),
      clock: this.clock,
      random: this.random,
      observer: { observe: (observation) => void this.observations.push(observation) },
      ...(this.options.segmentBytes === undefined ? {} : { segmentBytes: this.options.segmentBytes }),
    });
  }

  #files(): Files {
    const files = this.disk.files();
    return { ...files, open: async (path, mode) => this.#file(await files.open(path, mode)) };
  }

  #file(file: StoreFile): StoreFile {
    return {
      read: (into, position) => file.read(into, position),
      write: (bytes, position) => {
        const code = this.failNextWrite;
        this.failNextWrite = undefined;
        if (code) throw Object.assign(new Error(`${code}: write`), { code });
        file.write(bytes, position);
      },
      sync: async () => {
        if (this.syncDelayMs > 0) await this.clock.sleep(this.syncDelayMs);
        await file.sync();
      },
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  /** Runs virtual time until `task` is settled. */
  run<T>(task: Promise<T>): Promise<T> {
    return this.clock.until(task);
  }

  async pass(ms: number): Promise<void> {
    await this.run(this.clock.sleep(ms));
  }

  /** Lets everything under way finish without passing time that matters. */
  settle(): Promise<void> {
    return this.pass(20);
  }

  async restart(): Promise<void> {
    await this.run(this.engine.stop());
    await this.boot();
  }

  async crash(): Promise<void> {
    this.disk.powerLoss();
    this.index.powerLoss();
    await this.boot();
  }

  connect(options: { hub?: string; principal?: Principal; encoding?: Encoding } = {}): TestSession {
    return new TestSession(this, options);
  }
}

// Test frames are read as the loose JSON they are on the wire.
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

export class TestSession implements SessionSink {
  readonly messages: Json[] = [];
  readonly raw: Uint8Array[] = [];
  closed: { code: number; reason: string } | undefined;
  /** When set, the network takes nothing. */
  stuck = false;
  bufferedBytes = 0;
  writes = 0;
  readonly handle: SessionHandle;
  #nextId = 1;

  constructor(
    readonly world: World,
    {
      hub = 'default',
      principal = anonymous,
      encoding = 'json',
    }: { hub?: string; principal?: Principal; encoding?: Encoding },
  ) {
    const opened = world.engine.openSession({ hub, encoding, principal, sink: this });
    if (!opened.ok) throw new Error(opened.error.code);
    this.handle = opened.value;
  }

  write(frames: readonly OutFrame[]): void {
    this.writes++;
    for (const { bytes } of frames) {
      this.raw.push(bytes);
      if (this.stuck) this.bufferedBytes += bytes.length;
      const text = new TextDecoder().decode(bytes);
      if (!text.startsWith('{') && !text.startsWith('[')) continue;
      const parsed: Json = JSON.parse(text);
      this.messages.push(...(Array.isArray(parsed) ? parsed : [parsed]));
    }
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }

  unstick(): void {
    this.stuck = false;
    this.bufferedBytes = 0;
    this.handle.drained();
  }

  sendText(text: string): void {
    this.handle.receive(utf8(text));
  }

  /** Sends a message under the next request id and gives its answer. */
  async ask(message: Json): Promise<Json> {
    const requestId = this.#nextId++;
    this.sendText(JSON.stringify({ requestId, ...message }));
    await this.world.settle();
    const answer = this.messages.find((m) => m.requestId === requestId);
    if (!answer) throw new Error(`no answer to ${JSON.stringify(message)}`);
    return answer;
  }

  async publish(channel: string, data: unknown, more: Json = {}): Promise<Json> {
    return this.ask({ publish: { channel, data, ...more } });
  }

  async subscribe(channel: string, start: Json = {}): Promise<Json> {
    const answer = await this.ask({ subscribe: { channels: [{ channel, ...start }] } });
    return answer.subscribe.results[0];
  }

  /** Entries delivered so far, in order. */
  entries(channel?: string): Json[] {
    return this.messages.flatMap((m) =>
      m.delivery && (!channel || m.delivery.channel === channel) ? m.delivery.entries : [],
    );
  }

  data(channel?: string): unknown[] {
    return this.entries(channel)
      .filter((e) => e.kind === undefined || e.kind === 'publish')
      .map((e) => e.data);
  }

  gaps(): Json[] {
    return this.messages.flatMap((m) => m.gap ?? []);
  }

  /** The cursor of the last delivery or gap of a channel. */
  cursor(channel: string): string | undefined {
    return this.messages
      .flatMap((m) => [m.delivery, m.gap])
      .filter((d) => d?.channel === channel)
      .at(-1)?.cursor;
  }
}
