/** Every setting of a node: one schema for `ringlog.yaml`, environment and flags. docs/operations.md has the table, held
 *  to this by a test. Secrets are no settings: they live in files of the data directory. */
import { type Static, Type } from 'typebox';
import { limits } from '../base/limits.js';
import { defaultRules } from '../channels/rules.js';

const strict = { additionalProperties: false } as const;
const count = (description: string, fallback: number, minimum = 0) =>
  Type.Integer({ description, default: fallback, minimum, maximum: Number.MAX_SAFE_INTEGER });
const level = Type.Enum(['memory', 'owner', 'quorum']);

const ruleSet = Type.Partial(
  Type.Object({
    public: Type.Boolean(),
    allowAnonymous: Type.Boolean(),
    clientPublish: Type.Boolean(),
    store: Type.Boolean(),
    retain: Type.Boolean(),
    push: Type.Boolean(),
    createParents: Type.Boolean(),
    retainMs: Type.Integer({ minimum: 1 }),
    ack: level,
    degrade: Type.Boolean(),
    retention: Type.Object(
      {
        maxAgeMs: Type.Optional(Type.Integer({ minimum: 1 })),
        maxCount: Type.Optional(Type.Integer({ minimum: 1 })),
        maxBytes: Type.Optional(Type.Integer({ minimum: 1 })),
      },
      strict,
    ),
    liveHistory: Type.Integer({ minimum: 0, maximum: limits.liveHistoryEntriesMax }),
    messageBytesMax: Type.Integer({ minimum: 1, maximum: defaultRules.messageBytesMax }),
    messagesPerSecondMax: Type.Integer({ minimum: 1, maximum: limits.quotaMax }),
    presence: Type.Boolean(),
    occupancy: Type.Boolean(),
    list: Type.Boolean(),
    receipts: Type.Boolean(),
    signed: Type.Boolean(),
    userChannel: Type.Boolean(),
  }),
  strict,
);

