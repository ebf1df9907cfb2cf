/** The connection machine: every state with every event, and the times between them. */
import { describe, expect, test } from 'vitest';
import { Connection, type ConnectionOptions, type Duty, authRequestId } from '../../src/client/connection.js';
import { failure } from '../../src/protocol/errors.js';
import type { SessionInfo } from '../../src/protocol/messages.js';

const options: ConnectionOptions = {
  urls: ['ws://a', 'ws://b'],
  hub: 'default',
  publisher: { id: 'p', epoch: 1 },
  canRenewToken: false,
  connectTimeoutMs: 10_000,
  reconnectMinMs: 100,
  reconnectMaxMs: 30_000,
  askAfterMs: 1_000,
  silenceMs: 2_000,
  heartbeatMs: 25_000,
};
const half = { next: () => 0.5, bytes: (length: number) => new Uint8Array(length) };

const session: SessionInfo = {
  type: 'sessionInfo',
  sessionId: 's',
  hub: 'default',
  nodeId: 'n',
  serverVersion: '1',
  protocolVersion: 1,
  authenticated: false,
  anonymousAllowed: true,
  pingIntervalMs: 20_000,
  messageBytesMax: 1,
  frameBytesMax: 1,
  subscriptionsMax: 1,
  time: 1,
};

type Stage = 'token' | 'socket' | 'greeting' | 'open' | 'pinged' | 'waiting' | 'closed';
const nowMs = 1_000;

const events = {
  tokenFetched: (c) => c.tokenFetched('t'),
  tokenFailed: (c) => c.tokenFailed(nowMs),
  socketOpened: (c) => c.socketOpened(),
  sessionInfo: (c) => c.received(0, session, nowMs),
  authenticated: (c) => c.received(authRequestId, { type: 'auth', authenticated: true }, nowMs),
  refused: (c) => c.received(authRequestId, { type: 'error', error: failure('UNAUTHENTICATED') }, nowMs),
  ping: (c) => c.received(0, { type: 'ping' }, nowMs),
  pong: (c) => c.received(0, { type: 'pong' }, nowMs),
  broken: (c) => c.socketClosed(1006, '', nowMs),
  closedForNow: (c) => c.socketClosed(4501, 'SHUTTING_DOWN', nowMs),
  closedForGood: (c) => c.socketClosed(4404, 'HUB_NOT_FOUND', nowMs),
  unauthenticated: (c) => c.socketClosed(4401, 'UNAUTHENTICATED', nowMs),
  garbled: (c) => c.garbled(nowMs),
  due: (c) => c.tick(Math.max(nowMs, c.nextDeadline() === Infinity ? 0 : c.nextDeadline())),
  renewed: (c) => c.renewToken('u'),
  close: (c) => c.close(),
} satisfies Record<string, (connection: Connection) => Duty[]>;
type EventName = keyof typeof events;

function at(stage: Stage, changes: Partial<ConnectionOptions> = {}): Connection {
  const connection = new Connection({ ...options, ...changes }, half);
  const path: readonly [Stage, () => unknown][] = [
    ['token', () => connection.start(0)],
    ['socket', () => connection.tokenFetched('t')],
    ['greeting', () => connection.socketOpened()],
    ['open', () => [events.sessionInfo(connection), events.authenticated(connection)]],
    ['pinged', () => connection.tick(nowMs + 20_000)],
  ];
  if (stage === 'waiting' || stage === 'closed') {
    connection.start(0);
    if (stage === 'waiting') connection.tokenFailed(0);
    else connection.close();
    return connection;
  }
  for (const [reached, go] of path) {
    go();
    if (reached === stage) break;
  }
  return connection;
}

function stageOf({ state, silence }: Connection): Stage {
  if (state.name === 'connecting') return state.step;
  if (state.name === 'open') return silence.isPinged ? 'pinged' : 'open';
  return state.name;
}

const text = (duty: Duty): string =>
  duty.type === 'send'
    ? duty.message.type
    : duty.type === 'closed' && duty.error
      ? duty.error.code
      : duty.type;

