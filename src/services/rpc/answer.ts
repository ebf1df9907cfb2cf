/** What a service answered: it is somebody else's program, and what it says is checked like anything from outside. */
import { utf8 } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { payloadFromJson } from '../../protocol/content-json.js';
import { type Failure, failure } from '../../protocol/errors.js';
import { JsonMembers, isJsonObject } from '../../protocol/json-members.js';
import { JsonSource, compact, isNestedWithin } from '../../protocol/json-text.js';
import type { RpcAnswer } from '../../protocol/messages.js';

/** A sentence for the operator where it is none. */
export function answerFrom(body: string): Result<RpcAnswer, Failure> | string {
  const value = isNestedWithin(limits.jsonDepthMax, utf8(body)) ? parsed(body) : undefined;
  if (!isJsonObject(value)) return 'its answer is no JSON object';
  const members = new JsonMembers(value);
  if ((members.get('error') ?? null) !== null) return refusalFrom(members);
  const given = members.text('contentType', limits.contentTypeBytesMax) ?? '';
  const dataText = () => compact(new JsonSource(body).member('data').text);
  const { payload, type } = payloadFromJson(members, given, dataText);
  if (members.problem !== undefined) return `its answer is not right: ${members.problem}`;
  // It becomes a header of HTTP.
  if (!/^[\x20-\x7e]*$/.test(type)) return 'its answer has a "contentType" that is none';
  return ok({ payload, ...(type === '' ? {} : { contentType: type }) });
}

/** Its own words go on under a code that is none of the service's. */
function refusalFrom(members: JsonMembers): Result<RpcAnswer, Failure> | string {
  const error = members.child('error');
  const given = error?.get('code');
  const code = typeof given === 'number' ? String(given) : given;
  if (!error || typeof code !== 'string' || !isCode(code)) return 'its answer has an "error" without a code';
  const message = error.text('message') ?? '';
  if (error.problem !== undefined) return `its answer is not right: ${error.problem}`;
  const said = message
    .replaceAll(/\p{Cc}+/gu, ' ')
    .slice(0, limits.refusalMessageCharactersMax)
    .replace(/\p{Surrogate}$/u, '');
  return err(failure('CALL_REFUSED', { reason: code, ...(said === '' ? {} : { message: said }) }));
}

const isCode = (text: string) => /^[\x21-\x7e]+$/.test(text) && text.length <= limits.refusalCodeBytesMax;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
