import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import {
  type BootStep,
  type RunningServer,
  type ServerOptions,
  startServer,
} from '../../src/server/index.js';

let folder: string;
const running: RunningServer[] = [];

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ringlog-server-'))));
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
  rmSync(folder, { recursive: true });
});

async function start(values: object = {}, options: ServerOptions = {}): Promise<RunningServer> {
  const server = await startServer({ data: join(folder, 'data'), listen: '127.0.0.1:0', ...values }, options);
  running.push(server);
  return server;
}

async function restarted(server: RunningServer): Promise<RunningServer> {
  await server.stop();
  running.splice(running.indexOf(server), 1);
  return start();
}

async function publish(server: RunningServer, ...texts: string[]): Promise<void> {
  const messages = texts.map((data) => ({ channel: 'chat', data }));
  const answer = await fetch(`${server.url}/v1/hubs/default/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages }),
  });
  expect(answer.status).toBe(200);
}

const asAdmin = (server: RunningServer, path: string) =>
  fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${server.directory.adminToken}` } });

/** Data of deliveries, and the last event id, once so many came. */
async function streamed(server: RunningServer, query: string, count: number, lastEventId?: string) {
  const controller = new AbortController();
  const answer = await fetch(`${server.url}/v1/hubs/default/sse${query}`, {
    signal: controller.signal,
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  });
  const data: unknown[] = [];
  let text = '';
  let id = '';
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      id = /^id: (.*)$/m.exec(block)?.[1] ?? id;
      if (!/^event: delivery$/m.test(block)) continue;
      const delivery = JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as { entries: { data: unknown }[] };
      data.push(...delivery.entries.map((entry) => entry.data));
    }
    if (data.length >= count) break;
  }
  controller.abort();
  return { data, id };
}

