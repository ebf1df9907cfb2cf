/** Watches the space left, and keeps some in reserve: a file of zeros that is given up when the disk is full, so that
 *  trims and notes still fit and the store can be opened again. */
import type { Files, StoreFile } from './files.js';
import { errorCode, isFull } from './files.js';

export interface SpaceOptions {
  readonly files: Files;
  /** `store/` of the data directory. */
  readonly directory: string;
  /** New publishes are refused above this part of the volume in use … */
  readonly fullAtRatio: number;
  /** … unless this much is left all the same: a tenth of a large disk is plenty. */
  readonly plentyBytes: number;
  /** And whenever less than this is left. Also the size of the reserve. */
  readonly reserveBytes: number;
}

/** `full`: new publishes are refused. `spent`: what others send is too, unless it makes room. */
export type Space = 'ok' | 'full' | 'spent';

/** Written bytes after which the space is looked at again. */
const checkBytes = 8_388_608;
const reserveName = 'reserve';
const stepBytes = 262_144;
/** With less than this part of the reserve left, only what makes room is written. */
const spentPart = 1 / 2;
/** And with less than this part free the reserve is given up. */
const sparedPart = 1 / 4;

export class SpaceWatch {
  readonly #options: SpaceOptions;
  #state: Space = 'ok';
  /** Size of the reserve, once it is known. */
  #reservedBytes: number | undefined;
  #checkedAtBytes = 0;
  #checking: Promise<void> | undefined;

  constructor(options: SpaceOptions) {
    this.#options = options;
  }

  get state(): Space {
    return this.#state;
  }

  /** To be called after each commit with all bytes written so far; looks at the disk now and then, in the background. */
  written(bytes: number): void {
    if (bytes - this.#checkedAtBytes < checkBytes || this.#checking) return;
    this.#checkedAtBytes = bytes;
    void this.check();
  }

  async check(): Promise<void> {
    this.#checking ??= this.#look();
    await this.#checking;
    this.#checking = undefined;
  }

  async #look(): Promise<void> {
    const { files, directory, fullAtRatio, plentyBytes, reserveBytes } = this.#options;
    try {
      const { freeBytes, totalBytes } = await files.space(directory);
      // What the reserve lacks is not free for anything else: giving it up makes nothing less full.
      const roomBytes = freeBytes - (reserveBytes - (this.#reservedBytes ?? reserveBytes));
      const isNarrow = freeBytes < totalBytes * (1 - fullAtRatio) && freeBytes < plentyBytes;
      const isFull = isNarrow || roomBytes < reserveBytes;
      this.#state = roomBytes < reserveBytes * spentPart ? 'spent' : isFull ? 'full' : 'ok';
    } catch {
      // A volume that does not tell: a write will.
    }
  }

  /** Others have taken the disk: the reserve is given up before a write of the store itself meets a full one. */
  async relieve(): Promise<void> {
    if (this.#state !== 'spent' || this.#reservedBytes === 0) return;
    if ((await this.#freeBytes()) < this.#options.reserveBytes * sparedPart) await this.#giveUpReserve();
  }

  /** At start: looks, and gives the reserve up when there is no room to open the index in. */
  async open(): Promise<void> {
    const { files, directory, reserveBytes } = this.#options;
    const reserve = await openReserve(files, directory, 'write');
    this.#reservedBytes = Math.min(reserveBytes, (await reserve?.size()) ?? 0);
    await reserve?.close();
    if ((await this.#freeBytes()) < reserveBytes) await this.#giveUpReserve();
    await this.check();
  }

  /** Fills the reserve by a step, when there is room again. False when nothing was due. */
  async refill(): Promise<boolean> {
    const { files, directory, reserveBytes } = this.#options;
    if (this.#state !== 'ok' || reserveBytes === 0) return false;
    const reserve =
      (await openReserve(files, directory, 'write')) ?? (await openReserve(files, directory, 'create'));
    if (!reserve) return false;
    try {
      const size = await reserve.size();
      this.#reservedBytes = Math.min(reserveBytes, size);
      if (size >= reserveBytes) return false;
      const step = Math.min(stepBytes, reserveBytes - size);
      reserve.write(new Uint8Array(step), size);
      await reserve.sync();
      this.#reservedBytes = size + step;
      return true;
    } catch (error) {
      // Nothing is lost with a reserve that does not fit.
      if (!isFull(error)) throw error;
      this.#state = 'full';
      return false;
    } finally {
      await reserve.close();
    }
  }

  /** Whether so much may be written in order to make room: for that the reserve is given up. */
  async hasRoomFor(bytes: number): Promise<boolean> {
    const freeBytes = await this.#freeBytes();
    if (freeBytes >= bytes) return true;
    if (freeBytes + (this.#reservedBytes ?? 0) < bytes) return false;
    await this.#giveUpReserve();
    return true;
  }

  /** Of a volume that does not tell there is enough: a write will. */
  async #freeBytes(): Promise<number> {
    const { files, directory } = this.#options;
    return (await files.space(directory).catch(() => ({ freeBytes: Infinity }))).freeBytes;
  }

  async #giveUpReserve(): Promise<void> {
    await giveUpReserve(this.#options.files, this.#options.directory);
    this.#reservedBytes = 0;
  }
}

/** `directory`: `store/`. */
export async function giveUpReserve(files: Files, directory: string): Promise<void> {
  const reserve = await openReserve(files, directory, 'write');
  await reserve?.truncate(0);
  await reserve?.close();
}

async function openReserve(
  files: Files,
  directory: string,
  mode: 'write' | 'create',
): Promise<StoreFile | undefined> {
  try {
    return await files.open(`${directory}/${reserveName}`, mode);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' && mode === 'write') return undefined;
    throw error;
  }
}
