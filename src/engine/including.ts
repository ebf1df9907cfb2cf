/** Reading what one wrote oneself: a page may be asked for from a log that holds a named entry, as an ack named it. */
import { type Dot, dotText } from '../base/ids.js';
import { planted } from '../base/planted.js';
import { type Result, err, ok } from '../base/result.js';
import type { LostRange } from '../log/entry.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { Scan } from './scan.js';

/** Fetches the entry from other homes if need be, and waits a moment for it to be committed. Answers with what is lost of
 *  it: nothing, or itself where no home has it any more. Error: UNAVAILABLE, never an older view. */
export async function included(scan: Scan, dot: Dot): Promise<Result<readonly LostRange[], Failure>> {
  if (isCommitted(scan, dot) || planted('own-writes-unheld')) return ok([]);
  if (scan.log.have(dot.writer) < dot.seq) {
    const fetched = await scan.fetch([dot]);
    if (fetched.type === 'lost') return ok([{ writer: dot.writer, fromSeq: dot.seq, toSeq: dot.seq }]);
  }
  await scan.settled();
  if (isCommitted(scan, dot)) return ok([]);
  const message = `This node does not have ${dotText(dot)} yet. Ask again in a moment.`;
  return err(failure('UNAVAILABLE', { channel: scan.ref.channel, message, retryAfterMs: 1000 }));
}

function isCommitted({ log }: Scan, { writer, seq }: Dot): boolean {
  return log.committedSeq(writer) >= seq;
}