/** All that a WebSocket is told that sends this and is closed, or closes. */
async function closing(server: RunningServer, path: string, message: object): Promise<string> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`);
  const told: string[] = [];
  socket.on('open', () => socket.send(JSON.stringify({ requestId: 1, ...message })));
  socket.on('message', (data: Buffer) => {
    told.push(data.toString());
    if (data.toString().includes('"requestId":1')) socket.close();
  });
  return new Promise((resolve) =>
    socket.on('close', (code, reason) => resolve(`${told.join()} ${code} ${reason.toString()}`)),
  );
}

describe('a whole node', () => {
  test('what is published is in history, stream, log and digest, also after a restart', async () => {
    let server = await start();
    await publish(server, 'one', 'two', 'three');
    const before = await (await asAdmin(server, '/v1/admin/hubs/default/channels/chat/digest')).json();
    server = await restarted(server);
    await publish(server, 'four');
    const history = (await (await fetch(`${server.url}/v1/hubs/default/channels/chat/history`)).json()) as {
      entries: { data: unknown; id: string }[];
    };
    expect(history.entries.map(({ data }) => data)).toEqual(['one', 'two', 'three', 'four']);
    expect(new Set(history.entries.map(({ id }) => id.split('-')[0])).size).toBe(2);
    expect((await streamed(server, '?channels=chat&from=beginning', 4)).data).toEqual([
      'one',
      'two',
      'three',
      'four',
    ]);
    const log = await (
      await asAdmin(server, '/v1/admin/hubs/default/channels/chat/log?kind=publish&order=newest')
    ).json();
    expect((log as { entries: { data: unknown }[] }).entries.map(({ data }) => data)).toEqual([
      'four',
      'three',
      'two',
      'one',
    ]);
    const after = await (await asAdmin(server, '/v1/admin/hubs/default/channels/chat/digest')).json();
    expect(before).toMatchObject({ entries: 3 });
    expect((after as { digest: string }).digest).not.toBe((before as { digest: string }).digest);
    const channels = await (await asAdmin(server, '/v1/admin/hubs/default/channels')).json();
    expect(channels).toMatchObject({ channels: [{ channel: 'chat' }] });
  });

  test('an event stream resumes over a restart, without a gap or a repetition', async () => {
    let server = await start();
    await publish(server, 'one', 'two');
    const first = await streamed(server, '?channels=chat,other&from=beginning', 2);
    await publish(server, 'three');
    server = await restarted(server);
    await publish(server, 'four');
    const second = await streamed(server, '?channels=chat,other&from=beginning', 2, first.id);
    expect([...first.data, ...second.data]).toEqual(['one', 'two', 'three', 'four']);
  });

  test('a WebSocket without sub-protocol speaks JSON', async () => {
    const server = await start();
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/hubs/default/ws`);
    const received: Record<string, unknown>[] = [];
    socket.on('message', (data: Buffer) =>
      received.push(JSON.parse(data.toString()) as Record<string, unknown>),
    );
    await new Promise((resolve) => void socket.on('open', resolve));
    socket.send('{"requestId":1,"subscribe":{"channels":[{"channel":"chat"}]}}');
    await expect.poll(() => received.length).toBe(2);
    socket.send('{"requestId":2,"publish":{"channel":"chat","data":"hello"}}');
    await expect.poll(() => received.length).toBe(4);
    const names = received.map((envelope) => Object.keys(envelope).at(-1));
    expect(new Set(names)).toEqual(new Set(['ack', 'delivery', 'sessionInfo', 'subscribe']));
    const closed = new Promise((resolve) => void socket.on('close', resolve));
    await server.stop();
    expect(await closed).toBe(4501);
    expect(received.at(-1)).toHaveProperty('close');
  });

  test('where anonymous clients are not served, a token opens every door', async () => {
    const server = await start({ auth: { anonymous: false } });
    const url = `${server.url}/v1/hubs/default/channels/chat/publish`;
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(401);
    const headers = { authorization: `Bearer ${server.directory.adminToken}` };
    expect((await fetch(url, { method: 'POST', body: 'x', headers })).status).toBe(200);
    expect((await fetch(`${server.url}/v1/hubs/default/sse?channels=chat`)).status).toBe(401);
  });

  test('attack 8: no token gets into logs, metrics, errors or the log of a channel', async () => {
    const lines: string[] = [];
    const server = await start(
      { log: { level: 'trace' } },
      { logDestination: { write: (line) => void lines.push(line) } },
    );
    const secrets = { admin: server.directory.adminToken, wrong: 'wrong-secret', ticket: '' };
    const shown: string[] = [];
    const ask = async (path: string, token?: string, body?: string): Promise<string> => {
      const answer = await fetch(`${server.url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        ...(body !== undefined && { body }),
        ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
      });
      return `${JSON.stringify([...answer.headers])} ${await answer.text()}`;
    };
    const hub = '/v1/hubs/default';
    const issued = await ask(`${hub}/tickets`, secrets.admin, '');
    secrets.ticket = /"ticket":"([^"]+)"/.exec(issued)![1]!;
    for (const token of [secrets.admin, secrets.wrong]) {
      shown.push(await ask(`${hub}/channels/chat/publish`, token, 'x'));
      shown.push(await ask(`${hub}/channels/chat/history?token=${token}`));
      shown.push(await ask('/v1/admin/hubs', token));
      shown.push(await closing(server, `${hub}/ws`, { auth: { token } }));
    }
    // The first opens a session, the second is refused.
    for (let i = 0; i < 2; i++)
      shown.push(await closing(server, `${hub}/ws?ticket=${secrets.ticket}`, { close: {} }));
    shown.push(await ask('/metrics'), await ask('/v1/status', secrets.admin));
    shown.push(await ask('/v1/admin/hubs/default/channels/chat/log', secrets.admin));
    await server.stop();
    expect(shown.join()).toMatch(/UNAUTHENTICATED/);
    expect(lines.length).toBeGreaterThan(0);
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret).not.toBe('');
      for (const text of [...shown, ...lines])
        expect(text.includes(secret), `${name} in ${text.replaceAll(secret, '…')}`).toBe(false);
    }
  });

  test('stopping twice is stopping once, and a stopped node answers nothing', async () => {
    const server = await start();
    await Promise.all([server.stop(), server.stop()]);
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow('fetch failed');
  });

  test('a follower is let go at a stop', async () => {
    const server = await start();
    await publish(server, 'one');
    const answer = await asAdmin(
      server,
      '/v1/admin/hubs/default/channels/chat/log?follow=true&format=ndjson',
    );
    const text = answer.text();
    // It would go on for as long as the node does.
    await server.stop();
    expect(await text).toContain('"one"');
  });
});

describe('ports', () => {
  let taken: Server;
  let port: number;
  beforeEach(async () => {
    taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    port = (taken.address() as AddressInfo).port;
  });
  afterEach(() => new Promise((resolve) => taken.close(resolve)));

  test('one that was asked for and is taken is an error that says what to do', async () => {
    await expect(start({ listen: `127.0.0.1:${port}` })).rejects.toThrow(
      `Another program listens on 127.0.0.1:${port}. Stop it, or choose another address with --listen`,
    );
    await expect(start({ listen: '192.0.2.1:0', insecure: true })).rejects.toThrow(
      'is not an address of this machine',
    );
    // Nothing is left behind: the directory is free.
    await expect(start()).resolves.toBeDefined();
  });

  test('the default one gives way to the next free one, told', async () => {
    const steps: BootStep[] = [];
    const options = { portIsDefault: true, onStep: (step: BootStep) => void steps.push(step) };
    const server = await start({ listen: `127.0.0.1:${port}` }, options);
    const used = Number(new URL(server.url).port);
    expect(used).toBeGreaterThan(port);
    expect(steps).toContainEqual({ type: 'port-taken', asked: port, used });
    expect(steps.at(-1)).toEqual({ type: 'listening', url: server.url });
  });
});
