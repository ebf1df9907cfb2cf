/** The version of this package, from its manifest: sources and built files lie at different depths below it. */
import { readFileSync } from 'node:fs';

export function packageVersion(): string {
  for (let folder = new URL('.', import.meta.url); folder.pathname !== '/'; folder = new URL('..', folder)) {
    try {
      const manifest = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (manifest.name === 'ringlog' && manifest.version) return manifest.version;
    } catch {
      // No manifest here: one folder up.
    }
  }
  return '0.0.0';
}
