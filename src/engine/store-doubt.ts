/** Why a node does not go on with its store as it is, though the disk works. */
import { type Observer, StoreFailedError } from './ports.js';

/** It forgot what the node said of it: it was rolled back, or a copy of it was used. Under another id, it counts for nothing
 *  before other homes gave back what is missing. */
export class StoreForgotError extends Error {
  override readonly name = 'StoreForgotError';

  constructor() {
    super(
      'The data directory is older than what this node has told others: it was restored from a backup or copied. It is brought up to date from the other nodes.',
    );
  }
}

/** Another process uses it, or a copy of it, under the same node id. */
export class StoreTwiceError extends Error {
  override readonly name = 'StoreTwiceError';

  constructor() {
    super(
      'Another process runs as this node on a copy of this data directory, and was there first. Stop one of the two: to keep that one, remove this directory or start with an empty one, as a node of its own.',
    );
  }
}

/** Of whatever ended an incarnation of the node's log. */
export function tellOf(error: unknown, message: string, observer: Observer): void {
  // The store has told of its own failure.
  if (error instanceof StoreFailedError) return;
  // Anything else is a bug.
  const code =
    error instanceof StoreForgotError
      ? 'STORE_ROLLED_BACK'
      : error instanceof StoreTwiceError
        ? 'STORE_TWICE'
        : 'INTERNAL';
  observer.observe({ type: 'alarm', code, message });
}
