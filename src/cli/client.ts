/** The SDK for commands: a client that is connected, or a sentence why not. */
import { type Client, type ConnectOptions, RinglogError, connect } from '../client/index.js';
import { isErrorCode } from '../protocol/errors.js';
import { CommandError, exitCodeOfRefusal, exitCodes } from './exit-codes.js';
import { NodeHttp, refusal, unreachable } from './node-http.js';
import type { Target } from './target.js';
import { webSocketTrusting } from './trusting.js';

/** A command is started by hand: it says at once that nobody is there, and keeps trying only once it was connected. */
export async function connectedClient(
  target: Target,
  signal: AbortSignal,
  options: Pick<ConnectOptions, 'publisherId'> = {},
): Promise<Client> {
  const { url, hub, token, ca } = target;
  const client = connect({
    url,
    hub,
    ...(token !== undefined && { token }),
    ...(ca !== undefined && { webSocket: webSocketTrusting(ca) }),
    ...options,
  });
  const stop = () => void client.close({ timeoutMs: 0 });
  signal.addEventListener('abort', stop, { once: true });
  let off = () => {};
  const failed = new Promise<never>((_, reject) => {
    off = client.on('error', (error) => reject(commandErrorOf(error, target)));
  });
  try {
    await Promise.race([client.ready(), failed]);
    return client;
  } catch (error) {
    stop();
    const told = error instanceof RinglogError ? commandErrorOf(error, target) : error;
    throw (await certificateRefusal(target, told, signal)) ?? told;
  } finally {
    off();
  }
}

/** The SDK is told of a connection that failed, but not why. */
async function certificateRefusal(target: Target, error: unknown, signal: AbortSignal): Promise<unknown> {
  const isUnreachable = error instanceof CommandError && error.exitCode === exitCodes.unreachable;
  if (!isUnreachable || !target.url.startsWith('https:')) return undefined;
  return new NodeHttp(target, signal).ask('/healthz', {}).then(
    () => undefined,
    (found: unknown) => found,
  );
}

export function commandErrorOf(error: unknown, target: Target): unknown {
  if (!(error instanceof RinglogError)) return error;
  const { code, outcome, message } = error;
  if (code === 'UNREACHABLE') return unreachable(target);
  if (isErrorCode(code)) return refusal(target, exitCodeOfRefusal(code, outcome), code, message);
  const isOpen = outcome === 'indeterminate' || code === 'TIMEOUT' || code === 'QUEUE_FULL';
  return new CommandError(isOpen ? exitCodes.unavailable : exitCodes.failed, `${message} (${code})`);
}
