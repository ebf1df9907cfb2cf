/** Processor times where the part of a load that counts begins and ends. */
import {
  machineProcessorSeconds,
  ownProcessorSeconds,
  processorSeconds,
} from '../processes/processor-time.js';
import type { LoadReport } from './jobs.js';

export class Meter {
  readonly #pid: number;
  #begin = { load: 0, server: 0 as number | undefined, machine: 0 as number | undefined };
  #end = this.#begin;

  constructor(pid: number) {
    this.#pid = pid;
  }

  readonly onEdge = (edge: 'begin' | 'end'): void => {
    const times = {
      load: ownProcessorSeconds(),
      server: processorSeconds(this.#pid),
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
