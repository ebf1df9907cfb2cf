/** Where readers begin while the log they read is replaced by another home's. */
import { expect, test } from 'vitest';
import { scanStart } from '../../src/engine/start-position.js';
import type { Scan } from '../../src/engine/scan.js';
import { encodeCursor } from '../../src/log/cursor.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { History, ref } from '../log/history.js';

test('a place is one of the log that is there when it was found', async () => {
  const history = History.run(3);
  const full = history.homes[0]!.log;
  let log = new ChannelLog(ref);
  const scan = {
    ref,
    logs: {} as Scan['logs'],
    get log() {
      return log;
    },
    // While the home is asked it goes away, and the next one has all.
    fetch: async () => {
      log = full;
      return { type: 'held' } as const;
    },
    settled: async () => undefined,
  };
  const start = await scanStart(scan, encodeCursor(ref, full.heads()));
  if (!start.ok) throw new Error(start.error.message);
  expect(start.value.log).toBe(full);
  expect(start.value.reader.heads(full)).toEqual(full.heads());
});
