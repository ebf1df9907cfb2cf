/** What is asked of hubs before something is published. */
import type { ChannelRef, HubName } from '../base/ids.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { PublishMessage } from '../protocol/messages.js';
import type { Principal } from './api.js';

export interface PublishingHubs {
  /** Why there are no rules of it. */
  missing(hub: HubName): Failure;
  /** Nothing more is written there. */
  isDeleted(hub: HubName): boolean;
  /** Why nobody can be written to in this channel of a user's or a group's. */
  recipient(ref: ChannelRef): Failure | undefined;
  /** Why no more is published to a channel that takes so much a second. */
  tooMany(ref: ChannelRef, principal: Principal, most: number): Failure | undefined;
  /** Why a channel that is not there yet cannot begin now. */
  tooManyNew(ref: ChannelRef): Failure | undefined;
  /** Why what is published has no signature of its author that counts. */
  unsigned(ref: ChannelRef, principal: Principal, message: PublishMessage): Failure | undefined;
}

/** Of a node that keeps nothing of them. */
export const unknownHubs: PublishingHubs = {
  missing: () => failure('HUB_NOT_FOUND'),
  isDeleted: () => false,
  recipient: () => undefined,
  tooMany: () => undefined,
  tooManyNew: () => undefined,
  unsigned: () => undefined,
};
