/** What an operator wants of a ring that changes in size: every intent there is, from one member up and down again, and other
 *  numbers of copies. */
import type { ChangeOutcome, RingIntent } from '../../src/cluster/ring-intent.js';
import { type Replicas, replicaCount } from '../../src/cluster/ring.js';
import type { NodeId } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import { pick } from './chance.js';
import type { SimulatedNode } from './node.js';
import type { World } from './world.js';

/** A node that is alone asks for itself; what others ask for is an intent. */
export type Wish = RingIntent | { readonly join: SimulatedNode };

type Kind = Exclude<RingIntent['kind'], 'leave-out'>;

/** As often as each is meant: rings that only shrink have nothing to lose soon. The last ones are those of which two are asked
 *  for at once. */
const kinds: readonly Kind[] = [
  'abandon',
  ...many(3, 'drain'),
  ...many(2, 'remove'),
  ...many(1, 'expel'),
  ...many(2, 'replace'),
  ...many(3, 'replicas'),
  ...many(8, 'join'),
];

function many(count: number, kind: Kind): readonly Kind[] {
  return Array.from({ length: count }, () => kind);
}

const allReplicas: readonly Replicas[] = [1, 2, 3, 4, 5, 'all'];

export class Resizing {
  readonly #world: World;
  readonly #random: Random;
  readonly #membersMin: number;
  /** Members that somebody was asked to let go and did not refuse to: they may be gone at any time. */
  readonly #going = new Set<NodeId>();

  constructor(world: World, random: Random, membersMin: number) {
    this.#world = world;
    this.#random = random;
    this.#membersMin = membersMin;
  }

  /** `undefined` where the ring does not allow for what comes next. */
  wish(amount: number): Wish | undefined {
    const kind = kinds[Math.floor(amount * kinds.length)]!;
    switch (kind) {
      case 'abandon':
        return { kind };
      case 'join':
        return this.#join();
      case 'replicas':
        return { kind, replicas: pick(this.#random, this.#replicas()) };
      case 'replace':
        return this.#replace();
      default:
        return this.#leave(kind);
    }
  }

  answered(intent: RingIntent, outcome: ChangeOutcome): void {
    // It may come about although nobody knows.
    if (outcome.ok || outcome.error === 'undecided') return;
    if (intent.kind === 'drain') for (const node of intent.nodes) this.#going.delete(node);
    else if ('node' in intent) this.#going.delete(intent.node);
  }

  #join(): Wish | undefined {
    const node = this.#comer();
    if (!node) return undefined;
    // Who was a member is in no ring of its own: a member asks for it.
    const isAlone = node.engine?.cluster?.ring().members.length === 1;
    return isAlone && node.isSpare
      ? { join: node }
      : { kind: 'join', nodes: [{ node: node.id, role: 'core' }] };
  }

  #replace(): Wish | undefined {
    const comer = this.#comer();
    const goer = this.#goer(0);
    return comer && goer && { kind: 'replace', node: goer.id, by: { node: comer.id, role: 'core' } };
  }

  #leave(kind: 'drain' | 'remove' | 'expel'): Wish | undefined {
    const goer = this.#goer(1);
    if (!goer) return undefined;
    return kind === 'drain' ? { kind, nodes: [goer.id] } : { kind, node: goer.id };
  }

  #comer(): SimulatedNode | undefined {
    const members = this.#world.members();
    const comers = this.#world.nodes.filter((node) => node.state === 'up' && !members.includes(node));
    return comers.length === 0 ? undefined : pick(this.#random, comers);
  }

  /** One that may go, if the ring is that much smaller without it. */
  #goer(fewer: number): SimulatedNode | undefined {
    const members = this.#world.members();
    for (const id of this.#going) if (!members.some((node) => node.id === id)) this.#going.delete(id);
    const staying = members.filter(({ id }) => !this.#going.has(id));
    if (staying.length - fewer < this.#membersMin || staying.length === 0) return undefined;
    const goer = pick(this.#random, staying);
    this.#going.add(goer.id);
    return goer;
  }

  #replicas(): readonly Replicas[] {
    return allReplicas.filter((replicas) => replicaCount(replicas, this.#membersMin) >= this.#membersMin);
  }
}
