/** What is known of a person is sealed under a key that has a channel of its own. To destroy the key another entry is written over it;
 *  then the newest entry alone is kept, and the trim that follows removes the key from every home. */
import { toBase64Url, utf8, utf8Text } from '../../base/bytes.js';
import type { ChannelRef, HubName } from '../../base/ids.js';
import { planted } from '../../base/planted.js';
import { type Result, err, ok } from '../../base/result.js';
import { personKeyRef } from '../../hubs/system-channels.js';
import { encodeContent } from '../../log/entry-wire.js';
import type { Person } from '../../people/requests.js';
import type { User } from '../../people/users.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { LogPage } from '../api.js';
import { queryLog } from '../log-query.js';
import type { Secrets } from '../ports.js';
import type { Scan } from '../scan.js';

export interface PersonKeysHost {
  readonly secrets: Secrets;
  /** Durable once it resolves. */
  write(ref: ChannelRef, content: Uint8Array, actor: string): Promise<Result<unknown, Failure>>;
  /** By `newestKey`. */
  newest(ref: ChannelRef): Promise<Result<LogPage, Failure>>;
}

/** Owners write there too, to go on: that is no key. */
export const newestKey = { order: 'newest', kind: 'member', limit: 1 } as const;

const keyBytes = 32;

export class PersonKeys {
  constructor(readonly host: PersonKeysHost) {}

  /** Makes the key of a new person, and seals what is known of it. */
  async make(hub: HubName, id: string, person: Person): Promise<Result<string, Failure>> {
    const key = this.host.secrets.randomBytes(keyBytes);
    const written = await this.#write(hub, id, 'key', key);
    return written.ok ? ok(this.#seal(hub, id, key, person)) : written;
  }

  /** Twice: what would remove a single entry is no trim (log/retention.ts). */
  async destroy(hub: HubName, id: string): Promise<Result<unknown, Failure>> {
    if (planted('keys-stay')) return ok(undefined);
    const first = await this.#write(hub, id, 'destroyed', new Uint8Array(0));
    return first.ok ? this.#write(hub, id, 'destroyed', new Uint8Array(0)) : first;
  }

  async open(hub: HubName, { id, sealed }: Pick<User, 'id' | 'sealed'>): Promise<Result<Person, Failure>> {
    const key = await this.#key(hub, id);
    if (!key.ok) return key;
    const opened = sealed && this.host.secrets.open(key.value, sealed, contextOf(hub, id));
    if (!opened) return err(failure('INTERNAL', { outcome: 'rejected' }));
    return ok(JSON.parse(utf8Text(opened)) as Person);
  }

  async seal(hub: HubName, id: string, person: Person): Promise<Result<string, Failure>> {
    const key = await this.#key(hub, id);
    return key.ok ? ok(this.#seal(hub, id, key.value, person)) : key;
  }

  #seal(hub: HubName, id: string, key: Uint8Array, person: Person): string {
    return toBase64Url(this.host.secrets.seal(key, utf8(JSON.stringify(person)), contextOf(hub, id)));
  }

  async #key(hub: HubName, id: string): Promise<Result<Uint8Array, Failure>> {
    const page = await this.host.newest(personKeyRef(hub, id));
    if (!page.ok) return page;
    const content = page.value.entries[0]?.entry.content;
    if (content?.event === 'key' && content.payload.length === keyBytes) return ok(content.payload);
    // Destroyed, or this node is behind who made it.
    return err(failure('UNAVAILABLE', { retryAfterMs: 500 }));
  }

  #write(hub: HubName, id: string, event: string, payload: Uint8Array): Promise<Result<unknown, Failure>> {
    const contentType = 'application/octet-stream';
    return this.host.write(personKeyRef(hub, id), encodeContent({ event, contentType, payload }), '');
  }
}

/** Whether it was written over, so that retention may remove it: what owners write does not make it a key of before. */
export async function isKeyDestroyed(scan: Scan): Promise<boolean> {
  const page = await queryLog(scan, newestKey);
  return page.ok && page.value.entries[0]?.entry.content?.event === 'destroyed';
}

/** What was sealed for one person opens for no other. */
function contextOf(hub: HubName, id: string): Uint8Array {
  return utf8(`ringlog person v1\n${hub}\n${id}`);
}
