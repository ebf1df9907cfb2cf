/** What a store promises of entries that are redacted: they are read without their content at once, it is nowhere on the disk once
 *  the store counts it as gone, whatever happens then, all of it goes, and nothing but the content does. */
import type { Random } from '../../src/base/random.js';
import { type WriterId, channelKey, dotText } from '../../src/base/ids.js';
import type { LogStore } from '../../src/engine/ports.js';
import type { ChannelLog } from '../../src/log/channel-log.js';
import { type LogRecord, decodeRecord, placeSeed } from '../checkers/record.js';
import { type Model, type ModelChannel, type ModelEntry, type Redacted, Violation } from './model.js';
import type { StoreWorld } from './world.js';

export const redactionChecks = [
  /** From the commit on no read gives the content, and nothing but the content is gone. */
  'hidden',
  /** What the store counts as written over comes back by no crash, in no file and no row. */
  'gone',
  /** What a crash left half written over is neither lost nor given up. */
  'kept',
  /** Everything is written over in the end. */
  'finished',
] as const;
export type RedactionCheck = (typeof redactionChecks)[number];

let off: RedactionCheck | undefined;

export function switchOff(checker: RedactionCheck | undefined): void {
  off = checker;
}

export class RedactionViolation extends Violation {
  constructor(
    readonly checker: RedactionCheck,
    what: string,
  ) {
    super(what);
  }
}

function check(checker: RedactionCheck, condition: boolean, what: () => string): void {
  if (!condition && checker !== off) throw new RedactionViolation(checker, what());
}

/** Shorter ones could be anywhere by chance. */
const payloadMin = 12;
/** Steps after which nothing may be left to be written over. */
const stepsMax = 40;
/** Tag and length of a content and of its payload. */
const headsMax = 8;

/** An entry that may be redacted now; now and then one that is already. */
export function someTarget(log: ChannelLog, model: Model, random: Random): Redacted | undefined {
  const { ref } = log;
  const found: (readonly [WriterId, ModelEntry])[] = [];
  for (const [writer, entries] of model.channel(ref).writers) {
    const { goneThrough = 0, seq: have = 0 } = log.writer(writer) ?? {};
    for (const entry of entries) {
      const { seq, state, payload, redacted } = entry;
      const isThere = state === 'acked' && seq > goneThrough && seq <= have;
      if (isThere && payload !== undefined && (!redacted || random.next() < 0.05))
        found.push([writer, entry]);
    }
  }
  const one = found[Math.floor(random.next() * found.length)];
  if (!one) return undefined;
  const [writer, entry] = one;
  const fresh = { ref, writer, entry, by: [], isErased: false, isTorn: false, isSpared: false };
  return entry.redacted ?? fresh;
}

/** What is held is committed: as a home hears it. */
export async function placeHeads(store: LogStore, model: Model): Promise<void> {
  for (const { ref } of model.channels.values()) {
    const log = await store.open(ref);
    placeAll(log);
    store.release(ref);
  }
}

export function placeAll(log: ChannelLog): void {
  if (log.hasUnplacedHole) return;
  for (const head of log.heads()) if (log.canCommitThrough(head)) log.commitThrough(head);
}

/** Whether these bytes are what an entry may be: as it was written, or without its content where that is redacted. `isRead`: only
 *  what is not redacted has it. */
export function isForm(
  { ref }: Pick<ModelChannel, 'ref'>,
  writer: WriterId,
  entry: ModelEntry,
  bytes: Uint8Array,
  isRead: boolean,
): boolean {
  const { redacted, record } = entry;
  const isWhole = Buffer.compare(bytes, record) === 0;
  if (!redacted) return isWhole;
  const mayBeWhole = !isRead || !isSaid(redacted);
  check('hidden', !isWhole || mayBeWhole, () => `the content of ${nameOf(redacted)} is read`);
  return isWhole || isBare(entry, bytes, placeSeed(ref.hub, ref.channel, writer, entry.round));
}

