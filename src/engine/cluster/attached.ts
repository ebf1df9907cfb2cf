/** What a node among others (cluster.ts) asks of the present incarnation of its log. */
import type { ChannelRef, Dot, NodeId } from '../../base/ids.js';
import type { Result } from '../../base/result.js';
import type { RunSummary } from '../../log/run.js';
import type { Frame } from '../../replication/messages.js';
import type { Replica } from '../../replication/replica.js';
import type { VerifyOptions, VerifyReport } from '../api.js';
import type { Fetched } from '../ordering.js';
import type { ChannelMessage } from './peer-messages.js';
import type { PendingPublish } from '../pending.js';
import type { ProofPage, ProofRefusal, ProofRequest } from './proof.js';
import type { IntervalHolder } from './rings.js';

/** What of an incarnation hears from other nodes. */
export interface Attached extends IntervalHolder {
  frame(peer: NodeId, frame: Frame): void;
  received(peer: NodeId, message: ChannelMessage): void;
  linked(peer: NodeId): void;
  unlinked(peer: NodeId): void;
  want(interval: string, wanted: boolean): void;
  /** Who acts, or can be reached, has changed. */
  rerouted(): void;
  giveBack(pending: PendingPublish, ref: ChannelRef): void;
  synced(ref: ChannelRef, run: RunSummary, bytes: Uint8Array): void;
  committed(ref: ChannelRef, dot: Dot): void;
  tip(ref: ChannelRef, dot: Dot): void;
  isFollowed(ref: ChannelRef): boolean;
  fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched>;
  verify(options: VerifyOptions): Promise<VerifyReport>;
  /** How long ago all that both hold was compared with that node, and whether nothing differed. */
  compared(node: NodeId): { readonly agoMs: number; readonly equal: boolean } | undefined;
  prove(request: ProofRequest): Promise<Result<ProofPage, ProofRefusal>>;
  readonly replica: Replica;
  /** Once everything taken in so far is written. */
  holdsNothing(): Promise<boolean>;
  /** Whether the channel is in memory as another home told of it. */
  isMirrored(ref: ChannelRef): boolean;
}
