/** Many channels of one node that are all listened to, each with one entry: plain ones, or documents with one change. */
import { limits } from '../../src/base/limits.js';
import { utf8 } from '../../src/base/bytes.js';
import { Link } from '../../src/cli/bench/link.js';
import { RinglogListener } from '../../src/cli/bench/ringlog-conversation.js';
import { within } from '../../src/cli/bench/within.js';
import { DocumentOfNode } from './bench-document.js';
import { fill } from './fill.js';
import type { ManyJob } from './jobs.js';

const hub = 'default';
const perFrame = 16;
const inFlight = 512;
const deliveryLimitMs = 120_000;
/** Documents that are read in the end. */
const looked = 50;

const patch = (value: string) => utf8(JSON.stringify([{ op: 'add', path: '/text', value }]));

export class ManyChannels {
  readonly #job: ManyJob;
  readonly #links: Link<RinglogListener>[] = [];
  #made = 0;

  constructor(job: ManyJob) {
    this.#job = job;
  }

  /** Resolves when each has its entry, and everybody has it who listens. */
  async more(count: number): Promise<void> {
    const { url, kind, payloadBytes } = this.#job;
    const prefix = kind === 'documents' ? 'doc:' : 'bench:';
    const channels = Array.from({ length: count }, () => `${prefix}many-${this.#made++}`);
    let missing = count;
    let done = () => {};
    let fail: (error: Error) => void = () => {};
    const delivered = new Promise<void>((resolve, reject) => {
      done = resolve;
      fail = reject;
    });
    delivered.catch(() => {});
    const events = {
      taken: (entries: number) => {
        missing -= entries;
        if (missing === 0) done();
        else if (missing < 0) fail(new Error(`${-missing} entries more were delivered than were published`));
      },
      turn() {},
      failed: (error: Error) => fail(error),
    };
    for (let i = 0; i < count; i += limits.subscriptionsPerSessionMax) {
      const [first, ...others] = channels.slice(i, i + limits.subscriptionsPerSessionMax);
      this.#links.push(await Link.open(new RinglogListener({ url, hub }, [first!, ...others]), events));
    }
    const text = 'x'.repeat(payloadBytes - patch('').length);
    const patchOf = kind === 'documents' ? { patchOf: () => patch(text) } : {};
    const entries = Math.ceil(count / perFrame) * perFrame;
    if (entries !== count) throw new Error(`${count} is no multiple of ${perFrame}`);
    await fill({ url, hub, channels, entries, perFrame, inFlight, payloadBytes, ...patchOf });
    await within(delivered, deliveryLimitMs, `the delivery of ${missing} entries`);
    if (kind === 'documents') await this.#verify(channels, JSON.stringify({ text }));
  }

  async #verify(channels: readonly string[], expected: string): Promise<void> {
    const step = Math.ceil(channels.length / looked);
    for (let i = 0; i < channels.length; i += step) {
      const { json, version } = await new DocumentOfNode(this.#job.url, channels[i]!).read();
      if (version !== 1 || json !== expected)
        throw new Error(`${channels[i]} is ${json} at version ${version}, not ${expected}`);
    }
  }
}
