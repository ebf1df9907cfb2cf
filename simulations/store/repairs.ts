/** Runs that are stored again as another home would send them: those the store found damaged, and some that are whole. */
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { channelKey } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import type { LogStore } from '../../src/engine/ports.js';
import { floorWriter } from '../../src/log/floors.js';
import { RecordWalk, placeSeed } from '../../src/log/record-layout.js';
import { redactBody } from '../../src/log/redaction.js';
import { runOf } from '../../src/log/run-bytes.js';
import { verifyRun } from '../../src/log/run-reader.js';
import type { RunSummary } from '../../src/log/run.js';
import { excuseKey } from './checks.js';
import type { Model, ModelEntry } from './model.js';

export interface Repair {
  readonly ref: ChannelRef;
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
  readonly entries: readonly ModelEntry[];
}

export async function someRepair(store: LogStore, model: Model, random: Random): Promise<Repair | undefined> {
  for (const found of store.damaged(4)) {
    const damage = await store.examine(found.ref, found.writer, found.firstSeq);
    if (!damage) continue;
    const { ref, writer, firstSeq, count } = damage;
    const known = model.channel(ref).writers.get(writer) ?? [];
    const entries = known.filter(
      ({ seq, state }) => state === 'acked' && seq >= firstSeq && seq < firstSeq + count,
    );
    if (entries.length === count) return repairOf(ref, writer, entries);
  }
  return repairOfWhole(model, random);
}

/** Entries of one run: those of a writer in one commit. */
function repairOfWhole(model: Model, random: Random): Repair | undefined {
  const pick = <T>(values: readonly T[]): T | undefined => values[Math.floor(random.next() * values.length)];
  const channel = pick([...model.channels.values()]);
  const [writer, entries] = (channel && pick([...channel.writers])) ?? [];
  const one = entries && pick(entries);
  // Floors are no entries.
  if (!channel || !writer || !one || writer === floorWriter) return undefined;
  const floor = model.floors(channel).get(writer) ?? 0;
  const run = entries.filter(
    ({ commit, state, seq }) => commit === one.commit && state === 'acked' && seq > floor,
  );
  return run.length === 0 ? undefined : repairOf(channel.ref, writer, run);
}

function repairOf(ref: ChannelRef, writer: WriterId, entries: readonly ModelEntry[]): Repair | undefined {
  const { seq: firstSeq, round } = entries[0]!;
  const records = new Uint8Array(Buffer.concat(entries.map((entry) => sentAs(ref, writer, entry))));
  const part = { ref, writer, round, firstSeq, count: entries.length, records };
  const bytes = runOf(part);
  const run = verifyRun(bytes, 0, bytes.length);
  return run.ok ? { ref, bytes, run: run.value, entries } : undefined;
}

/** Of what is redacted a home takes no content from another: see `repair-pieces.ts`. */
function sentAs(ref: ChannelRef, writer: WriterId, { record, redacted, round }: ModelEntry): Uint8Array {
  if (!redacted) return record;
  const sent = record.slice();
  const walk = new RecordWalk(sent);
  if (walk.next()) redactBody(sent, walk.bodyStart, walk.end, placeSeed(ref, writer, round));
  return sent;
}

export function repairedKeys({ ref, run, entries }: Repair): string[] {
  return entries.map(({ seq }) => excuseKey(channelKey(ref), run.writer, seq));
}
