/** The one place that knows where real input lies. It is not part of the project, so it may be missing. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { projectRoot } from './project-root.js';

const folder = resolve(projectRoot(), process.env['RINGLOG_TEST_DATA'] ?? '../shared/data');

/** The path of a file such as `irc/ubuntu.ndjson.gz`, or `undefined` where it is missing: then skip by name. */
export function testData(name: string): string | undefined {
  const path = join(folder, name);
  return existsSync(path) ? path : undefined;
}