function isSaid({ by }: Redacted): boolean {
  return by.some(({ state }) => state === 'acked');
}

/** As long as it was, with the same checksum, and all that is not content as it was. */
function isBare({ record, payload = '' }: ModelEntry, bytes: Uint8Array, seed: number): boolean {
  if (bytes.length !== record.length) return false;
  const [is, was] = [decoded(bytes, seed), decoded(record, seed)];
  const first = record.findIndex((byte, i) => byte !== bytes[i]);
  const last = record.findLastIndex((byte, i) => byte !== bytes[i]);
  return (
    is.isWhole &&
    is.isRedacted &&
    is.payload.length === 0 &&
    last - first < payload.length + headsMax &&
    is.checksum === was.checksum &&
    is.seq === was.seq &&
    is.kind === was.kind
  );
}

function decoded(bytes: Uint8Array, seed: number): LogRecord {
  let start = 1;
  while (bytes[start++]! >= 0x80);
  return decodeRecord(bytes, start, bytes.length, seed);
}

/** Whether an entry may be missing from what is read: a crash left it half written over, until the next step, or for good where
 *  the index went too. */
export function mayBeMissing({ redacted }: ModelEntry): boolean {
  return redacted !== undefined && (redacted.isTorn || redacted.isSpared);
}

/** It is not among what was read. */
export function checkMissing({ redacted }: ModelEntry): void {
  if (redacted) check('kept', false, () => `${nameOf(redacted)} is missing from what is read`);
}

/** Asks the store what it counts as written over. */
export async function noteErased(store: LogStore, world: StoreWorld, model: Model): Promise<void> {
  for (const target of model.redactions) {
    if (target.isErased || !isSaid(target)) continue;
    const { ref, writer, entry } = target;
    const log = await store.open(ref);
    const { seq } = entry;
    const known = log.redactions.of({ writer, seq });
    if (!known || known.isErased) {
      target.isErased = true;
      target.isSpared ||= target.isTorn && world.index.isHurt;
      target.isTorn = false;
    }
    store.release(ref);
  }
}

/** Between two processes: what they may find of redacted entries, and what nobody may find any more. `isWhole`: by raw scan. */
export function checkRedactions(
  world: StoreWorld,
  model: Model,
  isWhole: (target: Redacted) => boolean,
): void {
  for (const target of model.redactions) {
    const { entry, isErased } = target;
    target.isTorn = !isErased && !isWhole(target);
    // Only the index says where half of an entry lies.
    target.isSpared ||= target.isTorn && world.index.isHurt;
    const { payload = '', arrivals } = entry;
    // What was stored again lies at its first place too.
    if (!isErased || target.isSpared || arrivals.length > 1 || payload.length < payloadMin) continue;
    check('gone', !world.has(payload), () => `the content of ${nameOf(target)} is on the disk again`);
  }
}

/** Where nothing goes wrong any more all that is redacted is written over, and can be read. */
export async function finish(store: LogStore, world: StoreWorld, model: Model): Promise<void> {
  const refs = [...model.redactions].map(({ ref }) => ref);
  // What is in use stays in memory, and so does what is known to be committed of it.
  for (const ref of refs) placeAll(await store.open(ref));
  for (let i = 0; i < stepsMax && unfinished(model).length > 0; i++) {
    await store.maintain(world.clock.wallMs());
    await noteErased(store, world, model);
  }
  for (const ref of refs) store.release(ref);
  const [left] = unfinished(model);
  check('finished', !left, () => `the content of ${nameOf(left!)} is never written over`);
}

function unfinished({ redactions }: Model): Redacted[] {
  return [...redactions].filter((target) => isSaid(target) && !target.isErased && !target.isSpared);
}

function nameOf({ ref, writer, entry }: Redacted): string {
  return `${dotText({ writer, seq: entry.seq })} of ${channelKey(ref)}`;
}