const hub = Type.Object(
  {
    rules: Type.Optional(Type.String()),
    namespaces: Type.Optional(Type.Record(Type.String(), Type.String())),
    channels: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  strict,
);

export const configSchema = Type.Object(
  {
    listen: Type.String({
      description: 'Address for clients and administrators, `host:port`; port 0 is any free one',
      default: '127.0.0.1:8080',
    }),
    data: Type.String({ description: 'Data directory', default: './ringlog-data', minLength: 1 }),
    hub: Type.String({ description: 'The hub that always exists', default: 'default' }),
    createHubs: Type.Enum(['by-admin', 'on-use'], {
      description: 'Who makes further hubs: administrators alone, or whoever uses one first',
      default: 'by-admin',
    }),
    tls: Type.Enum(['off', 'auto', 'files'], {
      description:
        'What clients speak. off: plain HTTP; auto: TLS with a certificate that the node makes and keeps in its data directory; files: TLS with a given one',
      default: 'off',
    }),
    tlsCertFile: Type.String({
      description:
        'The certificate for `tls: files`, PEM, with what it was signed by; read again when it changes',
      default: '',
    }),
    tlsKeyFile: Type.String({ description: 'The key of that certificate, PEM', default: '' }),
    insecure: Type.Boolean({
      description: 'Serve anonymous clients on addresses other than this machine',
      default: false,
    }),
    role: Type.Enum(['core', 'edge'], {
      description: 'core: holds data and serves clients; edge: only serves clients, of data that cores hold',
      default: 'core',
    }),
    workers: Type.Integer({
      description: 'Processes that serve clients beside this one, sharing its port; 0: it serves them itself',
      default: 0,
      minimum: 0,
      maximum: 64,
    }),
    workerStuckMs: Type.Integer({
      description:
        'One of those that has not answered for so long is given no new connections; after three times that it is ended and replaced',
      default: 10_000,
      minimum: 500,
    }),
    join: Type.Array(Type.String(), {
      description:
        'How other nodes are found: `auto` asks the local network, `host:port` are peer addresses, `dns:name` is looked up; `none` stays alone',
      default: ['auto'],
    }),
    advertise: Type.String({
      description:
        'Where other nodes find this one, `host` or `host:port`; `auto` is the address of this machine',
      default: 'auto',
    }),
    peer: Type.Object(
      {
        listen: Type.String({
          description:
            'Address for other nodes, `host:port`, TCP and UDP; `auto` is port 7946 of 127.0.0.1, or with a cluster key of all addresses',
          default: 'auto',
        }),
        caFile: Type.String({
          description:
            'Authorities whose certificates prove other nodes, PEM, in place of the one that comes from the cluster key; read again when it changes, as are the next three',
          default: '',
        }),
        certFile: Type.String({
          description:
            'The certificate of this node for others, PEM, with what it was signed by; it names cluster and node',
          default: '',
        }),
        keyFile: Type.String({ description: 'The key of that certificate, PEM', default: '' }),
        crlFile: Type.String({
          description: 'What those authorities have taken back, PEM, a list of each',
          default: '',
        }),
      },
      strict,
    ),
    cluster: Type.Object(
      {
        name: Type.String({
          description: 'Nodes of another cluster are not talked to',
          default: 'default',
          pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
        }),
        keyFile: Type.String({
          description:
            'File with the cluster key (`ringlog key new`); RINGLOG_CLUSTER_KEY may hold the key itself',
          default: '',
        }),
        replicas: Type.String({
          description:
            'Copies of every channel, 1 to 9 or `all`; of a ring that exists the command line changes it',
          default: '3',
          pattern: '^([1-9]|all)$',
        }),
        expelAfterMs: count('A majority lets a member go that was out of reach this long; 0: never', 0),
        catchUpShare: Type.Integer({
          description:
            "Percent of the node's time that giving other homes what they lack may take while publishes need it; 100: all of it",
          default: 25,
          minimum: 1,
          maximum: 100,
        }),
      },
      strict,
    ),
    auth: Type.Object(
      {
        anonymous: Type.Boolean({ description: 'Serve clients without a token', default: true }),
        internalOrigins: Type.Array(Type.String({ pattern: '^https?://[^/@\\s]+$' }), {
          description:
            'Authentication services inside the own network that hubs may name, such as `http://10.0.0.5:9000`; all others must be public and speak TLS',
          default: [],
        }),
      },
      strict,
    ),
    rpc: Type.Object(
      {
        internalOrigins: Type.Array(Type.String({ pattern: '^https?://[^/@\\s]+$' }), {
          description:
            'Services inside the own network whose methods hubs may have clients call, such as `http://10.0.0.5:9000`; all others must be public and speak TLS',
          default: [],
        }),
      },
      strict,
    ),
    http: Type.Object(
      {
        origins: Type.Array(Type.String(), {
          description:
            'Web origins allowed besides the node itself, such as `https://app.example.com`; `*` for any',
          default: [],
        }),
        advertise: Type.Array(Type.String(), {
          description:
            'Where clients find this node, as other nodes tell theirs: URLs such as `https://node-1.example`; `auto` goes by `listen`; `none`: they are not told',
          default: ['auto'],
          minItems: 1,
        }),
        connectionsMax: count('Open connections', 110_000, 1),
        connectionsPerAddressMax: count('Open connections of one address; loopback is not counted', 1_000, 1),
      },
      strict,
    ),
    session: Type.Object(
      {
        pingIntervalMs: count('A quiet session is pinged this often', 25_000, 1_000),
        pongTimeoutMs: count('A session that is silent this long after a ping is closed', 8_000, 100),
        authTimeoutMs: count('A client that must authenticate gets this long', 5_000, 100),
        messagesPerSecondMax: count(
          'Client messages a second a session may send',
          limits.messagesPerSecondMax,
          1,
        ),
      },
      strict,
    ),
    storage: Type.Object(
      {
        maintenanceIntervalMs: count('Pause between steps of trimming and compaction', 1_000, 10),
        segmentBytes: count('Size of one segment file', 67_108_864, 8_388_608),
        fullAtRatio: Type.Number({
          description:
            'Publishes are refused when this part of the volume is used and less than 8 GiB is left',
          default: 0.9,
          minimum: 0.1,
          maximum: 0.999,
        }),
      },
      strict,
    ),
    documents: Type.Object(
      {
        cacheBytes: count(
          'Memory for documents kept folded; those used longest ago are let go, and read again from a snapshot',
          limits.documentCacheBytes,
          1_048_576,
        ),
      },
      strict,
    ),
    log: Type.Object(
      {
        level: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
          description: 'Least severe log lines that are written',
          default: 'info',
        }),
      },
      strict,
    ),
    rules: Type.Record(Type.String(), ruleSet, {
      description: 'Named rule sets',
      default: {},
    }),
    providers: Type.Record(Type.String(), Type.Unknown(), {
      description: 'Who says who clients are, of every hub that names no others',
      default: {},
    }),
    hubs: Type.Record(Type.String(), hub, {
      description: 'Hubs, with the rule sets of each, of its namespaces and of its channels',
      default: {},
    }),
  },
  strict,
);

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

export type Config = DeepReadonly<Static<typeof configSchema>>;
