/** Ctrl-C ends a command that would go on for ever: with exit code 130, after what it holds is let go. */
import { CommandError, exitCodes } from './exit-codes.js';

/** Runs a command's body; its signal is aborted at the first interrupt, the second one ends the process at once. */
export async function untilInterrupted(body: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const interrupted = () => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    controller.abort();
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    await body(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
  if (controller.signal.aborted) throw new CommandError(exitCodes.interrupted, '');
}
