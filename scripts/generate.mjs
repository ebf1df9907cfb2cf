/**
 * `npm run generate`: writes the protobuf code that is committed under `src/`.
 * `staleOutputs()` generates it aside and names what differs, for `npm run check`.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { at, capture, ensureInstalled, Failure, main, remove, tool } from './project.mjs';

const outputs = [{ proto: 'proto/client.proto', js: 'src/protocol/generated/client.js' }];

const flags = ['-t', 'static-module', '-w', 'esm', '--dts'];
const without = ['--no-verify', '--no-convert', '--no-delimited', '--no-service'];

const existing = () => outputs.filter(({ proto }) => existsSync(at(proto)));

async function generate(proto, js) {
  mkdirSync(dirname(js), { recursive: true });
  const pbjs = tool('protobufjs-cli', 'pbjs');
  const { status, output } = await capture(process.execPath, [
    pbjs,
    ...flags,
    ...without,
    '-o',
    js,
    at(proto),
  ]);
  if (status !== 0) throw new Failure(`${proto} does not compile:\n${output}`);
}

const declarations = (js) => js.replace(/\.js$/, '.d.ts');
const textOf = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);

export async function staleOutputs() {
  const aside = mkdtempSync(join(tmpdir(), 'ringlog-generate-'));
  try {
    const stale = [];
    for (const { proto, js } of existing()) {
      const fresh = join(aside, basename(js));
      await generate(proto, fresh);
      for (const path of [js, declarations(js)]) {
        if (textOf(at(path)) !== textOf(join(aside, basename(path)))) stale.push(path);
      }
    }
    return stale;
  } finally {
    remove(aside);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await ensureInstalled();
    for (const { proto, js } of existing()) {
      await generate(proto, at(js));
      console.log(`${proto} -> ${js}`);
    }
  });
}
