/** Comparing what homes hold, in the simulated core: tables are made from the disk, questions and answers go over the same
 *  links as all else, and what differs is compared entry by entry. A digest is also made by its definition, in other words
 *  than the product's. */
import { createHash } from 'node:crypto';
import { type ChannelRef, type NodeId, channelKey } from '../../src/base/ids.js';
import { channelPosition } from '../../src/cluster/ring-position.js';
import { ChannelDigestSum } from '../../src/log/digest.js';
import { RecordWalk, recordSeq } from '../../src/log/entry-wire.js';
import { type ItemTable, ItemTableBuilder, itemOf } from '../../src/replication/reconcile-items.js';
import {
  type Reconcile,
  type Reconciled,
  ringEnd,
  ringStart,
} from '../../src/replication/reconcile-messages.js';
import { type Finding, compareRanges } from '../../src/replication/reconcile-ranges.js';
import type { Learned } from '../../src/replication/catch-up.js';
import { isFloorRun } from '../../src/log/floors.js';
import { ReconcileSession } from '../../src/replication/reconcile-session.js';
import { check } from './checkers.js';
import type { Disk } from './disk.js';
import type { NodeView, Surroundings } from './surroundings.js';

export const sha256 = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(bytes).digest());

const wholeRing = [{ from: ringStart, to: ringEnd }];

/** A node, as far as it compares. */
interface Scrubbed extends NodeView {
  readonly world: Surroundings;
  readonly disk: Disk;
}

interface Learning {
  readonly id: number;
  readonly session: ReconcileSession;
  readonly refs: ChannelRef[];
}

export class Scrubbing {
  readonly #node: Scrubbed;
  readonly #learning = new Map<NodeId, Learning>();
  #running: { readonly session: ReconcileSession; readonly peer: NodeId } | undefined;

  constructor(node: Scrubbed) {
    this.#node = node;
  }

