/** The client as a browser gets it: one bundle, small, without anything of Node's, and it loads in a real browser. */
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { chromium as driver } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { browserFlags, chromium } from '../support/services.js';

const entry = fileURLToPath(new URL('../../src/client/index.ts', import.meta.url));
/** Protobuf, checksums and everything else included: what documents and the changes of them that are kept, notifications, the questions
 *  to a hub's directory, the messages of presence, sessions that come back, and leaving nodes that fell silent need together,
 *  rounded up to the next KiB. */
const compressedBytesMax = 26_624;
/** With documents that several hold at once. */
const documentsEntry = fileURLToPath(new URL('../../src/client/documents-entry.ts', import.meta.url));
const notificationsEntry = fileURLToPath(new URL('../../src/client/notifications.ts', import.meta.url));
const presenceEntry = fileURLToPath(new URL('../../src/client/presence.ts', import.meta.url));
const adminEntry = fileURLToPath(new URL('../../src/client/admin.ts', import.meta.url));
const ownEntries = [
  ['shared documents', documentsEntry, 18_432],
  ['notification channels', notificationsEntry, 5_120],
  ['presence', presenceEntry, 5_120],
  ['administration', adminEntry, 4_096],
] as const;
const globalName = 'ringlog';
const browser = await chromium();

describe('the client bundle', () => {
  let code: string;

  // Bundling for a browser fails by itself when something imports a Node module.
  beforeAll(async () => {
    const options = { bundle: true, minify: true, write: false, logLevel: 'silent' } as const;
    const result = await build({ ...options, entryPoints: [entry], platform: 'browser', globalName });
    code = result.outputFiles[0]?.text ?? '';
  });

  test('stays within its size', () => {
    expect(gzipSync(code).length).toBeLessThan(compressedBytesMax);
  });

  test.each(ownEntries)(
    'leaves %s to an entry of their own, which is small too',
    async (_, path, bytesMax) => {
      const options = { bundle: true, minify: true, write: false, logLevel: 'silent' } as const;
      const result = await build({
        ...options,
        entryPoints: [path],
        platform: 'browser',
        globalName,
      });
      const own = result.outputFiles[0]?.text ?? '';
      expect(gzipSync(own).length).toBeLessThan(bytesMax);
      expect(own).not.toMatch(/node:|\brequire\(|\bprocess\.|\bBuffer\b/);
    },
  );

  test('names nothing of Node, and no package', () => {
    expect(code).not.toMatch(/node:|\brequire\(|\bprocess\.|\bBuffer\b/);
    expect(code).not.toMatch(/import\(["']/);
  });

  test.skipIf(browser === undefined)('loads in a browser and exports what it does in Node', async () => {
    const running = await driver.launch({ executablePath: browser ?? '', args: browserFlags() });
    try {
      const page = await running.newPage();
      await page.addScriptTag({ content: code });
      const exported = await page.evaluate<string[]>(`Object.keys(${globalName})`);
      expect(exported.sort()).toEqual(Object.keys((await import(entry)) as object).sort());
    } finally {
      await running.close();
    }
  });
});
