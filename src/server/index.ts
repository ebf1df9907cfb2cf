/** Ringlog in a process of one's own, for embedding and tests:
 *
 *      const server = await startServer({ data: './somewhere', listen: '127.0.0.1:0' });
 *      …
 *      await server.stop();
 */
import { type RunningServer, type ServerOptions, compose } from './compose.js';
import { loadConfig } from './config.js';

export type { BootStep, RunningServer, ServerOptions } from './compose.js';
export { type Config, ConfigError } from './config.js';

/** Settings by section, as in `ringlog.yaml`; the file and the environment are not read. It stays alone unless `join` says how
 *  others are found. Quiet unless `options.logDestination` is given. */
export async function startServer(values: object = {}, options: ServerOptions = {}): Promise<RunningServer> {
  const { config } = loadConfig({ file: false, values: { join: ['none'], ...values } });
  return compose(config, { logDestination: { write: () => {} }, ...options });
}
