/** The data directory of a node: its identity, the administrator's token, and the folder of the store. Only its owner
 *  may read it. */
import { chmod, mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { toBase64Url, toHex } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import type { Role } from '../cluster/member.js';
import type { Random } from '../engine/ports.js';
import { ConfigError } from './config-error.js';

export const adminTokenFile = 'admin-token';
const nodeFile = 'node.json';
/** There once the node has been among others: from then on its log goes by a ring. */
const clusterFile = 'cluster.json';
/** What may lie in a directory that is otherwise empty. */
const harmless = new Set(['lost+found', '.gitignore', '.gitkeep', '.DS_Store']);

export interface DataDirectory {
  readonly path: string;
  readonly storePath: string;
  readonly nodeId: NodeId;
  readonly adminToken: string;
  /** Made just now. */
  readonly isNew: boolean;
  readonly isTokenNew: boolean;
  /** The node has been among others. */
  readonly isMember: boolean;
  readonly warnings: readonly string[];
}

/** `given`: the id of a node that is made now, where its certificate says one. */
export async function openDataDirectory(
  path: string,
  random: Random,
  role: Role = 'core',
  given?: NodeId,
): Promise<DataDirectory> {
  const directory = resolve(path);
  const warnings: string[] = [];
  await makeDurably(directory);
  const known = await readIfThere(join(directory, nodeFile));
  if (known === undefined) await refuseForeign(directory);
  if (role === 'edge') await refuseStore(directory);
  await restrict(directory, 0o700, warnings);
  const wasMember = (await readIfThere(join(directory, clusterFile))) !== undefined;
  const isStoreLost = wasMember && !(await readdir(directory)).includes('store');
  if (isStoreLost) {
    // Others count on what a member promised: whoever has forgotten it must not go by its name.
    if (given !== undefined && (known === undefined || nodeIdOf(known, directory) === given))
      throw new ConfigError(
        `The store of ${directory} is gone, so this must be a new node: remove ${given} from the ring with \`ringlog node remove\`, and give this one a certificate of another id.`,
      );
    await rm(join(directory, clusterFile));
    const lost =
      known === undefined
        ? ''
        : ` It was ${nodeIdOf(known, directory)}: remove that one from the ring with \`ringlog node remove\`.`;
    warnings.push(`The store of ${directory} is gone, so this is a new node.${lost}`);
  }
  const nodeId =
    known === undefined || isStoreLost
      ? await createNode(directory, given ?? (toHex(random.bytes(16)) as NodeId))
      : nodeIdOf(known, directory);
  const tokenPath = join(directory, adminTokenFile);
  let adminToken = (await readIfThere(tokenPath))?.trim() ?? '';
  const isTokenNew = adminToken === '';
  if (isTokenNew) {
    adminToken = `ringlog-admin-${toBase64Url(random.bytes(32))}`;
    await writeDurably(directory, adminTokenFile, `${adminToken}\n`);
  } else {
    await restrict(tokenPath, 0o600, warnings);
  }
  return {
    path: directory,
    storePath: join(directory, 'store'),
    nodeId,
    adminToken,
    isNew: known === undefined,
    isTokenNew,
    isMember: wasMember && !isStoreLost,
    warnings,
  };
}

/** To be told before the node is among others for the first time. */
export function noteMember(directory: string): Promise<void> {
  return writeDurably(directory, clusterFile, `${JSON.stringify({ format: 1 })}\n`);
}

/** Whoever holds data goes on holding it: others count on that. */
async function refuseStore(directory: string): Promise<void> {
  if (!(await readdir(directory)).includes('store')) return;
  throw new ConfigError(
    `${directory} holds the data of a core node. Start it without --role edge, or name an empty directory with --data.`,
  );
}

/** A mistyped path should not turn somebody's folder into a data directory. */
async function refuseForeign(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => !harmless.has(name));
  // A start that was cut short may have left the token, or a file that was not renamed yet.
  const foreign = names.filter(
    (name) => name !== adminTokenFile && name !== clusterFile && name !== 'lock' && !name.endsWith('.tmp'),
  );
  if (foreign.includes('store')) {
    throw new ConfigError(
      `${directory} has a store but no ${nodeFile}, so it is not known which node it belongs to. Restore ${nodeFile} from a backup.`,
    );
  }
  if (foreign.length > 0) {
    throw new ConfigError(
      `${directory} is not empty and not a data directory of Ringlog. Name an empty or a new one with --data.`,
    );
  }
}

async function createNode(directory: string, nodeId: NodeId): Promise<NodeId> {
  await writeDurably(directory, nodeFile, `${JSON.stringify({ format: 1, nodeId }, null, 2)}\n`);
  return nodeId;
}

function nodeIdOf(text: string, directory: string): NodeId {
  let found: { format?: unknown; nodeId?: unknown };
  try {
    found = JSON.parse(text) as typeof found;
  } catch {
    found = {};
  }
  if (found.format !== undefined && found.format !== 1) {
    throw new ConfigError(
      `${directory} was written by a newer version of Ringlog. Start that version, or name another directory with --data.`,
    );
  }
  if (typeof found.nodeId !== 'string' || !/^[0-9a-f]{32}$/.test(found.nodeId)) {
    throw new ConfigError(`${join(directory, nodeFile)} is damaged. Restore it from a backup.`);
  }
  return found.nodeId as NodeId;
}

async function restrict(path: string, mode: number, warnings: string[]): Promise<void> {
  if (process.platform === 'win32') return;
  const found = (await stat(path)).mode & 0o777;
  if ((found & ~mode) === 0) return;
  await chmod(path, mode);
  warnings.push(`${path} was open to others (mode ${found.toString(8)}); it is ${mode.toString(8)} now.`);
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all, also after a crash; for its owner alone. */
export async function writeDurably(directory: string, name: string, text: string): Promise<void> {
  const temporary = join(directory, `${name}.tmp`);
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, name));
  await syncDirectory(directory);
}

/** A power loss right after the first start must not take the whole directory with it: every name made on the way to it
 *  is made durable in its parent. */
async function makeDurably(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = dirname(made))
    await syncDirectory(dirname(made));
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