/** `-`: nothing changes and nothing is to be done. */
const table: Readonly<Record<Stage, Readonly<Record<EventName, string>>>> = {
  token: {
    tokenFetched: 'socket: open-socket',
    tokenFailed: 'waiting:',
    socketOpened: '-',
    sessionInfo: '-',
    authenticated: '-',
    refused: 'closed: close-socket UNAUTHENTICATED',
    ping: 'token: pong',
    pong: '-',
    broken: 'waiting:',
    closedForNow: 'waiting:',
    closedForGood: 'closed: HUB_NOT_FOUND',
    unauthenticated: 'closed: UNAUTHENTICATED',
    garbled: 'waiting: close-socket',
    due: 'waiting: close-socket',
    renewed: '-',
    close: 'closed: closed',
  },
  socket: {
    tokenFetched: '-',
    tokenFailed: 'waiting:',
    socketOpened: 'greeting: auth',
    sessionInfo: '-',
    authenticated: '-',
    refused: 'closed: close-socket UNAUTHENTICATED',
    ping: 'socket: pong',
    pong: '-',
    broken: 'waiting:',
    closedForNow: 'waiting:',
    closedForGood: 'closed: HUB_NOT_FOUND',
    unauthenticated: 'closed: UNAUTHENTICATED',
    garbled: 'waiting: close-socket',
    due: 'waiting: close-socket',
    renewed: '-',
    close: 'closed: close-socket closed',
  },
  greeting: {
    tokenFetched: '-',
    tokenFailed: 'waiting:',
    socketOpened: '-',
    sessionInfo: '-',
    authenticated: '-',
    refused: 'closed: close-socket UNAUTHENTICATED',
    ping: 'greeting: pong',
    pong: '-',
    broken: 'waiting:',
    closedForNow: 'waiting:',
    closedForGood: 'closed: HUB_NOT_FOUND',
    unauthenticated: 'closed: UNAUTHENTICATED',
    garbled: 'waiting: close-socket',
    due: 'waiting: close-socket',
    renewed: '-',
    close: 'closed: close-socket closed',
  },
  open: {
    tokenFetched: '-',
    tokenFailed: '-',
    socketOpened: '-',
    sessionInfo: '-',
    authenticated: '-',
    refused: 'closed: close-socket lost UNAUTHENTICATED',
    ping: 'open: pong',
    pong: '-',
    broken: 'waiting: lost',
    closedForNow: 'waiting: lost',
    closedForGood: 'closed: lost HUB_NOT_FOUND',
    unauthenticated: 'closed: lost UNAUTHENTICATED',
    garbled: 'waiting: close-socket lost',
    due: 'pinged: ping',
    renewed: 'open: auth',
    close: 'closed: close close-socket lost closed',
  },
  pinged: {
    tokenFetched: '-',
    tokenFailed: '-',
    socketOpened: '-',
    sessionInfo: 'open:',
    authenticated: 'open:',
    refused: 'closed: close-socket lost UNAUTHENTICATED',
    ping: 'open: pong',
    pong: 'open:',
    broken: 'waiting: lost',
    closedForNow: 'waiting: lost',
    closedForGood: 'closed: lost HUB_NOT_FOUND',
    unauthenticated: 'closed: lost UNAUTHENTICATED',
    garbled: 'waiting: close-socket lost',
    due: 'waiting: close-socket lost',
    renewed: 'pinged: auth',
    close: 'closed: close close-socket lost closed',
  },
  waiting: {
    tokenFetched: '-',
    tokenFailed: '-',
    socketOpened: '-',
    sessionInfo: '-',
    authenticated: '-',
    refused: '-',
    ping: '-',
    pong: '-',
    broken: '-',
    closedForNow: '-',
    closedForGood: '-',
    unauthenticated: '-',
    garbled: '-',
    due: 'token: fetch-token',
    renewed: '-',
    close: 'closed: closed',
  },
  closed: {
    tokenFetched: '-',
    tokenFailed: '-',
    socketOpened: '-',
    sessionInfo: '-',
    authenticated: '-',
    refused: '-',
    ping: '-',
    pong: '-',
    broken: '-',
    closedForNow: '-',
    closedForGood: '-',
    unauthenticated: '-',
    garbled: '-',
    due: '-',
    renewed: '-',
    close: '-',
  },
};

