/** The version both ends speak, and how they name it. A version only adds. */
export const protocolVersion = 1;

/** Offered as WebSocket sub-protocols; none offered means JSON. */
export const subprotocols = { protobuf: 'ringlog.v1.protobuf', json: 'ringlog.v1.json' } as const;

/** A line for every change of proto/client.proto, with the digest of what it says then (comments and spaces aside). */
export const protocolHistory: readonly {
  readonly version: number;
  readonly digest: string;
  readonly change: string;
}[] = [
  { version: 1, digest: 'a896e6d333da5931', change: 'The first version.' },
  { version: 1, digest: '950a23801c238f95', change: 'An entry says whether it is retained.' },
  {
    version: 1,
    digest: '2fa3446ce2b7f361',
    change: 'A page of history may be asked for of a log that has an entry.',
  },
  { version: 1, digest: '5f66064d1dc9eb74', change: 'A node tells where else the cluster serves.' },
  {
    version: 1,
    digest: '855ef958b21c9630',
    change: 'The answer to Auth says what the client may do, what is known of it, and until when.',
  },
  { version: 1, digest: 'f6ddfe6b2b87ba97', change: 'People ask the directory of their hub.' },
  {
    version: 1,
    digest: '60b7408f2d75fac9',
    change: 'Documents: patches, the document now and before, rebase.',
  },
  {
    version: 1,
    digest: '3dfffee918fd8189',
    change: 'Notifications: created and read as entries, pages of them, and what is unread.',
  },
  { version: 1, digest: '38a9416b41167639', change: 'Presence and occupancy.' },
  {
    version: 1,
    digest: '09068abb22e3122d',
    change: 'An entry may end a generation of its channel; gaps of the reason "deleted".',
  },
  { version: 1, digest: 'a3716f980068713a', change: 'Sessions are kept, and restored by a key.' },
  {
    version: 1,
    digest: '5e407b850fe95198',
    change:
      'An entry may be redacted: another one says so, and its content is gone. A trim may be forced; gaps of the reason "forced".',
  },
  { version: 1, digest: '6043bfd4737fc905', change: 'Methods of services are called.' },
  { version: 1, digest: 'fe33aea25d9fdb6c', change: 'The answer to Auth says what the client may delete.' },
  {
    version: 1,
    digest: '9ef48028beb0563c',
    change: 'The answer to Auth carries a token of the hub’s own.',
  },
  {
    version: 1,
    digest: '93e596822d41f39c',
    change: 'Entries may be marked for push services, and patches to make parents that are missing.',
  },
  {
    version: 1,
    digest: '7277638b8252ed95',
    change: 'What a document is now is told wherever a subscription starts, with its cursor.',
  },
];
