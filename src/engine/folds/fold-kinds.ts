/** The kinds of channels that come to something, by their names. */
import { kindOf } from '../../channels/kinds.js';
import type { ActiveChannel } from '../active-channel.js';
import type { Documents } from '../documents/documents.js';
import type { Notifications } from '../notifications/notifications.js';
import type { Folds } from './folds.js';

export class FoldKinds {
  constructor(
    readonly documents: Documents,
    readonly notifications: Notifications,
  ) {}

  of({ ref }: ActiveChannel): Folds<unknown> | undefined {
    const kind = kindOf(ref.channel);
    if (kind === 'document') return this.documents;
    return kind === 'notification' ? this.notifications : undefined;
  }
}
