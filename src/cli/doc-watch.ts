/** `ringlog doc watch`: what comes to a document, in its order. */
import { toHex } from '../base/bytes.js';
import type { DocumentSnapshot, Message, Subscription } from '../client/index.js';
import { gapLine } from './entry-text.js';
import type { Output } from './output.js';
import { type Style, printable } from './terminal.js';

/** Until the subscription ends. */
export async function watchDocument(subscription: Subscription, output: Output): Promise<void> {
  const { style } = output.terminal;
  // Both come at their place: what was before them is printed.
  subscription.on('rebase', (state) => {
    void output.print(
      () => rebaseLine(style, state),
      () => rebaseJson(state),
    );
  });
  subscription.on('gap', (gap) => {
    const { channel, reason, ranges } = gap;
    void output.print(
      () => gapLine(style, gap),
      () => JSON.stringify({ gap: { channel, reason, ranges } }),
    );
  });
  for await (const message of subscription) {
    if (message.kind !== 'patch') continue;
    await output.print(
      () => changeLine(style, message),
      () => changeJson(message),
    );
  }
}

function changeLine(style: Style, { time, actor, late, bytes }: Message): string {
  const parts = [
    style.dim(time.toISOString().replace('T', ' ').replace('Z', '')),
    late ? style.yellow('late') : '',
    actor === undefined ? '' : style.green(`${printable(actor)}:`),
    printable(Buffer.from(bytes).toString()),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** The patch as it came: it is JSON, whatever its numbers. */
function changeJson({ id, time, actor, late, bytes }: Message): string {
  const about = JSON.stringify({ id, time, actor, ...(late && { late }) });
  return `${about.slice(0, -1)},"patch":${Buffer.from(bytes).toString()}}`;
}

function rebaseLine(style: Style, { version, voids, text }: DocumentSnapshot): string {
  const place = `version ${version}, ${voids} void`;
  return `${style.yellow(`rebase: changes came to stand in another order; it is now (${place})`)} ${printable(text)}`;
}

function rebaseJson({ version, voids, hash, cursor, text }: DocumentSnapshot): string {
  const about = JSON.stringify({ version, voids, hash: toHex(hash), cursor });
  return `{"rebase":${about.slice(0, -1)},"document":${text}}}`;
}
