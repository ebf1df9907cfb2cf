/** Other nodes are looked for, and found: a node that was alone goes on among them. */
import type { Observer } from '../engine/ports.js';
import type { Announcement, Standing } from '../peer/discovery/announcement.js';
import type { JoinPlan } from '../peer/discovery/join.js';
import { Multicast } from '../peer/discovery/multicast.js';
import { Names } from '../peer/discovery/names.js';
import type { CurrentNode } from './current-node.js';
import { KnownPeers } from './known-peers.js';
import { systemClock, systemRandom, systemTimers } from './system-ports.js';

export interface FindingParts {
  readonly node: CurrentNode;
  readonly join: JoinPlan;
  /** Where the addresses of others are kept over a restart; nowhere without one. */
  readonly directory: string | undefined;
  readonly observer: Observer;
  /** What the node says of itself to the local network, on the interface with that address. */
  own(at: string): Omit<Announcement, 'standing'>;
  /** The machine has other interfaces than before. */
  moved(): void;
  /** Derived from the cluster key. */
  readonly secret: Buffer | undefined;
  /** Goes on among others. */
  begin(): Promise<void>;
}

/** How often a node looks whether it holds entries by now. */
const lookMs = 1_000;
/** How often multicast is tried where the system has none. */
const againMs = 10_000;

export class Finding {
  readonly #parts: FindingParts;
  #multicast: Multicast | undefined;
  #names: Names | undefined;
  #known: KnownPeers | undefined;
  #holds = false;
  #begun: Promise<void> | undefined;
  readonly #apart = new Set<string>();
  #cancel: () => void = () => {};
  #cancelAgain: () => void = () => {};
  #isStopped = false;

  constructor(parts: FindingParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { join, directory, node } = this.#parts;
    await this.#look();
    if (directory !== undefined)
      this.#known = await KnownPeers.open({
        directory,
        self: this.#parts.own('').node,
        node,
        timers: systemTimers,
      });
    if (join.names.length > 0)
      this.#names = new Names({
        names: join.names,
        timers: systemTimers,
        found: (addresses) => this.#parts.node.cluster?.learn(addresses),
        missing: (name) => this.#alarm(`No node is found behind ${name}: it is looked up again.`),
      });
    if (join.isAuto) await this.#openMulticast();
  }

  /** A machine whose network is not up yet may have none for now: it is said once, and tried again. */
  async #openMulticast(isFirst = true): Promise<void> {
    const { secret } = this.#parts;
    try {
      const multicast = await Multicast.open({
        secret,
        clock: systemClock,
        timers: systemTimers,
        random: systemRandom,
        own: (at) => ({ ...this.#parts.own(at), standing: this.#standing() }),
        heard: (announcement) => this.#heard(announcement),
        changed: () => this.#parts.moved(),
      });
      if (this.#isStopped) multicast.stop();
      else this.#multicast = multicast;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (isFirst)
        this.#alarm(
          `Other nodes cannot be found by themselves here (${why}): name one with --join host:port.`,
        );
      if (!this.#isStopped)
        this.#cancelAgain = systemTimers.after(againMs, () => void this.#openMulticast(false));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    this.#cancelAgain();
    this.#multicast?.stop();
    this.#names?.stop();
    this.#known?.stop();
    await this.#begun?.catch(() => undefined);
  }

  /** Once there are entries they stay. */
  async #look(): Promise<void> {
    this.#holds ||= await this.#parts.node.holdsEntries();
    if (!this.#holds) this.#cancel = systemTimers.after(lookMs, () => void this.#look());
  }

  #standing(): Standing {
    const members = this.#parts.node.cluster?.ring().members.length ?? 1;
    if (members > 1) return 'member';
    return this.#holds ? 'holds' : 'empty';
  }

  #heard({ node, address, standing }: Announcement): void {
    const { cluster } = this.#parts.node;
    if (cluster) return cluster.learn([address]);
    // Two nodes that each hold something of their own stay as they are.
    if (!this.#holds || standing === 'empty') return this.#beginOnce(address);
    if (this.#apart.has(node)) return;
    this.#apart.add(node);
    this.#alarm(
      `Another node, at ${address}, holds entries of its own, as this one does: they stay apart. Start one of them with an empty --data to make them one cluster, or give them different --cluster-name.`,
    );
  }

  #beginOnce(address: string): void {
    this.#begun ??= this.#parts.begin().then(() => this.#multicast?.announceSoon());
    void this.#begun.then(
      () => this.#parts.node.cluster?.learn([address]),
      () => undefined,
    );
  }

  #alarm(message: string): void {
    this.#parts.observer.observe({ type: 'alarm', code: 'DISCOVERY', message });
  }
}
