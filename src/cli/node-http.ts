/** Questions to a node's HTTP interface; what goes wrong becomes a sentence and an exit code. */
import { type Outcome, isErrorCode } from '../protocol/errors.js';
import { CommandError, exitCodeOfRefusal, exitCodes } from './exit-codes.js';
import type { Target } from './target.js';
import { certificateCode, fetchTrusting } from './trusting.js';

export type Parameters = Readonly<Record<string, string | number | undefined>>;

/** What is asked of a path. */
interface Question {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly parameters?: Parameters;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export class NodeHttp {
  constructor(
    readonly target: Target,
    readonly signal: AbortSignal,
  ) {}

  async json(path: string, parameters: Parameters = {}): Promise<unknown> {
    return this.#read(await this.ask(path, { parameters }));
  }

  async post(path: string, body: object): Promise<unknown> {
    return this.#read(await this.ask(path, { method: 'POST', ...jsonBody(body) }));
  }

  /** Without a value there is no body. */
  async put(path: string, value?: unknown): Promise<unknown> {
    return this.#read(await this.ask(path, { method: 'PUT', ...jsonBody(value) }));
  }

  async delete(path: string): Promise<unknown> {
    return this.#read(await this.ask(path, { method: 'DELETE' }));
  }

  #read(answer: Response): Promise<unknown> {
    return answer.json().catch((error: unknown) => {
      throw this.failure(error);
    });
  }

  /** Each line of an NDJSON answer as it comes; the empty lines of a quiet tail are left out. */
  async *lines(path: string, parameters: Parameters = {}): AsyncGenerator<string> {
    const answer = await this.ask(path, { parameters });
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of answer.body!) {
        const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line !== '') yield line;
      }
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** The answer, where it is none of an error. */
  async ask(path: string, question: Question): Promise<Response> {
    const { url, token, ca } = this.target;
    const { method = 'GET', parameters = {}, headers, body } = question;
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) query.set(name, String(value));
    }
    const address = `${url}${path}${query.size > 0 ? `?${query}` : ''}`;
    let answer: Response;
    try {
      const init = {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body !== undefined && { body }),
        signal: this.signal,
      };
      answer = await (ca === undefined ? fetch(address, init) : fetchTrusting(ca, address, init));
    } catch (error) {
      throw this.failure(error);
    }
    if (!answer.ok) throw await this.#refusal(answer);
    return answer;
  }

  failure(error: unknown): unknown {
    if (error instanceof CommandError || this.signal.aborted) return error;
    const code = certificateCode(error);
    return code === undefined ? unreachable(this.target) : untrusted(this.target, code);
  }

  async #refusal(answer: Response): Promise<CommandError> {
    const problem = (await answer.json().catch(() => ({}))) as {
      detail?: string;
      code?: string;
      outcome?: Outcome;
    };
    const { code, outcome, detail = '' } = problem;
    if (code === undefined || !isErrorCode(code)) {
      const message = `What answers at ${this.target.url} is not a Ringlog node (${answer.status}).`;
      return new CommandError(exitCodes.failed, message);
    }
    return refusal(this.target, exitCodeOfRefusal(code, outcome), code, detail);
  }
}

function jsonBody(value: unknown): Pick<Question, 'headers' | 'body'> {
  if (value === undefined) return {};
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

/** A failure of the catalogue for people, with what to do where the command line has an answer. */
export function refusal(target: Target, exitCode: number, code: string, message: string): CommandError {
  const mayNeedToken = code === 'UNAUTHENTICATED' || (code === 'DENIED' && target.token === undefined);
  const hint = mayNeedToken
    ? '\nGive a token with --token-file <data directory>/admin-token, or in RINGLOG_TOKEN.'
    : '';
  return new CommandError(exitCode, `${message} (${code})${hint}`);
}

function untrusted({ url }: Target, code: string): CommandError {
  return new CommandError(
    exitCodes.unreachable,
    `The certificate of ${url} is not trusted (${code}). Name it with --ca-file, such as tls-cert.pem of the node's data directory.`,
  );
}

export function unreachable({ url }: Target): CommandError {
  return new CommandError(
    exitCodes.unreachable,
    `No node answers at ${url}: start one with \`npx ringlog start\`, or name another with --url.`,
  );
}
