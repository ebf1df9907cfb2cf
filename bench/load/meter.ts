/** Processor times where the part of a load that counts begins and ends. */
import {
  machineProcessorSeconds,
  ownProcessorSeconds,
  processorSecondsOf,
} from '../processes/processor-time.js';
import type { LoadReport } from './jobs.js';

export class Meter {
  readonly #pids: readonly number[];
  #begin = { load: 0, server: 0 as number | undefined, machine: 0 as number | undefined };
  #end = this.#begin;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
  }

  readonly onEdge = (edge: 'begin' | 'end'): void => {
    const times = {
      load: ownProcessorSeconds(),
      server: processorSecondsOf(this.#pids),
      machine: machineProcessorSeconds(),
    };
    if (edge === 'begin') this.#begin = times;
    else this.#end = times;
  };

  read(): Pick<LoadReport, 'loadSeconds' | 'serverSeconds' | 'machineSeconds'> {
    const [begin, end] = [this.#begin, this.#end];
    return {
      loadSeconds: end.load - begin.load,
      ...(end.server !== undefined && { serverSeconds: end.server - begin.server! }),
      ...(end.machine !== undefined && { machineSeconds: end.machine - begin.machine! }),
    };
  }
}
