/** An operator who changes the ring while everything else goes on: nodes join, leave in order, and take each other's place.
 *  The number of copies stays, so what a quorum is stays too, unless the plan has the ring change in size (resizing.ts). */
import { type Dot, dotText } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import type { Engine } from '../../src/engine/engine.js';
import type { Keep } from '../../src/log/retention.js';
import type { RingIntent } from '../../src/cluster/ring-intent.js';
import { pick } from './chance.js';
import { Resizing } from './resizing.js';
import type { SimulatedNode } from './node.js';
import { peerAddressOf } from './node.js';
import type { World } from './world.js';

const administrator = { actor: 'operator', authenticated: true, admin: true } as const;

/** Something that takes entries away, or what is in them. */
interface Removal {
  readonly what: readonly [does: string, did: string, of: string];
  readonly ask: (engine: Engine) => ReturnType<Engine['trimChannel']>;
  /** Without a dot it did not take effect, as far as is known. */
  readonly told: (dot: Dot | undefined) => unknown;
}

export class Operator {
  readonly #world: World;
  readonly #random: Random;
  readonly #resizing: Resizing | undefined;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    const { membersMin } = world.plan;
    this.#resizing = membersMin === undefined ? undefined : new Resizing(world, random, membersMin);
  }

  /** Asks for one change, or for two at once; false when there is nobody to ask or nothing to do. */
  change(amount: number): boolean {
    const first = this.#one(amount);
    if (first && amount > 0.9) this.#one(this.#random.next() * 0.9);
    return first;
  }

  /** Asks a node to delete a channel; false when it is down. */
  delete(node: SimulatedNode, amount: number): boolean {
    const { record, channels } = this.#world;
    const channel = channels[Math.floor(amount * channels.length)];
    if (channel === undefined) return false;
    return this.#remove(node, {
      what: ['delete', 'deleted', channel],
      ask: (engine) => engine.deleteChannel(administrator, 'default', channel),
      told: (dot) => record.deletions.push({ node: node.name, channel, ...(dot ? { dot } : {}) }),
    });
  }

  /** Asks a node to redact something that somebody was told is stored; false when it is down. */
  redact(node: SimulatedNode, amount: number): boolean {
    const { record } = this.#world;
    const stored = record.acks.filter(({ dot }) => dot !== undefined);
    const ack = stored[Math.floor(amount * stored.length)];
    if (!ack?.dot) return false;
    const of = ack.dot as Dot;
    const { channel } = record.of(ack.line)!;
    return this.#remove(node, {
      what: ['redact', 'redacted', `${dotText(of)} of ${channel}`],
      ask: (engine) => engine.redact(administrator, 'default', channel, of),
      told: (by) => by && record.redactions.push({ node: node.name, channel, of, by }),
    });
  }

  /** Asks a node to trim a channel by force; false when it is down. */
  force(node: SimulatedNode, amount: number): boolean {
    const { channels } = this.#world;
    const channel = channels[Math.floor(amount * channels.length)];
    const keep = { entries: Math.floor(this.#random.next() ** 2 * 40) };
    return channel !== undefined && this.trim(node, channel, keep);
  }

  trim(node: SimulatedNode, channel: string, keep: Keep): boolean {
    return this.#remove(node, {
      what: ['trim', 'trimmed', channel],
      ask: (engine) => engine.trimChannel('default', channel, keep, administrator.actor),
      told: (dot) => this.#world.record.forced.push({ node: node.name, channel, ...(dot ? { dot } : {}) }),
    });
  }

  #remove({ engine, life, state, name, machine }: SimulatedNode, { what, ask, told }: Removal): boolean {
    const { record, trace } = this.#world;
    if (!engine || !life || state !== 'up') return false;
    const [does, did, of] = what;
    const asked = { what: `${name}, which is to ${does} ${of},` };
    record.asked.add(asked);
    machine.run(() => {
      void life.answered(ask(engine)).then(
        (answer) => {
          record.asked.delete(asked);
          if (!answer) return;
          const dot = answer.ok ? answer.value.dot : undefined;
          told(dot);
          trace.tell(`${name} ${dot ? `${did} ${of} by ${dotText(dot)}` : `did not ${does} ${of}`}`);
        },
        (error: unknown) => this.#world.broken(error),
      );
    });
    return true;
  }

  #one(amount: number): boolean {
    const { nodes } = this.#world;
    const members = this.#world.members();
    const asked = nodes.filter((node) => node.state === 'up' && members.includes(node));
    if (asked.length === 0) return false;
    const at = pick(this.#random, asked);
    const wish = this.#resizing?.wish(amount);
    if (wish) return 'join' in wish ? this.#join(wish.join, at) : this.ask(at, wish);
    if (this.#resizing) return false;
    const spares = nodes.filter((node) => node.isSpare && node.state === 'up' && !members.includes(node));
    const canLeave = members.length > this.#world.copies;
    if (amount < 0.1) return this.ask(at, { kind: 'abandon' });
    if (spares.length > 0 && amount < 0.5) return this.#join(pick(this.#random, spares), at);
    const leaving = pick(this.#random, members);
    if (spares.length > 0 && amount < 0.7) {
      const by = { node: pick(this.#random, spares).id, role: 'core' } as const;
      return this.ask(at, { kind: 'replace', node: leaving.id, by });
    }
    return canLeave && this.ask(at, { kind: 'drain', nodes: [leaving.id] });
  }

  #join(spare: SimulatedNode, at: SimulatedNode): boolean {
    this.#world.trace.tell(`${spare.name} is to join at ${at.name}`);
    return this.#does(spare, (cluster) => cluster.join(peerAddressOf(at.name)));
  }

  ask(at: SimulatedNode, intent: RingIntent): boolean {
    this.#world.trace.tell(`${at.name} is asked for ${JSON.stringify(intent)}`);
    return this.#does(at, async (cluster) => {
      const outcome = await cluster.change(intent);
      this.#resizing?.answered(intent, outcome);
      return outcome;
    });
  }

  /** Whatever comes of it: a refusal is an answer, and a crash ends the question. */
  #does(
    node: SimulatedNode,
    what: (cluster: NonNullable<NonNullable<SimulatedNode['engine']>['cluster']>) => Promise<unknown>,
  ): boolean {
    const cluster = node.engine?.cluster;
    if (!cluster) return false;
    const { trace } = this.#world;
    node.machine.run(() => {
      void what(cluster).then(
        (outcome) => trace.tell(`${node.name} answers ${JSON.stringify(outcome)}`),
        (error: unknown) => this.#world.broken(error),
      );
    });
    return true;
  }
}
