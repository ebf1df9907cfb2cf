/** What is asked of a node's HTTP interface, for who needs no connection. */
import { isErrorCode, type Outcome } from '../protocol/errors.js';
import { RinglogError, ownError } from './error.js';

export interface HttpQuestion {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** JSON. */
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly timeoutMs: number;
}

/** The answer, as JSON. Rejects with RinglogError: with UNREACHABLE where no node answers, and then it is open whether what changes something was done. */
export async function askHttp(
  url: string,
  { method, path, query = {}, body, token, timeoutMs }: HttpQuestion,
): Promise<unknown> {
  const unanswered: Outcome = method === 'GET' ? 'rejected' : 'indeterminate';
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value));
  const parameters = asked.size > 0 ? `?${asked}` : '';
  let answer: Response;
  let value: unknown;
  try {
    answer = await fetch(`${url.replace(/\/+$/, '')}${path}${parameters}`, {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        ...(token === undefined ? undefined : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? undefined : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? undefined : { body: JSON.stringify(body) }),
    });
    value = await answer.json();
  } catch {
    throw ownError('UNREACHABLE', unanswered);
  }
  if (answer.ok) return value;
  const { code, detail, outcome, retryAfterMs } = (value ?? {}) as Partial<Record<string, never>>;
  if (typeof code !== 'string' || !isErrorCode(code)) throw ownError('UNREACHABLE', unanswered);
  throw new RinglogError({
    code,
    outcome: outcome ?? unanswered,
    message: detail ?? '',
    ...(retryAfterMs === undefined ? undefined : { retryAfterMs }),
  });
}
