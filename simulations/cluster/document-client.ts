/** Applications that change one document at once through the SDK; and what every node and every one of them says the document is
 *  in the end. */
import { createHash } from 'node:crypto';
import { SharedDocument } from '../../src/client/documents-entry.js';
import {
  type Client,
  type PatchOperation,
  type PatchOptions,
  RinglogError,
  connect,
} from '../../src/client/index.js';
import { utf8Text } from '../../src/base/bytes.js';
import type { Fold } from '../../src/documents/fold.js';
import type { Random } from '../../src/base/random.js';
import type { Principal } from '../../src/engine/api.js';
import { chanceFor, logBetween, pick, whole } from './chance.js';
import type { ClientOptions, ClientWorld } from './client-options.js';
import { answerOf, lastLook } from './coming-together.js';
import { Lives } from './lives.js';
import type { SeenChange, SeenDocument } from './record.js';
import type { World } from './world.js';

export const sharedChannel = 'doc:1';

export interface DocumentPlan {
  readonly name: string;
  readonly changesPerMinute: number;
  readonly degrade: boolean;
  readonly timeoutMs: number;
  /** How often it gives up its client and opens the document anew. */
  readonly restartsPerMinute: number;
  /** There is a list too, that all change by index: what is drawn for that is of this seed. */
  readonly listSeed?: number;
}

/** Plans with so long a time for publishes leave changes without one. */
const keptFromMs = 120_000;

/** Of all clients in one run, in the mean. */
const changesMax = 400;

/** In few runs. */
export function drawDocuments(seed: number, lengthMs: number): DocumentPlan[] {
  const random = chanceFor(seed, 'documents');
  if (random.next() < 0.75) return [];
  const count = whole(random, 1, names.length);
  const most = (changesMax * 60_000) / lengthMs / count;
  const shared = {
    changesPerMinute: logBetween(random, most / 30, most),
    degrade: random.next() < 0.5,
    timeoutMs: pick(random, [2_000, 20_000, 120_000]),
    restartsPerMinute: pick(random, [0, 0, 1, 6]),
    // A stream of its own.
    ...(chanceFor(seed, 'documents with lists').next() < 0.6 && { listSeed: seed }),
  };
  return names.slice(0, count).map((name) => ({ name, ...shared }));
}

/** What clients make of it: how many changes of each took effect, all those changes, and what is written into by all. */
interface Shared {
  readonly made?: Readonly<Record<string, number>>;
  readonly log?: readonly number[];
  readonly text?: string;
  readonly names?: Readonly<Record<string, unknown>>;
  readonly list?: readonly unknown[];
  readonly deep?: Readonly<Record<string, unknown>>;
}

const names = ['d1', 'd2', 'd3', 'd4'] as const;

/** The document every client begins with, whoever comes first. */
function beginning({ listSeed }: DocumentPlan): PatchOperation[] {
  const made = Object.fromEntries(names.map((name) => [name, 0]));
  const value = { made, log: [], text: '', names: {}, ...(listSeed !== undefined && { list: [] }) };
  return [
    { op: 'test', path: '', value: {} },
    { op: 'replace', path: '', value },
  ];
}

type ChangeOptions = PatchOptions & { readonly degrade: boolean };

export class DocumentClient {
  readonly plan: DocumentPlan;
  readonly #world: ClientWorld;
  readonly #random: Random;
  readonly #lists: Random | undefined;
  readonly #lives: Lives;
  #document: SharedDocument<Shared> | undefined;
  /** What it was told of entries: also before it is told which of its changes they are. */
  readonly #fates = new Map<string, readonly ('lost' | 'void')[]>();
  #open = 0;

