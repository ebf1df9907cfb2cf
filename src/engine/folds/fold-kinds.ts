/** The kinds of channels that come to something, by their names. */
import { type Result, err, ok } from '../../base/result.js';
import { kindOf } from '../../channels/kinds.js';
import type { ActiveChannel } from '../active-channel.js';
import type { Documents } from '../documents/documents.js';
import type { Notifications } from '../notifications/notifications.js';
import type { Failure } from '../../protocol/errors.js';
import type { Folds } from './folds.js';

export class FoldKinds {
  constructor(
    readonly documents: Documents,
    readonly notifications: Notifications,
  ) {}

  /** A bug that what one channel comes to runs into is told, and is that channel's alone: nothing else ends by it. */
  contained<T>(channel: ActiveChannel, use: () => T): Result<T, Failure> {
    try {
      return ok(use());
    } catch (error) {
      return err(this.documents.broken(channel.ref, error));
    }
  }

  of({ ref }: ActiveChannel): Folds<unknown> | undefined {
    const kind = kindOf(ref.channel);
    if (kind === 'document') return this.documents;
    return kind === 'notification' ? this.notifications : undefined;
  }
}
