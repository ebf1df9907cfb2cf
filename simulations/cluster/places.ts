/** What channels are called here: those of the hub that most clients use by their name alone, others with their hub before it. */
import type { ChannelName, ChannelRef, HubName } from '../../src/base/ids.js';

const usual = 'default/';

/** Whose settings change: a hub of its own, so that what is refused there changes nothing for other clients. */
export const gatedHub = 'gated';
/** One with a directory has a provider, and other clients are to need none. */
export const peopledHub = 'town';

/** Of a channel as disks name it. */
export function nameIn(place: string): string {
  return place.startsWith(usual) ? place.slice(usual.length) : place;
}

export function placeOf(name: string): string {
  return isElsewhere(name) ? name : usual + name;
}

export function isElsewhere(name: string): boolean {
  return name.includes('/');
}

export function refOf(name: string): ChannelRef {
  const [hub, channel] = placeOf(name).split('/');
  return { hub: hub as HubName, channel: channel as ChannelName };
}
