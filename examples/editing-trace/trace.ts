/** Keystroke traces of the form of editing-traces (J. Gentle): `txns[].patches[]` are `[position, deleted, inserted]`, and applied
 *  in order to `startContent` they give `endContent`. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { seededRandom } from '../../src/base/random.js';

export type Edit = readonly [at: number, remove: number, insert: string];

export interface Trace {
  readonly name: string;
  readonly start: string;
  /** What was typed at once. */
  readonly changes: readonly (readonly Edit[])[];
  /** What every reader must have in the end. */
  readonly end: string;
  /** It is the recorded one, not what the edits come to by the plain string of this program. */
  readonly isRecorded: boolean;
}

export class InputError extends Error {}

/** The end is the one that was recorded; with fewer changes than there are (`most`) it is what they give. */
export function readTrace(file: string, most: number): Trace {
  let read: { startContent?: string; endContent?: string; txns?: { patches: Edit[] }[] };
  try {
    const bytes = readFileSync(file);
    read = JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()) as typeof read;
  } catch (error) {
    throw new InputError(`${file} cannot be read: ${(error as Error).message}`);
  }
  const { startContent: start = '', endContent, txns } = read;
  if (endContent === undefined || !txns)
    throw new InputError(`${file} is no trace: it has no txns or no endContent`);
  const all = txns.map(({ patches }) => patches).filter((edits) => edits.length > 0);
  const changes = all.slice(0, most);
  const isRecorded = changes.length === all.length;
  const given = applied(start, changes);
  if (isRecorded && given !== endContent)
    throw new InputError(`${file}: its edits do not give its endContent; positions must be UTF-16 units`);
  return { name: file, start, changes, end: isRecorded ? endContent : given, isRecorded };
}

/** A made-up one, where there is no real one. */
export function madeUpTrace(count: number): Trace {
  const random = seededRandom(1);
  const changes: Edit[][] = [];
  let text = '';
  for (let i = 0; i < count; i++) {
    const at = Math.floor(random.next() * (text.length + 1));
    const edit: Edit =
      random.next() < 0.3
        ? [at, Math.min(3, text.length - at), '']
        : [at, 0, `word${i} `.slice(0, 1 + (i % 8))];
    changes.push([edit]);
    text = spliced(text, edit);
  }
  return { name: 'a made-up trace', start: '', changes, end: text, isRecorded: false };
}

/** By a plain string: nothing of the product is asked. */
function applied(start: string, changes: readonly (readonly Edit[])[]): string {
  return changes.flat().reduce(spliced, start);
}

function spliced(text: string, [at, remove, insert]: Edit): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}