const cells = Object.entries(table).flatMap(([stage, row]) =>
  Object.entries(row).map(([event, expected]) => [stage as Stage, event as EventName, expected] as const),
);

describe('every state with every event', () => {
  test.each(cells)('%s, %s', (stage, event, expected) => {
    const connection = at(stage);
    const duties = events[event](connection).map(text);
    const reached = stageOf(connection);
    const said = reached === stage && duties.length === 0 ? '-' : `${reached}: ${duties.join(' ')}`.trim();
    expect(said).toBe(expected);
  });
});

describe('the greeting', () => {
  test.each([
    ['SessionInfo first', ['sessionInfo', 'authenticated']],
    ['the answer to Auth first', ['authenticated', 'sessionInfo']],
  ] as const)('may come with %s', (_, order) => {
    const connection = at('greeting');
    expect(events[order[0]](connection)).toEqual([]);
    expect(events[order[1]](connection)).toEqual([{ type: 'opened', session }]);
  });

  test('names the publisher and the token', () => {
    expect(at('socket').socketOpened()).toEqual([
      { type: 'send', requestId: 1, message: { type: 'auth', token: 't', publisher: { id: 'p', epoch: 1 } } },
    ]);
  });
});

describe('waiting', () => {
  const waitsOf = (failures: number): number[] => {
    const connection = new Connection({ ...options }, half);
    connection.start(0);
    return Array.from({ length: failures }, () => {
      connection.tokenFetched(undefined);
      connection.socketClosed(1006, '', 0);
      const until = connection.nextDeadline();
      connection.tick(until);
      return until;
    });
  };

  test('doubles up to its bound, halved here by chance', () => {
    expect(waitsOf(10)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000]);
  });

  test('begins anew after a connection that held, and not after one that did not', () => {
    const connection = at('open');
    connection.socketClosed(1006, '', nowMs + 10_000);
    expect(connection.nextDeadline()).toBe(nowMs + 10_000 + 50);
    const flapping = at('open');
    flapping.socketClosed(1006, '', nowMs + 5);
    expect(flapping.nextDeadline()).toBe(nowMs + 5 + 100);
  });

  test('is for the next address', () => {
    const connection = at('token');
    const urls = [1, 2, 3].map(() => {
      const [duty] = connection.tokenFetched(undefined);
      connection.socketClosed(1006, '', 0);
      connection.tick(connection.nextDeadline());
      return duty?.type === 'open-socket' && duty.url;
    });
    expect(urls).toEqual(['ws://a', 'ws://b', 'ws://a']);
  });
});

