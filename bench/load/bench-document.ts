/** The document that the bench changes: an object of cells that are replaced in turn, so that what it must be in the end is
 *  known from how many changes there were. */
import { randomBytes } from 'node:crypto';
import { utf8 } from '../../src/base/bytes.js';

const cells = 512;
/** Changes are prepared as a circle of these (`RinglogSpeaker`). */
const circle = 2_048;
const documentBytes = 60_000;

const cellOf = (change: number) => `c${(change % cells).toString().padStart(3, '0')}`;
/** Begins the value that a change sets. */
const markOf = (change: number) => `${change % circle}:`;

/** Takes the place of what a cell had; exactly so many bytes. */
export function patchOf(change: number, bytes: number): Uint8Array {
  return utf8(patchText(change, filled(markOf(change), valueBytes(bytes))));
}

function patchText(change: number, value: string): string {
  return JSON.stringify([{ op: 'replace', path: `/cells/${cellOf(change)}`, value }]);
}

const valueBytes = (patchBytes: number) => patchBytes - patchText(0, '').length;

function filled(text: string, length: number): string {
  return (text + randomBytes(length).toString('base64')).slice(0, length);
}

interface BenchDocument {
  readonly cells: Readonly<Record<string, string>>;
}

export class DocumentOfNode {
  readonly #url: string;

  constructor(url: string, channel: string) {
    this.#url = `${url}/v1/hubs/default/channels/${encodeURIComponent(channel)}/document`;
  }

  /** With all cells, and as much text beside them as makes `documentBytes`. */
  async begin(patchBytes: number): Promise<void> {
    const value = filled('', valueBytes(patchBytes));
    const all = Object.fromEntries(Array.from({ length: cells }, (_, i) => [cellOf(i), value]));
    const bare = JSON.stringify({ cells: all, rest: '' }).length;
    await this.set(JSON.stringify({ cells: all, rest: filled('', Math.max(0, documentBytes - bare)) }));
  }

  /** By one change. */
  async set(json: string): Promise<void> {
    const answer = await fetch(this.#url, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json-patch+json' },
      body: `[{"op":"replace","path":"","value":${json}}]`,
    });
    if (!answer.ok) throw new Error(`${this.#url}: ${answer.status} ${await answer.text()}`);
  }

  async read(): Promise<{ readonly json: string; readonly version: number }> {
    const answer = await fetch(this.#url);
    const json = await answer.text();
    if (!answer.ok) throw new Error(`${this.#url}: ${answer.status} ${json}`);
    return { json, version: Number(answer.headers.get('x-ringlog-version')) };
  }

  /** Throws where a change is missing, counted twice or in another place than its own. `last`: changes since the circle began. */
  async verify(changes: number, last: number): Promise<void> {
    const { json, version } = await this.read();
    if (version !== changes + 1) throw new Error(`version ${version} after ${changes} changes and the first`);
    const document = JSON.parse(json) as BenchDocument;
    for (let change = Math.max(0, last - cells); change < last; change++) {
      const value = document.cells[cellOf(change)];
      if (!value?.startsWith(markOf(change)))
        throw new Error(`${cellOf(change)} is ${value}, not what change ${change} of ${last} made it`);
    }
  }
}
