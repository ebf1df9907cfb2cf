/** Which hubs were made beside those of the configuration, and which are being deleted: the fold over `$hubs`. A hub of the
 *  configuration is in it too once it has settings. */
import { utf8, utf8Text } from '../base/bytes.js';
import { type HubName, parseHubName, systemHub } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Fold, FoldedEntry, Outcome } from './fold.js';

export class Catalog implements Fold {
  readonly #hubs = new Set<HubName>();
  readonly #deleting = new Map<HubName, Map<string, number>>();
  #touched: HubName[] = [];
  /** An unknown hub is not taken for one that is not there, where it may be an entry that is gone. */
  isWhole = true;

  apply({ event, payload }: FoldedEntry): Outcome {
    const [name = '', node = '', version = ''] = utf8Text(payload).split(' ');
    const hub = parseHubName(name);
    if (!hub.ok || hub.value === systemHub) return voided('The entry names no hub.');
    switch (event) {
      case 'create':
        return this.#create(hub.value);
      case 'delete':
        if (!this.#hubs.delete(hub.value)) return voided('There is no such hub.');
        this.#touched.push(hub.value);
        this.#deleting.set(hub.value, new Map());
        return done;
      case 'cleared':
        return this.#deleting.get(hub.value)?.set(node, Number(version))
          ? done
          : voided('The hub is not being deleted.');
      case 'deleted':
        return this.#deleting.delete(hub.value) ? done : voided('The hub is not being deleted.');
      default:
        return voided('The entry says nothing of hubs.');
    }
  }

  #create(hub: HubName): Outcome {
    if (this.#hubs.has(hub)) return voided('The hub is there already.');
    if (this.#deleting.has(hub)) return voided('The hub is being deleted.');
    if (this.#hubs.size + this.#deleting.size >= limits.hubsMax)
      return voided(`There are ${limits.hubsMax} hubs, and no more can be made.`);
    this.#hubs.add(hub);
    this.#touched.push(hub);
    return done;
  }

  lacks(): void {
    this.isWhole = false;
  }

  has(hub: HubName): boolean {
    return this.#hubs.has(hub);
  }

  get hubs(): readonly HubName[] {
    return [...this.#hubs];
  }

  /** Those that were made or deleted since it was asked last: there may be very many others. */
  takeTouched(): readonly HubName[] {
    const touched = this.#touched;
    this.#touched = [];
    return touched;
  }

  /** Nobody can use them, and what they hold is on its way out. */
  get deleting(): Deleting {
    return this.#deleting;
  }
}

/** By hub, the nodes that hold nothing of it any more, and the version of the ring at which they said so. */
export type Deleting = ReadonlyMap<HubName, ReadonlyMap<string, number>>;

export type HubEvent = 'create' | 'delete' | 'cleared' | 'deleted';

/** A node that holds nothing of the hub any more, as a member of that version of the ring. */
export interface Cleared {
  readonly node: string;
  readonly version: number;
}

export function encodeHubEvent(
  event: HubEvent,
  hub: HubName,
  cleared?: Cleared,
): { readonly event: string; readonly payload: Uint8Array } {
  return { event, payload: utf8(cleared ? `${hub} ${cleared.node} ${cleared.version}` : hub) };
}

const done: Outcome = { isVoid: false };

function voided(reason: string): Outcome {
  return { isVoid: true, reason };
}