describe('nodes that were told', () => {
  const others = ['http://b:1', 'http://c:1'];
  const told = (connection: Connection, urls: readonly string[] = others): Connection => {
    connection.received(0, { type: 'nodes', urls, spreadMs: 40 }, nowMs);
    return connection;
  };
  /** Addresses and pauses of so many connections that fail. */
  const tries = (connection: Connection, count: number, from = nowMs + 20_000) => {
    let now = from;
    connection.socketClosed(4501, 'SHUTTING_DOWN', now);
    return Array.from({ length: count }, () => {
      const waited = connection.nextDeadline() - now;
      now = connection.nextDeadline();
      connection.tick(now);
      const [duty] = connection.tokenFetched(undefined);
      connection.socketClosed(1006, '', now);
      return [duty?.type === 'open-socket' && duty.url, waited];
    });
  };
  const b = 'ws://b:1/v1/hubs/default/ws';
  const c = 'ws://c:1/v1/hubs/default/ws';

  test('are gone to at once, spread as the lost one said, before those that were given', () => {
    const found = tries(told(at('open')), 5);
    expect(found.map(([url]) => url)).toEqual([b, c, 'ws://b', b, c]);
    expect(found.map(([, waited]) => waited)).toEqual([20, 20, 100, 200, 400]);
  });

  test('are backed off from too when a connection does not hold', () => {
    expect(tries(told(at('open')), 1, nowMs + 5)).toEqual([[b, 100]]);
  });

  test('are not tried again and again where no token can be fetched', () => {
    const connection = told(at('open'));
    let now = nowMs + 20_000;
    connection.socketClosed(4501, 'SHUTTING_DOWN', now);
    const waited = Array.from({ length: 4 }, () => {
      const pause = connection.nextDeadline() - now;
      now = connection.nextDeadline();
      connection.tick(now);
      connection.tokenFailed(now);
      return pause;
    });
    expect(waited).toEqual([20, 100, 200, 400]);
    expect(connection.nextDeadline() - now).toBe(800);
    now = connection.nextDeadline();
    connection.tick(now);
    expect(connection.tokenFetched('t')).toEqual([{ type: 'open-socket', url: b }]);
  });

  test('are those told last', () => {
    const connection = told(told(at('open')), ['http://b:1']);
    expect(tries(connection, 2).map(([url]) => url)).toEqual([b, 'ws://b']);
  });

  test('are remembered by a client whose node, cut off, told of none before it was lost', () => {
    const connection = told(told(told(at('open')), ['http://b:1']), []);
    expect(tries(connection, 4).map(([url]) => url)).toEqual(['ws://a', 'ws://b', b, c]);
  });

  test('lead no client from a secure connection, to its own machine, or to what is no address', () => {
    const urls = ['https://a.example'].map((url) => url.replace('https', 'wss'));
    const secure = told(at('open', { urls }), ['http://b:1', 'https://localhost:1', 'c', 'https://d']);
    expect(tries(secure, 3).map(([url]) => url)).toEqual([
      'wss://d/v1/hubs/default/ws',
      'wss://d/v1/hubs/default/ws',
      'wss://a.example',
    ]);
    const local = told(at('open', { urls: ['ws://127.0.0.1:1'] }), ['http://127.0.0.1:2']);
    expect(tries(local, 1).map(([url]) => url)).toEqual(['ws://127.0.0.1:2/v1/hubs/default/ws']);
  });

  test('are left out when they do not know the token, which others may', () => {
    const connection = told(at('open'), ['http://b:1']);
    connection.socketClosed(4501, '', nowMs + 20_000);
    connection.tick(connection.nextDeadline());
    connection.tokenFetched('t');
    expect(connection.socketClosed(4401, 'UNAUTHENTICATED', nowMs + 21_000)).toEqual([]);
    connection.tick(connection.nextDeadline());
    expect(connection.tokenFetched('t')).toEqual([{ type: 'open-socket', url: 'ws://b' }]);
    expect(connection.socketClosed(4401, 'UNAUTHENTICATED', nowMs + 22_000).map(text)).toEqual([
      'UNAUTHENTICATED',
    ]);
  });
});

describe('a refused token', () => {
  test('is replaced when there may be another one', () => {
    const connection = at('greeting', { canRenewToken: true });
    expect(events.unauthenticated(connection)).toEqual([]);
    connection.tick(connection.nextDeadline());
    expect(connection.tokenFetched('new').map(text)).toEqual(['open-socket']);
  });

  test('is not sent twice', () => {
    const connection = at('greeting', { canRenewToken: true });
    events.unauthenticated(connection);
    connection.tick(connection.nextDeadline());
    expect(connection.tokenFetched('t').map(text)).toEqual(['UNAUTHENTICATED']);
  });
});

test('a close frame that got lost is replaced by what the server said before', () => {
  const connection = at('open');
  connection.received(0, { type: 'close', code: 4404, reason: 'HUB_NOT_FOUND', cursors: [] }, nowMs);
  expect(connection.socketClosed(1006, '', nowMs).map(text)).toEqual(['lost', 'HUB_NOT_FOUND']);
});

test('anything heard puts off the ping', () => {
  const connection = at('open');
  connection.received(0, { type: 'pong' }, nowMs + 15_000);
  expect(connection.nextDeadline()).toBe(nowMs + 35_000);
});
