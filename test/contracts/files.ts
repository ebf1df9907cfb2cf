/** What every `Files` must do. */
import { describe, expect, test } from 'vitest';
import {
  type Files,
  LockHeldError,
  errorCode,
  isFull,
  readFile,
  writeFile,
} from '../../src/storage/files.js';

export interface FilesUnderTest {
  readonly files: Files;
  /** An empty directory. */
  readonly directory: string;
  /** Awaits in the world of these files: a simulated one must be driven. */
  run<T>(task: () => Promise<T>): Promise<T>;
  done(): Promise<void>;
}

export function filesContract(name: string, make: () => Promise<FilesUnderTest>): void {
  const scenario = (title: string, body: (files: Files, directory: string) => Promise<void>): void =>
    test(title, async () => {
      const world = await make();
      try {
        await world.run(() => body(world.files, world.directory));
      } finally {
        await world.done();
      }
    });

  describe(`files: ${name}`, () => {
    scenario('a file gives back what was written, and zeros where nothing was', async (files, directory) => {
      const file = await files.open(`${directory}/a`, 'create');
      file.write(bytes(1, 2, 3), 0);
      file.write(bytes(9), 6);
      await file.sync();
      const into = new Uint8Array(10);
      expect(await file.read(into, 1)).toBe(6);
      expect([...into]).toEqual([2, 3, 0, 0, 0, 9, 0, 0, 0, 0]);
      expect(await file.size()).toBe(7);
      await file.close();
    });

    scenario('reading at or past the end gives nothing', async (files, directory) => {
      const file = await files.open(`${directory}/a`, 'create');
      file.write(bytes(1), 0);
      expect(await file.read(new Uint8Array(4), 1)).toBe(0);
      expect(await file.read(new Uint8Array(4), 100)).toBe(0);
      await file.close();
    });

    scenario('truncation shortens and lengthens', async (files, directory) => {
      const file = await files.open(`${directory}/a`, 'create');
      file.write(bytes(1, 2, 3, 4), 0);
      await file.truncate(2);
      await file.truncate(3);
      const into = new Uint8Array(4).fill(7);
      expect(await file.read(into, 0)).toBe(3);
      expect([...into]).toEqual([1, 2, 0, 7]);
      await file.close();
    });

    scenario(
      'create refuses a name that is taken, the other modes one that is missing',
      async (files, directory) => {
        await (await files.open(`${directory}/a`, 'create')).close();
        expect(await codeOf(files.open(`${directory}/a`, 'create'))).toBe('EEXIST');
        expect(await codeOf(files.open(`${directory}/b`, 'write'))).toBe('ENOENT');
        expect(await codeOf(files.open(`${directory}/b`, 'read'))).toBe('ENOENT');
        expect(await codeOf(files.remove(`${directory}/b`))).toBe('ENOENT');
        expect(await codeOf(files.list(`${directory}/b`))).toBe('ENOENT');
      },
    );

    scenario('names are listed in order; rename replaces', async (files, directory) => {
      await files.makeDirectory(`${directory}/deep/er`);
      await files.makeDirectory(`${directory}/deep/er`);
      for (const name of ['b', 'a']) {
        const file = await files.open(`${directory}/${name}`, 'create');
        file.write(bytes(name.charCodeAt(0)), 0);
        await file.close();
      }
      expect(await files.list(directory)).toEqual(['a', 'b', 'deep']);
      await files.rename(`${directory}/b`, `${directory}/a`);
      await files.syncDirectory(directory);
      expect(await files.list(directory)).toEqual(['a', 'deep']);
      expect(await readFile(files, `${directory}/a`)).toEqual(bytes(98));
      await files.remove(`${directory}/a`);
      expect(await readFile(files, `${directory}/a`)).toBeUndefined();
    });

    scenario('an open file outlives its name', async (files, directory) => {
      const file = await files.open(`${directory}/a`, 'create');
      file.write(bytes(5), 0);
      await files.remove(`${directory}/a`);
      const into = new Uint8Array(1);
      expect(await file.read(into, 0)).toBe(1);
      expect(into[0]).toBe(5);
      await file.close();
    });

    scenario(
      'a small file is replaced whole, over the remains of an earlier attempt too',
      async (files, directory) => {
        await (await files.open(`${directory}/x.new`, 'create')).close();
        await writeFile(files, directory, 'x', bytes(1, 2));
        await writeFile(files, directory, 'x', bytes(3));
        expect(await readFile(files, `${directory}/x`)).toEqual(bytes(3));
        expect(await files.list(directory)).toEqual(['x']);
      },
    );

    scenario('space is told', async (files, directory) => {
      const { freeBytes, totalBytes } = await files.space(directory);
      expect(totalBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeLessThanOrEqual(totalBytes);
    });

    scenario('a lock has one holder, until it is released', async (files, directory) => {
      const lock = await files.lock(`${directory}/lock`);
      const refusal: unknown = await files.lock(`${directory}/lock`).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(LockHeldError);
      expect((refusal as LockHeldError).holder).toMatch(/process/);
      await lock.release();
      await (await files.lock(`${directory}/lock`)).release();
    });

    test('a full disk is told apart by its code', () => {
      expect(isFull(Object.assign(new Error('no'), { code: 'ENOSPC' }))).toBe(true);
      expect(isFull(Object.assign(new Error('no'), { code: 'EDQUOT' }))).toBe(true);
      expect(isFull(Object.assign(new Error('no'), { code: 'EIO' }))).toBe(false);
      expect(isFull('ENOSPC')).toBe(false);
    });
  });
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

async function codeOf(task: Promise<unknown>): Promise<string | undefined> {
  try {
    await task;
    return undefined;
  } catch (error) {
    return errorCode(error);
  }
}
