/** Which process has the other end of a connection of this machine, as Linux tells it; `undefined` elsewhere. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** Of `pids`, the one that connected from `from` to `to`, both ports of this machine. */
export function ownerOfConnection(from: number, to: number, pids: readonly number[]): number | undefined {
  const inode = inodeOf(from, to);
  if (inode === undefined) return undefined;
  const wanted = `socket:[${inode}]`;
  return pids.find((pid) => linksOf(pid).includes(wanted));
}

function inodeOf(from: number, to: number): string | undefined {
  let table: string;
  try {
    table = readFileSync('/proc/net/tcp', 'utf8');
  } catch {
    return undefined;
  }
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  const line = table.split('\n').find((each) => {
    const [, local, remote] = each.trim().split(/\s+/);
    return local?.endsWith(`:${hex(from)}`) === true && remote?.endsWith(`:${hex(to)}`) === true;
  });
  return line?.trim().split(/\s+/)[9];
}

/** What a process has open; nothing of one that has ended. */
function linksOf(pid: number): readonly string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).map((name) => {
      try {
        return readlinkSync(`${folder}/${name}`);
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}
