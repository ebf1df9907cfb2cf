/** Levels, and kinds that are published, as the numbers of proto/client.proto. */
import type { Level, PublishedKind } from './messages.js';

export const levels = ['memory', 'owner', 'quorum'] as const satisfies readonly Level[];

export function levelNumber(level: Level): number {
  return levels.indexOf(level) + 1;
}

/** `undefined` for 0, the default, and for numbers this version does not know. */
export function levelOf(number: number): Level | undefined {
  return levels[number - 1];
}

export const publishedKinds = ['patch', 'notification', 'read'] as const satisfies readonly PublishedKind[];

export function publishedKindNumber(kind: PublishedKind): number {
  return publishedKinds.indexOf(kind) + 1;
}

/** `undefined` for 0, which is a message, and for what clients do not publish. */
export function publishedKindOf(number: number): PublishedKind | undefined {
  return publishedKinds[number - 1];
}
