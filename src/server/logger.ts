/** Log lines: JSON on standard error, or whatever the caller does with them. Payloads and tokens never get here. */
import { type Logger, pino } from 'pino';
import type { Observation, Observer } from '../engine/ports.js';

export type { Logger } from 'pino';

export interface LogDestination {
  write(line: string): void;
}

export function createLogger(level: string, destination: LogDestination): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Nobody should log these; if somebody does, they stay out of the file.
      redact: ['token', '*.token', 'authorization', '*.authorization', 'ticket', '*.ticket'],
    },
    destination,
  );
}

export function loggingObserver(logger: Logger): Observer {
  return { observe: (observation) => log(logger, observation) };
}

function log(logger: Logger, observation: Observation): void {
  switch (observation.type) {
    case 'recovery-progress':
      logger.debug(observation, 'Recovering.');
      return;
    case 'recovered':
      logger.info(observation, 'The store is open.');
      return;
    case 'damage':
      logger.error(observation, 'Stored data is damaged.');
      return;
    case 'alarm':
      logger.warn(observation, observation.message);
      return;
    case 'store-failed':
      logger.error(observation, 'The store failed; it is opened anew.');
      return;
    case 'store-reopened':
      logger.warn(observation, 'The store is open again.');
      return;
    case 'node-failed':
      logger.fatal(observation, 'The node cannot go on.');
      return;
  }
}
