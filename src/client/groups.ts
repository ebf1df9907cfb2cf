/** Groups of people in a hub, a part of `ringlog/people`.
 *
 *      const groups = groupsOf(client);
 *      await groups.create('team');
 *      await groups.invite('team', 'bob');
 *      client.subscribe(groupChannel('team'), …);
 */
import type { Client } from './client.js';
import type { DirectoryOptions } from './options.js';

export interface Group {
  readonly group: string;
  /** Anybody who is known may join. */
  readonly open: boolean;
  readonly members: number;
  readonly since: string;
  /** Of who asks, where it is in it or invited. */
  readonly role?: Role;
}

export type Role = 'owner' | 'member' | 'invited';

export interface GroupMember {
  readonly user: string;
  readonly role: Role;
  readonly since: string;
}

export interface PageOptions {
  readonly after?: string;
  readonly limit?: number;
}

interface Done {
  readonly group: string;
}

/** Where a group is written to, by its members alone. */
export function groupChannel(group: string): string {
  return `g:${group}`;
}

export function groupsOf(client: Client, options: DirectoryOptions = {}): Groups {
  return new Groups(client, options);
}

/** Every method rejects with RinglogError. What is asked goes at the node that was asked once it is answered, and within a
 *  second at every other one. */
class Groups {
  readonly #client: Client;
  readonly #timeoutMs: number | undefined;

  constructor(client: Client, { timeoutMs }: DirectoryOptions) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** The first to make a name has it, for ever: `NAME_TAKEN` for all others. */
  create(group: string, options: { readonly open?: boolean } = {}): Promise<Done> {
    return this.#ask('create', { group, ...options });
  }

  /** An open group, or one that it is invited to. */
  join(group: string): Promise<Done> {
    return this.#ask('join', { group });
  }

  /** Also turns an invitation down. */
  leave(group: string): Promise<Done> {
    return this.#ask('leave', { group });
  }

  /** Owners invite. */
  invite(group: string, user: string): Promise<Done> {
    return this.#ask('invite', { group, user });
  }

  /** Owners remove; also an invitation. */
  remove(group: string, user: string): Promise<Done> {
    return this.#ask('remove', { group, user });
  }

  /** `owner`: a member that becomes one too. */
  change(group: string, change: { readonly open?: boolean; readonly owner?: string }): Promise<Done> {
    return this.#ask('change', { group, ...change });
  }

  /** Nobody reads or writes it any more, and nobody gets its name. */
  delete(group: string): Promise<Done> {
    return this.#ask('delete', { group });
  }

  /** Those that the client is in or invited to; `all`: every one, where the hub lists them. */
  list(
    options: PageOptions & { readonly all?: boolean } = {},
  ): Promise<{ readonly groups: readonly Group[]; readonly next?: string }> {
    return this.#ask('list', options);
  }

  members(
    group: string,
    options: PageOptions = {},
  ): Promise<{ readonly members: readonly GroupMember[]; readonly next?: string }> {
    return this.#ask('members', { group, ...options });
  }

  async #ask<T>(action: string, request: object): Promise<T> {
    return (await this.#client.askDirectory(`groups/${action}`, request, this.#timeoutMs)) as T;
  }
}
