/** Two homes with some hundred channels each that compare them, against a plain comparison: what differs is found, nothing
 *  else, and it ends, also where the other one lies. Losses, repeats and delays are drawn by the seed. */
import type { ChannelName, ChannelRef, HubName, WriterId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { channelPosition } from '../../src/cluster/ring-position.js';
import { type ItemTable, ItemTableBuilder, itemOf } from '../../src/replication/reconcile-items.js';
import {
  type ComparedRange,
  type Difference,
  type Reconcile,
  type Reconciled,
  ringEnd,
  ringStart,
} from '../../src/replication/reconcile-messages.js';
import { compareRanges } from '../../src/replication/reconcile-ranges.js';
import { ReconcileSession } from '../../src/replication/reconcile-session.js';
import { check } from './checkers.js';
import { sha256 } from './scrubbing.js';

type Held = readonly [seq: number, content: string];
type Store = ReadonlyMap<string, Held>;

const writer = '0a'.repeat(12) as WriterId;
/** More than any honest comparison of so few channels takes, losses included. */
const questionsMax = 400;
const lossesMax = 0.15;

/** Returns what was found, and after how many questions. */
export function compareSeed(seed: number): string {
  const random = seededRandom(Math.imul(seed, 7_717) + 3);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.next() * items.length)]!;
  const count = pick([0, 1, 20, 40, 150, 400]);
  const share = pick([0, 0.01, 0.1, 1]);
  const [a, b] = [storeOf(count, share, random), storeOf(count, share, random)];
  const isLied = random.next() < 0.15;
  const talk = new Talk(tableOf(a, 'a'), tableOf(b, 'b'), random, isLied);
  talk.run();
  const { state } = talk.session;
  const found = `${state} ${talk.questions} ${[...talk.seen].join()}`;
  if (isLied || state === 'silent') return found;
  check('differences', state === 'done', () => `a comparison of honest homes is ${state}`);
  const expected = differencesOf(a, b);
  const missed = expected.find((each) => !talk.seen.has(each));
  const wrong = [...talk.seen].find((each) => !expected.includes(each));
  check('differences', missed === undefined, () => `not found: ${missed}`);
  check('differences', wrong === undefined, () => `found and not so: ${wrong}`);
  return found;
}

/** One comparison over a link that loses, repeats and delays. */
class Talk {
  readonly session: ReconcileSession;
  /** `channel difference`, as the first sees it. */
  readonly seen = new Set<string>();
  readonly #late: Reconciled[] = [];
  questions = 0;

  constructor(
    here: ItemTable,
    readonly there: ItemTable,
    readonly random: Random,
    readonly isLied: boolean,
  ) {
    const arcs = [{ from: ringStart, to: ringEnd }];
    this.session = new ReconcileSession({ session: 1, purpose: 'mend', table: here, arcs });
  }

  run(): void {
    const loss = this.random.next() * lossesMax;
    for (let now = 0; this.session.state === 'going'; now += 1_000) {
      for (const question of this.session.questions(now)) {
        check('ends', ++this.questions <= questionsMax, () => `${questionsMax} questions without an end`);
        if (this.questions > questionsMax) return;
        if (this.random.next() < loss) continue;
        this.#late.push(this.#answer(question));
        if (this.random.next() < loss) this.#late.push(this.#answer(question));
      }
      while (this.#late.length > 0 && this.random.next() < 0.8) {
        const at = Math.floor(this.random.next() * this.#late.length);
        for (const { ref, difference } of this.session.answered(this.#late.splice(at, 1)[0]!, now))
          this.seen.add(`${ref.channel} ${difference}`);
      }
    }
  }

  #answer(question: Reconcile): Reconciled {
    const { session, number, ranges } = question;
    if (this.isLied) return { ...answered(session, number), ranges: ranges.flatMap(lie) };
    const compared = compareRanges(this.there, ranges, 'mend', 'answers');
    for (const { ref, difference } of compared.findings)
      this.seen.add(`${ref.channel} ${mirrored(difference)}`);
    return { ...answered(session, number), ranges: compared.ranges };
  }
}

const answered = (session: number, number: number) => {
  return { type: 'reconciled', session, number, isBusy: false, more: 0, arrival: 0 } as const;
};

/** Whatever is asked, it is not so: the sum of the same range is another, for ever. */
function lie({ from, to }: ComparedRange): ComparedRange[] {
  return [{ from, to, kind: 'sum', fingerprint: new Uint8Array(16).fill(7) }];
}

function mirrored(difference: Difference): Difference {
  if (difference === 'only') return 'lacking';
  return difference === 'lacking' ? 'only' : difference;
}

function storeOf(count: number, share: number, random: Random): Store {
  const store = new Map<string, Held>();
  const others: readonly (Held | undefined)[] = [[3, 'x'], [4, 'x'], [3, 'y'], undefined, [2, 'z']];
  for (let i = 0; i < count; i++) {
    const held: Held | undefined =
      random.next() < share ? others[Math.floor(random.next() * others.length)] : [3, 'x'];
    if (held) store.set(`c${i}`, held);
  }
  return store;
}

function differencesOf(a: Store, b: Store): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((name) => {
    const [here, there] = [a.get(name), b.get(name)];
    if (!there) return [`${name} only`];
    if (!here) return [`${name} lacking`];
    if (here[0] !== there[0]) return [`${name} heads`];
    return here[1] === there[1] ? [] : [`${name} content`];
  });
}

function tableOf(store: Store, salt: string): ItemTable {
  const builder = new ItemTableBuilder(sha256);
  for (const [channel, [seq, content]] of store) {
    const ref: ChannelRef = { hub: 'h' as HubName, channel: channel as ChannelName };
    const digest = sha256(Buffer.from(`${seq} ${content}`));
    const holding = { ref, digest, through: new Map([[writer, seq]]), floors: new Map(), isDamaged: false };
    builder.add(ref, channelPosition(ref), itemOf(sha256, holding, Buffer.from(salt)));
  }
  const building = builder.build();
  for (;;) {
    const { done, value } = building.next();
    if (done) return value;
  }
}
