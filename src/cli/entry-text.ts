/** Entries for people: one line each. */
import { type Style, formatBytes, printable } from './terminal.js';

/** An entry as the node's JSON has it. */
export interface EntryJson {
  readonly id?: string;
  readonly time?: string;
  readonly kind?: string;
  readonly channel?: string;
  readonly actor?: string;
  readonly event?: string;
  readonly contentType?: string;
  readonly data?: unknown;
  readonly dataBase64?: string;
  readonly late?: boolean;
  readonly bytes?: number;
  readonly redacted?: boolean;
  readonly redacts?: string;
}

export interface LineOptions {
  readonly withChannel?: boolean;
  readonly withId?: boolean;
}

export function entryLine(style: Style, entry: EntryJson, options: LineOptions = {}): string {
  const parts = [
    style.dim((entry.time ?? '').replace('T', ' ').replace('Z', '')),
    options.withId && entry.id !== undefined ? style.dim(entry.id) : '',
    options.withChannel && entry.channel !== undefined ? style.cyan(printable(entry.channel)) : '',
    entry.kind !== undefined && entry.kind !== 'publish' ? style.yellow(`[${entry.kind}]`) : '',
    entry.late === true ? style.yellow('late') : '',
    entry.actor === undefined || entry.actor === '' ? '' : style.green(`${printable(entry.actor)}:`),
    entry.event === undefined || entry.event === '' ? '' : style.bold(printable(entry.event)),
    entry.redacted === true ? style.dim('redacted') : (entry.redacts ?? payloadText(entry)),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function payloadText({ data, dataBase64, contentType }: EntryJson): string {
  if (typeof data === 'string') return printable(data);
  if (data !== undefined) return printable(JSON.stringify(data));
  if (dataBase64 === undefined || dataBase64 === '') return '';
  const bytes = Math.floor((dataBase64.replace(/=+$/, '').length * 3) / 4);
  return `<${formatBytes(bytes)}${contentType === undefined ? '' : ` of ${printable(contentType)}`}>`;
}

export function gapLine(style: Style, gap: { readonly channel?: string; readonly reason?: string }): string {
  const sentences: Record<string, string> = {
    trimmed: 'entries were removed by retention',
    forced: 'entries were removed by force, read or not',
    damaged: 'entries cannot be read from this disk any more',
    lost: 'entries are on no node any more',
  };
  const what = sentences[gap.reason ?? ''] ?? 'entries are missing';
  return style.yellow(`gap: ${what}${gap.channel === undefined ? '' : ` in ${printable(gap.channel)}`}`);
}
