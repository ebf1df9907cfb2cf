/** Says what is wrong with the configuration and what to do, one sentence a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
