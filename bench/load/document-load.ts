/** Loads of documents: changes of one, and many that are listened to at once. */
import { runPublishLoad } from '../../src/cli/bench/publish-load.js';
import { RinglogSpeaker } from '../../src/cli/bench/ringlog-conversation.js';
import { ownProcessorSeconds } from '../processes/processor-time.js';
import { DocumentOfNode, patchOf } from './bench-document.js';
import { fill } from './fill.js';
import type { FillDocumentJob, LoadReport, ManyJob, PatchJob } from './jobs.js';
import { ManyChannels } from './many-channels.js';
import { Meter } from './meter.js';

const hub = 'default';

/** A document of its own; at the end it is what all changes make of it. */
export async function patchDocument(job: PatchJob, channel: string): Promise<LoadReport> {
  const { url, inFlight, payloadBytes, warmUpMs, measureMs } = job;
  const document = new DocumentOfNode(url, channel);
  await document.begin(payloadBytes);
  const speaker = new RinglogSpeaker(
    { url, hub },
    {
      channels: [channel],
      publishesPerFrame: 1,
      payloadBytes,
      inFlight,
      patchOf: (change) => patchOf(change, payloadBytes),
    },
  );
  const meter = new Meter(job.serverPids);
  const { onEdge } = meter;
  const result = await runPublishLoad({ speakers: [speaker], inFlight, warmUpMs, measureMs, onEdge });
  await document.verify(result.operationsInAll, result.operationsInAll);
  return { ...result, inFlight, ...meter.read() };
}

/** More changes of a document that is there. */
export async function fillDocument({ url, channel, ...job }: FillDocumentJob): Promise<LoadReport> {
  const { changes, perFrame, inFlight, payloadBytes } = job;
  const patch = (change: number) => patchOf(change, payloadBytes);
  return await reported(changes, () =>
    fill({
      url,
      hub,
      channels: [channel],
      entries: changes,
      perFrame,
      inFlight,
      payloadBytes,
      patchOf: patch,
    }),
  );
}

let many: ManyChannels | undefined;

/** Listens to so many more channels, and publishes to each once. */
export async function loadMany(job: ManyJob): Promise<LoadReport> {
  many ??= new ManyChannels(job);
  const { channels } = job;
  return await reported(channels, () => many!.more(channels));
}

async function reported(operations: number, work: () => Promise<void>): Promise<LoadReport> {
  const processorBefore = ownProcessorSeconds();
  const begun = performance.now();
  await work();
  const seconds = (performance.now() - begun) / 1_000;
  const loadSeconds = ownProcessorSeconds() - processorBefore;
  return { operations, operationsInAll: operations, seconds, inFlight: 0, loadSeconds };
}
