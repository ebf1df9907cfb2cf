/** A machine with one store: a clock, a disk, an index, and processes that come and go. */
import { type Random, seededRandom } from '../../src/base/random.js';
import type { LogStore, Observation } from '../../src/engine/ports.js';
import { openLogStore } from '../../src/storage/log-store.js';
import { SimulatedClock } from '../world/clock.js';
import { SimulatedDisk } from '../world/disk.js';
import { SimulatedIndex } from '../world/key-value.js';

export const dataDirectory = '/data';
export const segmentsDirectory = `${dataDirectory}/store/segments/`;

export class StoreWorld {
  readonly clock = new SimulatedClock();
  readonly disk: SimulatedDisk;
  readonly index: SimulatedIndex;
  /** Decides what the workload does; the disk has its own chance, so that a fault shifts no other. */
  readonly random: Random;
  /** For what was added later: other seeds stay what they were. */
  readonly extra: Random;
  /** Else somebody says what is committed. */
  soleHome = true;
  readonly observations: Observation[] = [];
  readonly trace = new Trace();
  readonly #storeRandom: Random;

  constructor(
    seed: number,
    readonly segmentBytes: number,
  ) {
    this.random = seededRandom(seed);
    this.extra = seededRandom(seed ^ 0x6c078965);
    this.#storeRandom = seededRandom(seed ^ 0x5bd1e995);
    const onStep = (what: string): void => this.trace.add(what);
    const { clock } = this;
    this.disk = new SimulatedDisk({ clock, random: seededRandom(seed ^ 0x2545f491), onStep });
    const dies = (what: string): boolean => this.disk.step(what);
    const isAlive = (): boolean => this.disk.alive;
    this.index = new SimulatedIndex({ clock, random: seededRandom(seed ^ 0x1b873593), dies, isAlive });
  }

  open(): Promise<LogStore> {
    return openLogStore({
      directory: dataDirectory,
      files: this.disk.files(),
      openIndex: () => this.index.keyValue(),
      observer: { observe: (observation) => this.#observe(observation) },
      clock: this.clock,
      random: this.#storeRandom,
      soleHome: this.soleHome,
      segmentBytes: this.segmentBytes,
      reserveBytes: 65_536,
      plentyBytes: 0,
      idleChannelsMax: 2,
    });
  }

  kill(): void {
    this.disk.kill();
    this.index.kill();
  }

  powerLoss(): void {
    this.disk.powerLoss();
    this.index.powerLoss();
  }

  /** Segment files as they are now: views, which change with them. */
  segmentFiles(): { name: string; bytes: Uint8Array }[] {
    return this.disk.names
      .files()
      .filter(([path]) => path.startsWith(segmentsDirectory))
      .map(([path, inode]) => ({
        name: path.slice(segmentsDirectory.length),
        bytes: inode.data.subarray(0, inode.size),
      }));
  }

  /** Whether some file, or a row of the index, has these bytes. */
  has(text: string): boolean {
    const holds = ({ buffer, byteOffset, length }: Uint8Array): boolean =>
      Buffer.from(buffer, byteOffset, length).includes(text);
    return [...this.disk.names.inodes()].some(({ data }) => holds(data)) || this.index.rows().some(holds);
  }

  file(path: string): Uint8Array | undefined {
    const found = this.disk.names.files().find(([name]) => name === `${dataDirectory}/${path}`);
    return found && found[1].data.slice(0, found[1].size);
  }

  /** As the store's identity said when it could be read first: it never changes. */
  get lineage(): string {
    const identity = this.#lineage === '' ? this.file('store/store.json') : undefined;
    const text = identity && new TextDecoder().decode(identity);
    this.#lineage = /"lineage": "([0-9a-f]{32})"/.exec(text ?? '')?.[1] ?? this.#lineage;
    return this.#lineage;
  }
  #lineage = '';

  #observe(observation: Observation): void {
    this.trace.add(JSON.stringify(observation));
    this.observations.push(observation);
  }
}

/** A hash of everything that happened, to compare two runs of one seed (FNV-1a). */
export class Trace {
  #hash = 0x811c9dc5;
  lines: string[] | undefined;

  add(what: string): void {
    for (let i = 0; i < what.length; i++) {
      this.#hash = Math.imul(this.#hash ^ what.charCodeAt(i), 0x01000193);
    }
    this.lines?.push(what);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}
