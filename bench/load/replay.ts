/** Reads a channel from its beginning: by walking frames, or with the SDK as an application does. */
import { connect } from 'ringlog/client';
import { Link } from '../../src/cli/bench/link.js';
import { RinglogListener } from '../../src/cli/bench/ringlog-conversation.js';
import { within } from '../../src/cli/bench/within.js';

export type ReplayReader = 'raw' | 'sdk-listener' | 'sdk-iterator';

export interface Replay {
  readonly url: string;
  readonly hub: string;
  readonly channel: string;
  readonly entries: number;
  readonly onEdge: (edge: 'begin' | 'end') => void;
}

const replayLimitMs = 600_000;

/** Resolves with the seconds from asking to the last entry; rejects when one is missing or twice. */
export async function replay(reader: ReplayReader, options: Replay): Promise<number> {
  const read = { raw: readRaw, 'sdk-listener': readBySdkListener, 'sdk-iterator': readBySdkIterator }[reader];
  options.onEdge('begin');
  const begun = performance.now();
  await within(read(options), replayLimitMs, `reading ${options.entries} entries`);
  const seconds = (performance.now() - begun) / 1_000;
  options.onEdge('end');
  return seconds;
}

async function readRaw({ url, hub, channel, entries }: Replay): Promise<void> {
  const listener = new RinglogListener({ url, hub }, [channel], { type: 'beginning' });
  let count = 0;
  let done = () => {};
  let fail: (error: Error) => void = () => {};
  const finished = new Promise<void>((resolve, reject) => {
    done = resolve;
    fail = reject;
  });
  const link = await Link.open(listener, {
    taken(more) {
      count += more;
      if (count === entries) done();
      else if (count > entries) fail(new Error(`${count} entries came, of ${entries}`));
    },
    turn() {},
    failed: fail,
  });
  await finished.finally(() => link.close());
}

async function readBySdkListener({ url, hub, channel, entries }: Replay): Promise<void> {
  const client = connect({ url, hub });
  try {
    await new Promise<void>((resolve, reject) => {
      let count = 0;
      const subscription = client.subscribe(channel, {
        start: 'beginning',
        onEntry(message) {
          count++;
          if (message.bytes.length === 0) reject(new Error('an entry came without its payload'));
          if (count === entries) resolve();
        },
      });
      subscription.on('error', reject);
    });
  } finally {
    await client.close({ timeoutMs: 0 });
  }
}

async function readBySdkIterator({ url, hub, channel, entries }: Replay): Promise<void> {
  const client = connect({ url, hub });
  try {
    let count = 0;
    for await (const message of client.subscribe(channel, { start: 'beginning' })) {
      if (message.bytes.length === 0) throw new Error('an entry came without its payload');
      if (++count === entries) return;
    }
    throw new Error(`the subscription ended after ${count} entries of ${entries}`);
  } finally {
    await client.close({ timeoutMs: 0 });
  }
}