  begin(peer: NodeId): void {
    const { world } = this.#node;
    const session = world.scrubChance.next() * Number.MAX_SAFE_INTEGER;
    const table = tableOf(this.#node);
    const options = { session: Math.floor(session), purpose: 'mend', table, arcs: wholeRing } as const;
    this.#running = { session: new ReconcileSession(options), peer };
    world.stats.scrubs++;
    this.tick();
  }

  /** The core asks what the peer has that may be lacking here. */
  learn(id: number, peer: NodeId): void {
    const { world } = this.#node;
    const session = Math.floor(world.scrubChance.next() * Number.MAX_SAFE_INTEGER);
    const options = { session, purpose: 'learn', table: tableOf(this.#node), arcs: wholeRing } as const;
    this.unlinked(peer);
    this.#learning.set(peer, { id, session: new ReconcileSession(options), refs: [] });
    world.stats.learned++;
    this.tick();
  }

  /** Nothing that was asked is answered any more. */
  unlinked(peer: NodeId): void {
    const learning = this.#learning.get(peer);
    this.#learning.delete(peer);
    if (learning) this.#node.replica.reconciled(learning.id, undefined, this.#node.world.now);
  }

  tick(): void {
    for (const [peer, learning] of this.#learning) this.#learnOn(peer, learning);
    this.#goOn();
  }

  #learnOn(peer: NodeId, { id, session, refs }: Learning): void {
    const { world, replica } = this.#node;
    for (const question of session.questions(world.now)) replica.say(peer, question);
    const { state, arrival } = session;
    if (state === 'going') return;
    this.#learning.delete(peer);
    const learned: Learned = { refs, arrival, isWhole: true };
    replica.reconciled(id, state === 'done' ? learned : undefined, world.now);
  }

  #goOn(): void {
    const running = this.#running;
    if (!running) return;
    const { world, replica } = this.#node;
    for (const question of running.session.questions(world.now)) replica.say(running.peer, question);
    if (running.session.state === 'going') return;
    const { state } = running.session;
    check(
      'digests',
      state === 'done' || state === 'silent',
      () => `a comparison of honest homes is ${state}`,
    );
    this.#running = undefined;
  }

  received(from: NodeId, message: Reconcile | Reconciled): void {
    const { world, replica, disk } = this.#node;
    if (message.type === 'reconcile') {
      const { session, number, ranges, purpose } = message;
      const compared = compareRanges(tableOf(this.#node), ranges, purpose, 'answers');
      const { more, ranges: told, findings } = compared;
      const arrival = disk.entries;
      replica.say(from, { type: 'reconciled', session, number, isBusy: false, ranges: told, more, arrival });
      return purpose === 'mend' ? this.#found(from, findings) : undefined;
    }
    const learning = this.#learning.get(from);
    if (learning?.session.session === message.session) {
      const findings = learning.session.answered(message, world.now);
      for (const { ref, difference } of findings) if (difference !== 'only') learning.refs.push(ref);
      return this.#learnOn(from, learning);
    }
    if (this.#running?.peer !== from) return;
    this.#found(from, this.#running.session.answered(message, world.now));
    this.tick();
  }

  #found(peer: NodeId, findings: readonly Finding[]): void {
    const { world, replica } = this.#node;
    for (const { ref, difference } of findings) {
      check(
        'digests',
        difference !== 'content' && difference !== 'damaged',
        () => `${channelKey(ref)} is said to differ by its ${difference}`,
      );
      world.stats.scrubFindings++;
      // Opens the log, as the engine does.
      this.#node.log(ref);
      replica.compare(ref, peer, world.now);
    }
  }
}

/** Every digest that a home would tell, against its definition. */
export function checkDigests(node: Scrubbed): void {
  for (const ref of node.world.refs) {
    const told = Buffer.from(digestOf(node, ref)).toString('hex');
    const defined = definedDigestOf(node, ref);
    check(
      'digests',
      told === defined,
      () => `${node.index} tells ${told} of ${channelKey(ref)}, not ${defined}`,
    );
  }
}

function tableOf(node: Scrubbed): ItemTable {
  const builder = new ItemTableBuilder(sha256);
  for (const ref of node.world.refs) {
    const log = node.log(ref);
    if (log.isEmpty) continue;
    const through = new Map(log.writers().map(({ writer, seq }) => [writer, seq]));
    const holding = { ref, digest: digestOf(node, ref), through, floors: log.floors, isDamaged: false };
    builder.add(ref, channelPosition(ref), itemOf(sha256, holding, new Uint8Array(0)));
  }
  const building = builder.build();
  for (;;) {
    const { done, value } = building.next();
    if (done) return value;
  }
}

function digestOf(node: Scrubbed, ref: ChannelRef): Uint8Array {
  const sum = new ChannelDigestSum(sha256);
  const key = channelKey(ref);
  for (const { bytes, run } of node.disk.runs) {
    if (channelKey(run.ref) !== key || isFloorRun(run)) continue;
    sum.addRecords({ writer: run.writer, firstSeq: run.firstSeq, records: bytes.subarray(run.headerBytes) });
  }
  return sum.digest();
}

/** SHA-256 over the sum modulo 2^256 of SHA-256 over each dot and record, and their number. */
function definedDigestOf(node: Scrubbed, ref: ChannelRef): string {
  let [sum, count] = [0n, 0];
  for (const { bytes, run } of node.disk.runs) {
    if (channelKey(run.ref) !== channelKey(ref) || isFloorRun(run)) continue;
    const walk = new RecordWalk(bytes, run.headerBytes);
    while (walk.next()) {
      const dot = Buffer.alloc(20);
      dot.write(run.writer, 0, 'hex');
      dot.writeBigUInt64LE(BigInt(recordSeq(bytes, walk.bodyStart)), 12);
      const hash = createHash('sha256').update(dot).update(bytes.subarray(walk.bodyStart, walk.end)).digest();
      sum = (sum + BigInt(`0x${hash.reverse().toString('hex')}`)) % (1n << 256n);
      count++;
    }
  }
  const whole = Buffer.alloc(40);
  Buffer.from(sum.toString(16).padStart(64, '0'), 'hex').reverse().copy(whole);
  whole.writeBigUInt64LE(BigInt(count), 32);
  return createHash('sha256').update(whole).digest('hex');
}
