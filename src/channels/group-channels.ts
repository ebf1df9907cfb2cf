/** The channel of a group of people, `g:` and its name. What stands behind another ":" is that group's too. */

const prefix = 'g:';

/** Where a group is written to. */
export function groupChannelOf(group: string): string {
  return prefix + group;
}

/** Whose it is; there need not be such a group. Names of groups are segments as they are. */
export function groupOf(channel: string): string {
  return channel.split(':')[1] ?? '';
}
