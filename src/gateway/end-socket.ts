/** The last answer of a connection that is not served. */
import type { Duplex } from 'node:stream';
import { gatewayLimits } from './gateway-limits.js';

/** Writes and ends; what still comes in is thrown away until the other side ends too, or its time is up. */
export function endSocket(socket: Duplex, answer: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(answer);
  socket.resume();
  const late = setTimeout(() => socket.destroy(), gatewayLimits.lingerMs).unref();
  socket.once('close', () => clearTimeout(late));
}
