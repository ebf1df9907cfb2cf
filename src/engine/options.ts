/** What a node is told at start. */
import type { NodeId } from '../base/ids.js';
import type { RuleConfig } from '../channels/rules.js';
import type { Principal } from './api.js';

export interface EngineOptions {
  readonly nodeId: NodeId;
  readonly version: string;
  readonly rules: RuleConfig;
  /** Whether clients without a token are served at all. */
  readonly anonymous: boolean;
  /** The principal of a token; `undefined` for one that is not valid. */
  verifyToken(token: string): Principal | undefined;
  readonly session: {
    readonly pingIntervalMs: number;
    readonly pongTimeoutMs: number;
    readonly authTimeoutMs: number;
    readonly messagesPerSecondMax: number;
  };
  readonly maintenanceIntervalMs: number;
}
