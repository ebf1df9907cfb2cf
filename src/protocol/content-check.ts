/** The one walk over what a client publishes, with its faults as errors a client can act on. */
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { type ContentCheck, type ContentFault, checkContent } from '../log/entry-wire.js';
import { type Failure, failure } from './errors.js';

/** Expects an encoded `Content` of a client; what passes may be stored and sent to others as it is. */
export function checkPublishContent(content: Uint8Array, channel: string): Result<ContentCheck, Failure> {
  const checked = checkContent(content, 0, content.length, limits);
  return checked.ok ? ok(checked.value) : err(failureOf(checked.error, channel));
}

function failureOf(fault: ContentFault, channel: string): Failure {
  const details = channel === '' ? {} : { channel };
  return fault === 'too-large'
    ? failure('TOO_LARGE', details)
    : failure('INVALID', { ...details, message: sentences[fault] });
}

const sentences: Readonly<Record<Exclude<ContentFault, 'too-large'>, string>> = {
  malformed: 'The content is not a valid Content message, or one of its texts is not valid UTF-8.',
  'event-too-long': `"event" has more than ${limits.eventBytesMax} bytes.`,
  'content-type-too-long': `"contentType" has more than ${limits.contentTypeBytesMax} bytes.`,
  'too-many-headers': `There are more than ${limits.headersMax} headers.`,
  'headers-too-large': `The headers have more than ${limits.headersBytesMax} bytes.`,
};