  constructor(world: ClientWorld, plan: DocumentPlan, options: ClientOptions) {
    this.plan = plan;
    this.#world = world;
    this.#random = options.random;
    const { listSeed, name } = plan;
    this.#lists = listSeed === undefined ? undefined : chanceFor(listSeed, `list of ${name}`);
    const { urls: url, platform, reconnectMaxMs, random } = options;
    this.#lives = new Lives({
      line: world.line,
      random,
      actsPerSecond: plan.changesPerMinute / 60,
      restartsPerMinute: plan.restartsPerMinute,
      connect: () => connect({ url, platform, reconnectMaxMs, publishTimeoutMs: plan.timeoutMs }),
      begin: (client, isOver) => this.#begin(client, isOver),
      act: () => this.change(),
    });
    this.#lives.start();
  }

  /** Changes nothing more by itself. */
  stop(): void {
    this.#lives.stop();
  }

  close(): void {
    this.#lives.close();
  }

  /** It has the document, and every change of its own its answer. */
  get isSettled(): boolean {
    return this.#document !== undefined && this.#open === 0 && this.#document.pending === 0;
  }

  get json(): string {
    return this.#document?.json ?? 'nothing';
  }

  /** No fault is a reason for it to end. */
  #begin(client: Client, isOver: () => boolean): void {
    this.#document = undefined;
    this.#fates.clear();
    for (const change of this.#changes) change.after = undefined;
    const failed = (error: unknown): void => {
      if (!isOver()) this.#world.broken(error);
    };
    this.#opened(client).then((document) => {
      document.on('error', failed);
      document.on('refused', ({ id, code }) => {
        if (id === undefined) return;
        this.#fates.set(id, [...(this.#fates.get(id) ?? []), code === 'LOST' ? 'lost' : 'void']);
        const change = this.#changes.find(({ entry }) => entry === id);
        if (change) this.#heard(change);
      });
      if (this.#lives.client === client) this.#document = document;
    }, failed);
  }

  /** A document is what somebody makes of an empty one. */
  async #opened(client: Client): Promise<SharedDocument<Shared>> {
    for (;;) {
      await client.patch(sharedChannel, beginning(this.plan), { degrade: false }).catch(() => undefined);
      const document = await SharedDocument.open<Shared>(client, sharedChannel);
      if (document.value.made) return document;
      document.close();
    }
  }

  #heard(change: SeenChange): void {
    const fates = this.#fates.get(change.entry ?? '');
    if (!fates || change.after === undefined) return;
    change.after = fates.at(-1);
    change.voidsTold = fates.filter((fate) => fate === 'void').length;
  }

  get #changes(): SeenChange[] {
    return this.#world.record.changes.filter(({ by }) => by === this.plan.name);
  }

  /** One more, of some kind or with these operations. It takes effect once or not at all, since it names the one before it. */
  change(
    more?: readonly PatchOperation[],
    options: ChangeOptions = { degrade: this.plan.degrade },
  ): SeenChange | undefined {
    const document = this.#document;
    const { name } = this.plan;
    const { degrade } = options;
    const made = document?.value.made?.[name];
    if (!document || made === undefined) return undefined;
    const { record, trace } = this.#world;
    const id = record.changes.length + 1;
    const change: SeenChange = { id, by: name, degrade, outcome: 'open', after: 'nothing' };
    record.changes.push(change);
    const path = `/made/${name}`;
    const operations: PatchOperation[] = [
      { op: 'test', path, value: made },
      { op: 'replace', path, value: made + 1 },
      { op: 'add', path: '/log/-', value: change.id },
      ...(more ?? [...this.#more(document.value), ...this.#inList(document.value, id)]),
    ];
    this.#open++;
    trace.add(`${name} changes ${change.id}`);
    const { timeoutMs } = this.plan;
    // Without a time of its own it is kept until it has an outcome.
    const timed = timeoutMs < keptFromMs ? { ...options, timeoutMs } : options;
    document.change(operations, timed).then(
      ({ level, dot }) => this.#settle(change, 'acked', level, dot && `${dot.writer}-${dot.seq}`),
      (error: unknown) => {
        if (!(error instanceof RinglogError)) return this.#world.broken(error);
        this.#settle(change, error.outcome, error.code);
      },
    );
    return change;
  }

  /** What others may be in the way of. */
  #more({ text = '', names = {}, deep = {} }: Shared): PatchOperation[] {
    const key = `k${Math.floor(this.#random.next() * 4)}`;
    const at = Math.floor(this.#random.next() * (text.length + 1));
    switch (pick(this.#random, ['nothing', 'text', 'text', 'name', 'remove', 'deep', 'shallow'])) {
      case 'text':
        return [{ op: 'splice', path: '/text', at, insert: this.plan.name[1]! }];
      case 'name':
        return [{ op: 'add', path: `/names/${key}`, value: this.plan.name }];
      case 'remove':
        return key in names ? [{ op: 'remove', path: `/names/${key}` }] : [];
      // By the rules of the channel parents that are missing are made.
      case 'deep':
        return [{ op: 'add', path: `/deep/${key}/${this.plan.name}`, value: text.length }];
      case 'shallow':
        return key in deep ? [{ op: 'move', from: `/deep/${key}`, path: `/deep/below/${key}` }] : [];
      default:
        return [];
    }
  }

  /** By index, which others move meanwhile. */
  #inList({ list }: Shared, id: number): PatchOperation[] {
    const random = this.#lists;
    if (!random || !list) return [];
    const index = (length: number): number => Math.floor(random.next() * length);
    const kind = pick(random, ['nothing', 'insert', 'insert', 'remove', 'move', 'move', 'replace', 'append']);
    const [at, to] = [index(list.length + 1), index(list.length)];
    // There may be nothing to be had yet.
    const has = at < list.length;
    switch (kind) {
      case 'insert':
        return [{ op: 'add', path: `/list/${at}`, value: id }];
      case 'append':
        return [{ op: 'add', path: '/list/-', value: id }];
      case 'remove':
        return has ? [{ op: 'remove', path: `/list/${at}` }] : [];
      case 'move':
        return has ? [{ op: 'move', from: `/list/${at}`, path: `/list/${to}` }] : [];
      case 'replace':
        return has ? [{ op: 'replace', path: `/list/${at}`, value: -id }] : [];
      default:
        return [];
    }
  }

  #settle(change: SeenChange, outcome: SeenChange['outcome'], told: string, id?: string): void {
    this.#open--;
    change.outcome = outcome;
    change.told = told;
    change.entry = id;
    this.#heard(change);
    this.#world.trace.add(`change ${change.id} ${outcome} ${told}`);
  }
}

