/** Offsets in a run's header; what each field is says run.ts. */
import type { Publisher } from './entry.js';

export const runLayout = {
  checksum: 0,
  headerBytes: 4,
  reserved: 6,
  recordBytes: 8,
  count: 12,
  firstSeq: 16,
  round: 24,
  writer: 32,
  hubLength: 44,
  hub: 45,
} as const;

/** The scope of an idempotency key and of a publisher's numbers. Whatever clients call themselves, no two share one: what
 *  separates actor, publisher and, in the index, the key is in none of them. */
export function keyScope(actor: string | undefined, publisher: Pick<Publisher, 'id'> | undefined): string {
  return `${withoutSeparators(actor)}/${withoutSeparators(publisher?.id)}`;
}

function withoutSeparators(text = ''): string {
  // Looking first costs a quarter of replacing nothing, and this is asked for every publish.
  return text !== '' && /[%/\0]/.test(text) ? text.replace(/[%/\0]/g, encodeURIComponent) : text;
}
