/** The node as its sessions see it. */
import type { HubName } from '../base/ids.js';
import type { Result } from '../base/result.js';
import type { Failure } from '../protocol/errors.js';
import type { Session } from '../sessions/session.js';
import type { PeopleAnswer, Principal } from './api.js';
import type { Core } from './core.js';
import type { Calls } from './hubs/calls.js';
import type { Quotas } from './hubs/quotas.js';
import type { PresenceService } from './presence/service.js';
import type { Publishing } from './publishing.js';
import type { Restoring } from './restoring/restoring.js';
import type { RulesOf } from './subscribing.js';

export interface Parts {
  readonly core: Core;
  readonly publishing: Publishing;
}

export interface SessionsNode {
  /** Everything needed to serve, while the node does. */
  serving(): Parts | undefined;
  /** The incarnation there is, also while it is being stopped. */
  core(): Core | undefined;
  storeFailed(error: unknown): void;
  /** Where clients find the other nodes that are there. */
  otherNodes(): readonly string[];
  readonly rulesOf: RulesOf;
  /** Whether clients that do not authenticate are served in the hub. */
  anonymousAllowed(hub: HubName): boolean;
  /** A token of the hub's own for whoever is here, where there can be one. */
  tokenOf(hub: HubName, principal: Session['principal']): string | undefined;
  /** Who a token stands for; a promise where somebody has to be asked. */
  identify(
    hub: HubName,
    token: string,
    sessionId: string,
  ): Result<Principal, Failure> | Promise<Result<Principal, Failure>>;
  people(session: Session, action: string, request: unknown): Promise<Result<PeopleAnswer, Failure>>;
  quotas(): Quotas;
  presence(): PresenceService;
  calls(): Calls;
  restoring(): Restoring;
  /** Why somebody who was let in has to go. */
  ended(hub: HubName, principal: Principal): Failure | undefined;
}
