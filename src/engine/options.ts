/** What a node is told at start. */
import type { NodeId } from '../base/ids.js';
import type { RuleConfig } from '../channels/rules.js';
import type { Provider } from '../hubs/provider.js';
import type { Profile } from '../cluster/member.js';
import type { MembershipParameters } from '../cluster/parameters.js';
import type { Ring } from '../cluster/ring.js';
import type { Principal } from './api.js';

export interface EngineOptions {
  readonly nodeId: NodeId;
  readonly version: string;
  readonly rules: RuleConfig;
  /** Whether clients without a token are served at all. */
  readonly anonymous: boolean;
  /** Hubs can be made and set at run time; left out: the configuration is all there is. */
  readonly hubs?: {
    /** A hub nobody knows is made by whoever uses it first. */
    readonly createOnUse: boolean;
    /** Who says who clients are, of every hub whose settings do not name others. */
    readonly providers?: Readonly<Record<string, Provider>>;
  };
  /** The principal of a token; `undefined` for one that is not valid. */
  verifyToken(token: string): Principal | undefined;
  readonly session: {
    readonly pingIntervalMs: number;
    readonly pongTimeoutMs: number;
    readonly authTimeoutMs: number;
    readonly messagesPerSecondMax: number;
  };
  readonly maintenanceIntervalMs: number;
  /** Of documents kept folded in memory; left out: 128 MiB. */
  readonly documentCacheBytes?: number;
  /** Together with `EnginePorts.peers`: the node is one of a cluster. */
  readonly cluster?: ClusterOptions;
}

export interface ClusterOptions {
  /** The ring to begin with where the store holds none. */
  readonly ring: Ring;
  /** That ring is new: nobody holds anything of it yet. Else a store that knows no ring has lost what it held. */
  readonly isFounding: boolean;
  /** What this node says of itself; what it learns is filled in. */
  readonly profile: Omit<Profile, 'ringVersion' | 'settled'>;
  readonly membership: MembershipParameters;
  /** A majority lets a member go that was out of reach for so long; left out: never. */
  readonly expelAfterMs?: number;
  /** A home that is away keeps its owner from trimming what it has not got, for so long; left out: 24 hours. */
  readonly trimGraceMs?: number;
  /** Of this node's loop, 0 to 1: for what other homes catch up by, while publishes need it; left out: all of it. */
  readonly catchUpShare?: number;
  /** Peer addresses to try until somebody answers. */
  readonly seeds: readonly string[];
  /** Whether this node, as long as it is alone and holds nothing, joins the ring of nodes that are found. */
  readonly joinsOthers?: boolean;
}
