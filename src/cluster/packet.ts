/** What members send each other: packets over UDP, syncs over a stream. Their wire form: membership-wire.ts. */
import type { NodeId } from '../base/ids.js';
import type { BootId, Statement } from './member.js';

export type Message =
  /** Answer with an ack of the same number. */
  | { readonly type: 'ping'; readonly seq: number }
  | { readonly type: 'ack'; readonly seq: number }
  /** The one asked to probe has had no answer so far, but is there itself. */
  | { readonly type: 'nack'; readonly seq: number }
  /** Probe the target for me. It is named, not addressed: nobody can be made to send packets elsewhere. */
  | { readonly type: 'ping-request'; readonly seq: number; readonly target: NodeId }
  /** Nothing but news. */
  | { readonly type: 'gossip' };

/** What every packet and sync says of its sender: the sender's own word, as trustworthy as the transport's keys. */
export interface Sender {
  readonly from: NodeId;
  readonly boot: BootId;
  readonly incarnation: number;
}

export interface Packet extends Sender {
  /** Whoever else gets it drops it: addresses are used again. */
  readonly to: NodeId;
  readonly message: Message;
  readonly news: readonly Statement[];
}

/** Everything one side knows, itself included. A request is answered with one from the other side. */
export interface Sync extends Sender {
  readonly statements: readonly Statement[];
}
