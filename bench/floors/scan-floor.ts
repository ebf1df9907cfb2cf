/** Reads all segments of a store and checks every commit, and nothing else: what recovery cannot do without. */
import { join } from 'node:path';
import { lineageSeed } from '../../src/storage/commit-format.js';
import { nodeFiles } from '../../src/storage/node-files.js';
import { RefCache } from '../../src/log/run-reader.js';
import { scanSegment } from '../../src/storage/scan.js';
import { parseSegmentHeader, segmentHeaderBytes } from '../../src/storage/segment-format.js';
import { ownProcessorSeconds } from '../processes/processor-time.js';
import { serveJobs } from '../processes/worker.js';

/** The data directory of a node that does not run. */
export interface ScanJob {
  readonly dataPath: string;
}

export interface ScanResult {
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly bytes: number;
  readonly commits: number;
  readonly runs: number;
  readonly entries: number;
  /** Stretches that are no whole commit, the end of the log aside. */
  readonly damages: number;
}

serveJobs<ScanJob, ScanResult>(async ({ dataPath }) => {
  const files = nodeFiles();
  const directory = join(dataPath, 'store', 'segments');
  const counts = { bytes: 0, commits: 0, runs: 0, entries: 0, damages: 0 };
  const cache = new RefCache();
  const processorBefore = ownProcessorSeconds();
  const begun = performance.now();
  for (const name of await files.list(directory)) {
    const file = await files.open(join(directory, name), 'read');
    const page = new Uint8Array(segmentHeaderBytes);
    await file.read(page, 0);
    const header = parseSegmentHeader(page);
    // A file made ahead of its first commit has none.
    if (header.ok) {
      const { number, generation, lineage } = header.value;
      const size = await file.size();
      const read = (into: Uint8Array, position: number) => file.read(into, position);
      const source = { number, generation, size, read };
      for await (const items of scanSegment(source, segmentHeaderBytes, lineageSeed(lineage), cache)) {
        for (const item of items) {
          if (item.type === 'damage') counts.damages++;
          if (item.type !== 'commit') continue;
          counts.commits++;
          counts.runs += item.runs.length;
          counts.entries += item.header.entryCount;
          counts.bytes += item.length;
        }
      }
    }
    await file.close();
  }
  const processorSeconds = ownProcessorSeconds() - processorBefore;
  return { ...counts, processorSeconds, seconds: (performance.now() - begun) / 1_000 };
});
