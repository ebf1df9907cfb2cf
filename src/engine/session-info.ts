/** What a client is told first of its session and of the node. */
import { limits } from '../base/limits.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import type { ServerMessage } from '../protocol/messages.js';
import { protocolVersion } from '../protocol/version.js';
import type { Session } from '../sessions/session.js';
import type { EngineOptions } from './options.js';

export function sessionInfoOf(
  { id, hub, principal }: Session,
  { nodeId, version, session }: EngineOptions,
  { anonymousAllowed, wallMs }: { readonly anonymousAllowed: boolean; readonly wallMs: number },
): ServerMessage {
  return {
    type: 'sessionInfo',
    sessionId: id,
    hub,
    nodeId,
    serverVersion: version,
    protocolVersion,
    authenticated: principal.authenticated,
    anonymousAllowed,
    pingIntervalMs: session.pingIntervalMs,
    messageBytesMax: limits.messageBytesMax,
    frameBytesMax: limits.frameBytesMax,
    subscriptionsMax: limits.subscriptionsPerSessionMax,
    time: timestampFromUnixMs(Math.floor(wallMs)),
  };
}
