/** Who the server takes this client for, and when a new token is due so that it goes on being that. */
import { unixMsOf } from '../log/timestamp.js';
import type { AuthResult, SessionInfo } from '../protocol/messages.js';

export interface Identity {
  /** Left out for an anonymous client. */
  readonly user?: string;
  readonly authenticated: boolean;
  /** Channel patterns: what it may do beside what the channels' rules allow everybody. */
  readonly permissions: {
    readonly publish: readonly string[];
    readonly subscribe: readonly string[];
    /** Of methods that it may call. */
    readonly rpc: readonly string[];
    readonly delete: readonly string[];
  };
  /** What the hub's authentication provider says of it. */
  readonly metadata?: unknown;
  /** The server ends the session then, unless there is a new token. */
  readonly expiresAt?: Date;
  /** Of the hub's own, for its HTTP API and other connections: good for 15 minutes from the answer, and no longer than this. */
  readonly token?: string;
}

/** Of the time a token is good for, what passes before the next one is asked for. */
const renewedAfter = 0.8;
/** A token that could not be fetched is asked for again after this. */
const retryMs = 5_000;

export class IdentityKeeper {
  identity: Identity | undefined;
  /** By the client's own clock. */
  renewAtMs = Infinity;
  /** From the client's own clock to the server's. */
  #offsetMs = 0;

  greeted(session: SessionInfo, nowMs: number): void {
    this.#offsetMs = unixMsOf(session.time) - nowMs;
  }

  answered(answer: AuthResult, nowMs: number): void {
    const { actor, authenticated, publish = [], subscribe = [], rpc = [], metadata, expiresAt } = answer;
    const { delete: deletes = [], token } = answer;
    this.identity = {
      ...(actor === undefined ? {} : { user: actor }),
      authenticated,
      permissions: { publish, subscribe, rpc, delete: deletes },
      ...(metadata === undefined ? {} : { metadata: parsed(metadata) }),
      ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }),
      ...(token && { token }),
    };
    const leftMs = expiresAt === undefined ? Infinity : expiresAt - this.#offsetMs - nowMs;
    this.renewAtMs = nowMs + Math.max(0, leftMs * renewedAfter);
  }

  asked(nowMs: number): void {
    this.renewAtMs = nowMs + retryMs;
  }

  lost(): void {
    this.renewAtMs = Infinity;
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
