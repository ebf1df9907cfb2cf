/** Makes a document what it was, for the version alone that is known: what others change meanwhile is not taken back unseen. */
import { diff } from '../documents/diff.js';
import { Fault } from '../documents/faults.js';
import type { Json } from '../documents/value.js';
import type { PatchOperation } from './documents.js';
import { errorOf } from './document-error.js';
import { RinglogError } from './error.js';
import type { Platform } from './platform.js';
import type { Published } from './published.js';

const attempts = 5;
/** What moved the version comes within that, where nothing is in the way. */
const versionMs = 2_000;

export interface Reverted {
  readonly channel: string;
  readonly platform: Platform;
  /** What is shown, and of which version of the order. */
  shown(): { readonly view: Json; readonly version: number };
  /** Resolves when no own change is on its way. */
  settled(): Promise<void>;
  /** Calls at the next change. Returns what ends that. */
  onChange(listener: () => void): () => void;
  change(operations: readonly PatchOperation[], ifVersion: number): Promise<Published>;
}

/** `undefined` where it is that. Again where somebody was first, a few times. */
export async function revert(document: Reverted, then: Json): Promise<Published | undefined> {
  for (let left = attempts - 1; ; left--) {
    await document.settled();
    const { version, view } = document.shown();
    const patch = diff(view, then);
    if (patch instanceof Fault) throw errorOf(document.channel, patch);
    if (patch === '[]') return undefined;
    try {
      return await document.change(JSON.parse(patch) as PatchOperation[], version);
    } catch (error) {
      const isMoved = error instanceof RinglogError && error.code === 'VERSION_MISMATCH';
      if (!isMoved || left === 0) throw error;
      if (document.shown().version === version) await changed(document);
    }
  }
}

function changed(document: Reverted): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      end();
      resolve();
    };
    const cancel = document.platform.after(versionMs, done);
    const end = document.onChange(done);
  });
}
