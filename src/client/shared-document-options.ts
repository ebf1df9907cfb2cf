/** How a document that several hold is opened, and what it tells. */
import type { DocumentOptions } from './documents.js';
import type { RinglogError } from './error.js';

export interface SharedDocumentEvents {
  /** The value is another one: by whom, and at which version of the order. */
  readonly change: { readonly version: number; readonly isOwn: boolean };
  /** An own change was taken back: it was refused, or, after it was acknowledged below quorum (the error has its id), is void
   *  where the order has it in the end, or LOST. */
  readonly refused: RinglogError;
  /** See `isTentative`: told when that changes. */
  readonly tentative: boolean;
  /** The end, for a reason. */
  readonly error: RinglogError;
}

export interface SharedDocumentOptions<T> {
  /** Makes a value of the type, or throws; without it any JSON is one. Own changes are held to it before they are sent. */
  readonly parse?: (value: unknown) => T;
  /** Begins with what the document was then, and plays what changed it since, change by change, up to now. */
  readonly at?: DocumentOptions['at'];
}
