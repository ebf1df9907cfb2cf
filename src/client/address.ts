/** Addresses a person would write, as the address of a hub's WebSocket. */
import { parseHubName } from '../base/ids.js';
import { RinglogError } from './error.js';

/** Accepts `http`, `https`, `ws` and `wss`, with a path in front of the API or already at the WebSocket itself. Throws
 *  RinglogError: a wrong address is a mistake in the program, not a matter of the network. */
export function webSocketUrl(url: string, hub: string): string {
  const match = /^(?:http|ws)(s?):\/\/([^/?#]+)([^?#]*)$/i.exec(url);
  if (!match) throw invalid(`"${url}" is not an address such as http://localhost:8080.`);
  const [, secure = '', host = '', path = ''] = match;
  const prefix = path.replace(/\/+$/, '').replace(/\/v1\/hubs\/[^/]+\/ws$/, '');
  return `ws${secure.toLowerCase()}://${host}${prefix}/v1/hubs/${hub}/ws`;
}

/** The hub an address names, else the one given. */
export function hubOf(url: string, hub: string | undefined, fallback: string): string {
  const name = hub ?? /\/v1\/hubs\/([^/?#]+)\/ws\/*$/.exec(url)?.[1] ?? fallback;
  const parsed = parseHubName(name);
  if (!parsed.ok) throw invalid(parsed.error);
  return parsed.value;
}

function invalid(message: string): RinglogError {
  return new RinglogError({ code: 'INVALID', outcome: 'rejected', message });
}
