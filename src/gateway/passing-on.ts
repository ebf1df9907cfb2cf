/** What only the node itself can answer is passed on to it by the processes that serve clients in its place. */
import { type IncomingMessage, type ServerResponse, request as ask } from 'node:http';
import { isLoopback } from '../base/loopback.js';
import { failure } from '../protocol/errors.js';
import { problemHeaders, problemOf } from './problem.js';

type Handler = (request: IncomingMessage, response: never) => void;

const passed = ['/v1/admin/', '/metrics', '/readyz', '/v1/openapi.json'];

type Headers = Readonly<Record<string, string>>;

/** The handler itself where there is nobody to pass anything on to. `more`: headers of the answers. */
export function passingOn(url: string | undefined, handler: Handler, more: Headers = {}): Handler {
  if (url === undefined) return handler;
  return (request, response) => {
    const path = request.url ?? '';
    if (passed.some((each) => path.startsWith(each))) passOn(url, request, response as ServerResponse, more);
    else handler(request, response);
  };
}

function passOn(url: string, request: IncomingMessage, response: ServerResponse, more: Headers): void {
  const { method, headers, socket } = request;
  const remote = socket.remoteAddress ?? '';
  // What this machine may ask without a token must not be asked through it.
  const forwarded = isLoopback(remote) ? {} : { 'x-forwarded-for': remote };
  const outgoing = ask(new URL(request.url!, url), { method, headers: { ...headers, ...forwarded } });
  outgoing.on('response', (incoming) => {
    response.writeHead(incoming.statusCode ?? 502, { ...incoming.headers, ...more });
    incoming.pipe(response);
  });
  outgoing.on('error', () => {
    if (response.headersSent) return void response.destroy();
    const unavailable = failure('UNAVAILABLE', { retryAfterMs: 1_000 });
    response.writeHead(503, { ...problemHeaders(unavailable), ...more });
    response.end(JSON.stringify(problemOf(unavailable, '')));
  });
  response.on('close', () => outgoing.destroy());
  request.pipe(outgoing);
}
