/** What a node says of itself and of a session, first of all. */
import { limits } from '../base/limits.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import type { SessionInfo } from '../protocol/messages.js';
import { protocolVersion } from '../protocol/version.js';
import type { Session } from '../sessions/session.js';
import type { EngineOptions } from './options.js';

export function sessionInfo(
  { nodeId, version, session: { pingIntervalMs } }: EngineOptions,
  { id, hub, principal }: Session,
  anonymousAllowed: boolean,
  wallMs: number,
): SessionInfo {
  return {
    type: 'sessionInfo',
    sessionId: id,
    hub,
    nodeId,
    serverVersion: version,
    protocolVersion,
    authenticated: principal.authenticated,
    anonymousAllowed,
    pingIntervalMs,
    messageBytesMax: limits.messageBytesMax,
    frameBytesMax: limits.frameBytesMax,
    subscriptionsMax: limits.subscriptionsPerSessionMax,
    time: timestampFromUnixMs(Math.floor(wallMs)),
  };
}
