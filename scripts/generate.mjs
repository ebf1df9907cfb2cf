/**
 * `npm run generate`: writes what is made from the code and committed, so that it can be read and compared.
 * `staleOutputs()` makes it aside and names what differs, for `npm run check`.
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureProductBuilt } from './build.mjs';
import { at, ensureInstalled, main, remove } from './project.mjs';

const outputs = { 'docs/openapi.json': openapi };

/** The document a running node serves: from the same schemas that validate requests. */
async function openapi() {
  await ensureProductBuilt();
  const { startServer } = await import(pathToFileURL(at('dist/server/index.js')).href);
  const data = mkdtempSync(join(tmpdir(), 'ringlog-generate-'));
  const server = await startServer({ data: join(data, 'node'), listen: '127.0.0.1:0' });
  try {
    const document = await (await fetch(`${server.url}/v1/openapi.json`)).json();
    return `${JSON.stringify(document, null, 2)}\n`;
  } finally {
    await server.stop();
    remove(data);
  }
}

const textOf = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);

export async function staleOutputs() {
  const stale = [];
  for (const [path, make] of Object.entries(outputs))
    if (textOf(at(path)) !== (await make())) stale.push(path);
  return stale;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await ensureInstalled();
    for (const [path, make] of Object.entries(outputs)) {
      writeFileSync(at(path), await make());
      console.log(path);
    }
  });
}
