/** Which hubs were made beside those of the configuration: the fold over `$hubs`. A hub of the configuration is in it too once
 *  it has settings. */
import { utf8, utf8Text } from '../base/bytes.js';
import { type HubName, parseHubName, systemHub } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Fold, FoldedEntry, Outcome } from './fold.js';

export class Catalog implements Fold {
  readonly #hubs = new Set<HubName>();
  /** An unknown hub is not taken for one that is not there, where it may be an entry that is gone. */
  isWhole = true;

  apply({ event, payload }: FoldedEntry): Outcome {
    const hub = event === 'create' ? parseHubName(utf8Text(payload)) : undefined;
    if (!hub?.ok || hub.value === systemHub) return { isVoid: true, reason: 'The entry names no hub.' };
    if (this.#hubs.has(hub.value)) return { isVoid: true, reason: 'The hub is there already.' };
    if (this.#hubs.size >= limits.hubsMax)
      return { isVoid: true, reason: `There are ${limits.hubsMax} hubs, and no more can be made.` };
    this.#hubs.add(hub.value);
    return { isVoid: false };
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
}

export function encodeCreate(hub: HubName): { readonly event: string; readonly payload: Uint8Array } {
  return { event: 'create', payload: utf8(hub) };
}
