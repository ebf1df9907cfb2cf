/** What membership asks for and tells; the shell and the engine make it happen. */
import type { NodeId } from '../base/ids.js';
import type { BootId, Profile } from './member.js';
import type { Packet, Sync } from './packet.js';

export type MembershipEffect =
  /** One datagram. */
  | { readonly type: 'send'; readonly address: string; readonly packet: Packet }
  /** Ask over a stream whether that node answers; if so, call `streamAnswered(seq)`. */
  | { readonly type: 'stream-probe'; readonly address: string; readonly node: NodeId; readonly seq: number }
  /** Ask the thread beside that node's loop how long ago the loop ran; if it says so, call `pulsed`. */
  | { readonly type: 'ask-pulse'; readonly node: NodeId }
  /** Exchange syncs over a stream with whoever is there, and give the answer to `receiveSync`. */
  | { readonly type: 'sync'; readonly address: string; readonly request: Sync }
  | RouteVerdict
  | LivenessVerdict
  | { readonly type: 'profile'; readonly node: NodeId; readonly profile: Profile }
  | MembershipAlarm
  /** The leave is told; the process may end. */
  | { readonly type: 'leave-complete' };

/** For routing: early, cheap to be wrong about, quickly taken back. */
export interface RouteVerdict {
  readonly type: 'route';
  readonly node: NodeId;
  readonly reachable: boolean;
}

/** For presence and alerts: late and sure. Neither verdict ever changes the ring. */
export interface LivenessVerdict {
  readonly type: 'liveness';
  readonly node: NodeId;
  /** The process it is about. */
  readonly boot: BootId;
  /** `restarted`: the boot before it is gone, though nobody saw it dead. `forgotten`: no longer tried. */
  readonly verdict: 'joined' | 'restarted' | 'recovered' | 'dead' | 'left' | 'forgotten';
}

export interface MembershipAlarm {
  readonly type: 'alarm';
  /** `identity-conflict`: another process goes on under this node's id (a cloned disk). `incarnation-jump`: somebody
   *  told an incarnation of `node` that is impossibly high. `members-full`: `node` is not taken in. */
  readonly code: 'identity-conflict' | 'incarnation-jump' | 'members-full';
  readonly node: NodeId;
}

export type Emit = (effect: MembershipEffect) => void;
