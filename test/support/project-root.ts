/** The folder of the project, from its sources as well as from what is compiled into `dist-tools/`. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const above = dirname(folder);
    if (above === folder) throw new Error('this file is in no project: there is no package.json above it');
    folder = above;
  }
  return folder;
}
