/** `--tls auto` on real processes: the command line trusts the certificate of a node of this machine, workers show it too. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 400_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const nodes: NodeProcess[] = [];
afterEach(async () => Promise.all(nodes.splice(0).map((node) => node.remove())));

async function command(
  args: readonly string[],
  environment: Record<string, string>,
): Promise<{ code: number | null; out: string; err: string }> {
  const env = { PATH: process.env['PATH'], ...environment };
  const child = spawn(process.execPath, [join(projectRoot(), 'dist/cli/main.js'), ...args], { env });
  const told = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (told.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told.err += text));
  child.stdin.end();
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, ...told };
}

test.each([
  ['a node', []],
  ['a node with workers', ['--workers', '2']],
] as const)(
  '%s serves commands that know its data directory, and tells others what to do',
  async (_, args) => {
    const node = await NodeProcess.start({ tls: true, args });
    nodes.push(node);
    expect(node.output).toMatch(/Certificate .*tls-cert\.pem/);
    const known = { RINGLOG_URL: node.url, RINGLOG_DATA: node.dataPath };
    const published = await command(['pub', 'room', 'sealed'], known);
    expect(published).toMatchObject({ code: 0, err: '' });
    const read = await command(['log', 'room'], known);
    expect(read.out).toContain('sealed');

    const stranger = { RINGLOG_URL: node.url, RINGLOG_DATA: projectRoot() };
    for (const args of [
      ['pub', 'room', 'lost', '--token', 'none'],
      ['log', 'room', '--token', 'none'],
    ]) {
      const refused = await command(args, stranger);
      expect(refused.code).toBe(3);
      expect(refused.err).toContain('--ca-file');
    }
    const named = await command(['log', 'room', '--ca-file', join(node.dataPath, 'tls-cert.pem')], {
      ...stranger,
      RINGLOG_TOKEN: 'none',
    });
    expect(named.code).toBe(4);
  },
);
