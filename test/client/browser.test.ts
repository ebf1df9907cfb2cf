/** The same client in a real browser, with documents and notifications: built as a page would load it, against a real node. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, type Page, chromium as driver } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SharedDocument } from '../../src/client/documents-entry.js';
import { connect } from '../../src/client/index.js';
import { type RunningServer, startServer } from '../../src/server/index.js';
import { browserFlags, chromium } from '../support/services.js';

const executablePath = await chromium();

describe.skipIf(executablePath === undefined)('in a browser', () => {
  const data = mkdtempSync(join(tmpdir(), 'ringlog-browser-'));
  let browser: Browser;
  let page: Page;
  let server: RunningServer;
  let closePages: () => Promise<void>;
  const problems: string[] = [];

  beforeAll(async () => {
    const folder = fileURLToPath(new URL('../../src/client', import.meta.url));
    const entries = ['index', 'documents-entry', 'notifications'].map(
      (name) => `export * from './${name}.ts';`,
    );
    const options = { bundle: true, minify: true, write: false, format: 'iife' } as const;
    const built = await build({
      ...options,
      stdin: { contents: entries.join('\n'), resolveDir: folder, loader: 'ts' },
      platform: 'browser',
      globalName: 'ringlog',
    });
    // A page of another origin than the node, as pages mostly are.
    const pages = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>client</title>');
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    closePages = () => new Promise((resolve) => void pages.close(() => resolve()));
    server = await startServer({ data, listen: '127.0.0.1:0', http: { origins: [origin] } });
    browser = await driver.launch({ executablePath: executablePath ?? '', args: browserFlags() });
    page = await browser.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(origin);
    await page.addScriptTag({ content: built.outputFiles[0]?.text ?? '' });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await closePages?.();
    rmSync(data, { recursive: true, force: true });
  });

  const inPage = <T>(body: string): Promise<T> =>
    page.evaluate<T>(`(async () => { const url = ${JSON.stringify(server.url)}; ${body} })()`);

  test('publishes, subscribes, and reads history', async () => {
    const result = await inPage<unknown>(`
      const client = ringlog.connect(url);
      const ack = await client.publish('lobby', { text: 'from a page' }, { event: 'greeting' });
      await client.publish('lobby', new Uint8Array([0, 255]));
      const seen = [];
      for await (const message of client.subscribe('lobby', { start: 'beginning' })) {
        seen.push([message.event, message.data instanceof Uint8Array ? [...message.data] : message.data]);
        if (seen.length === 2) break;
      }
      const page = await client.history('lobby').page();
      await client.close();
      return { level: ack.level, seen, stored: page.entries.length };
    `);
    expect(result).toEqual({
      level: 'quorum',
      seen: [
        ['greeting', { text: 'from a page' }],
        [undefined, [0, 255]],
      ],
      stored: 2,
    });
  });

  test('talks with a client in Node', async () => {
    const client = connect(server.url);
    const heard = new Promise((resolve) => {
      client.subscribe('across', { onEntry: ({ data: text }) => resolve(text) }).on('subscribed', () => {
        void inPage(
          `const client = ringlog.connect(url); await client.publish('across', 'hello'); await client.close();`,
        );
      });
    });
    expect(await heard).toBe('hello');
    await client.close();
  });

  test('holds a document with somebody in Node', async () => {
    const client = connect(server.url);
    const document = await SharedDocument.open<{ text: string }>(client, 'doc:across');
    await document.change([{ op: 'add', path: '/text', value: 'from Node' }]);
    const inBrowser = await inPage<unknown>(`
      const client = ringlog.connect(url);
      const document = await ringlog.SharedDocument.open(client, 'doc:across');
      const seen = [];
      document.watch('/text', ({ value, isOwn }) => seen.push([value, isOwn]));
      const own = document.splice('/text', 0, 4, 'written in');
      const shown = document.value.text;
      const { version } = await own;
      // Delivered too.
      while (document.pending > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      await document.undo();
      const { text } = document.value;
      await client.close();
      return { shown, version, text, seen };
    `);
    expect(inBrowser).toEqual({
      shown: 'written in Node',
      version: 2,
      text: 'from Node',
      seen: [
        ['written in Node', true],
        ['from Node', true],
      ],
    });
    await expect.poll(() => [document.version, document.value]).toEqual([3, { text: 'from Node' }]);
    await client.close();
  });

  test('is told of notifications, and marks them as read', async () => {
    const token = readFileSync(join(data, 'admin-token'), 'utf8').trim();
    const unread = await inPage<number[]>(`
      const client = ringlog.connect(url);
      const service = ringlog.connect({ url, token: ${JSON.stringify(token)} });
      const channel = await ringlog.NotificationChannel.open(client, 'notification:page');
      const told = [channel.unread];
      const read = new Promise((resolve) => channel.on('unread', ({ unread }) => {
        told.push(unread);
        if (told.length === 3) resolve();
      }));
      const { id } = await ringlog.notify(service, 'notification:page', { title: 'One' });
      await channel.read(id);
      await read;
      await Promise.all([client.close(), service.close()]);
      return told;
    `);
    expect(unread).toEqual([0, 1, 0]);
  });

  test('goes on after the node was restarted', async () => {
    const listen = new URL(server.url).host;
    const { origins } = server.config.http;
    await inPage<void>(`
      window.client = ringlog.connect({ url, reconnectMaxMs: 200 });
      window.seen = [];
      client.subscribe('restart', { start: 'beginning', onEntry: ({ data }) => seen.push(data) });
      await Promise.all([0, 1, 2].map((i) => client.publish('restart', i)));
    `);
    await server.stop();
    await inPage<void>(`window.late = Promise.all([3, 4, 5].map((i) => client.publish('restart', i)));`);
    server = await startServer({ data, listen, http: { origins } });
    await inPage<void>(`await late;`);
    await expect.poll(() => inPage<number>(`return seen.length;`), { timeout: 60_000 }).toBe(6);
    expect(await inPage<number[]>(`await client.close(); return seen;`)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('nothing was thrown in the page', () => {
    expect(problems).toEqual([]);
  });
});
