/** A fold as an entry's content, so that nobody has to begin at the first entry: the document in canonical form, with
 *  version and voids as headers. It says what the order before it gives, and so only counts where its entry is on the
 *  primary chain: there nothing comes between later (log/order.ts). */
import { utf8 } from '../base/bytes.js';
import type { Content } from '../log/entry.js';
import { Fault } from './faults.js';
import { type Fold, foldVersion } from './fold.js';
import { readJson } from './json-reader.js';
import { canonical } from './value.js';

export function snapshotOf({ document, version, voids }: Fold): Content {
  return {
    contentType: 'application/json',
    payload: utf8(canonical(document)),
    headers: new Map([
      ['version', String(version)],
      ['voids', String(voids)],
      ['fold', String(foldVersion)],
    ]),
  };
}

/** `undefined` for what is none, or one of another fold. */
export function readSnapshot({ payload, headers }: Content): Fold | undefined {
  const version = countIn(headers?.get('version'));
  const voids = countIn(headers?.get('voids'));
  if (version === undefined || voids === undefined || headers?.get('fold') !== String(foldVersion))
    return undefined;
  const document = readJson(payload);
  return document instanceof Fault ? undefined : { document, version, voids };
}

function countIn(text: string | undefined): number | undefined {
  return text !== undefined && /^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined;
}