const anonymous: Principal = { actor: '', authenticated: false, admin: false };
const request = { type: 'documentGet', channel: sharedChannel } as const;

/** As every member of the ring that is up says it is, and every client. */
export async function documentNow(world: World, clients: readonly DocumentClient[]): Promise<SeenDocument> {
  const nodes = new Map<string, string>();
  let text = '{}';
  for (const node of world.members()) {
    if (node.state !== 'up') continue;
    const state = await answerOf(world, node, (engine) => engine.document(anonymous, 'default', request));
    if (state.ok) {
      const { version, voids } = state.value.info;
      text = utf8Text(state.value.value);
      nodes.set(node.name, saidOf({ version, voids }, text));
    } else nodes.set(node.name, state.error.code);
  }
  const { log = [] } = JSON.parse(text) as Shared;
  const held = new Map(clients.map(({ plan, json }) => [plan.name, short(json)]));
  return { nodes, clients: held, document: short(text), log };
}

export function saidOf({ version, voids }: Pick<Fold, 'version' | 'voids'>, value: string): string {
  return `version ${version} with ${voids} void, ${short(value)}`;
}

/** One more change of each that takes effect, then looks until all have the same, or for so long; what was seen then. */
export async function documentWithin(
  world: World,
  clients: readonly DocumentClient[],
  withinMs: number,
): Promise<SeenDocument> {
  await allChanged(world, clients, withinMs);
  return await lastLook(world, withinMs, () => documentNow(world, clients), isOne);
}

/** With what is acknowledged at quorum all is in the order that its owner has before it. Until then all may say the same, and
 *  something else once that is committed. What is refused meanwhile says nothing: an owner judges by all it has, of which
 *  readers are shown what is committed. */
async function allChanged(world: World, clients: readonly DocumentClient[], withinMs: number): Promise<void> {
  const isSettled = () => clients.every((client) => client.isSettled);
  const endMs = world.nowMs() + withinMs;
  await world.becomes(isSettled, withinMs);
  for (let left = clients; left.length > 0 && world.nowMs() < endMs;) {
    const tried = left.map((client) => ({
      client,
      change: client.change(undefined, { level: 'quorum', degrade: false }),
    }));
    await world.becomes(isSettled, withinMs);
    left = tried.flatMap(({ client, change }) => (change?.outcome === 'acked' ? [] : [client]));
    if (left.length > 0) await world.pass(200);
  }
}

function isOne({ nodes, clients, document }: SeenDocument): boolean {
  return new Set(nodes.values()).size === 1 && [...clients.values()].every((held) => held === document);
}

/** Entries that the order has and that are void; `undefined` where some of it is trimmed. */
export async function voidsOf(world: World): Promise<ReadonlySet<string> | undefined> {
  const node = world.members().find(({ state }) => state === 'up');
  if (!node || world.plan.retention) return undefined;
  const voids = new Set<string>();
  let since: Uint8Array | undefined;
  for (let more = true; more;) {
    const query = since === undefined ? {} : { since };
    const page = await answerOf(world, node, (engine) =>
      engine.documentChanges(anonymous, 'default', sharedChannel, query),
    );
    if (!page.ok) return undefined;
    for (const { id, fault } of page.value.changes) if (fault) voids.add(id);
    ({ cursor: since, more } = page.value);
  }
  return voids;
}

/** For messages that can be read. */
function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
