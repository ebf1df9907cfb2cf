/** The TypeScript client, the same for browsers and Node: `ringlog/client`.
 *
 *      const client = connect('http://localhost:8080');
 *      await client.publish('lobby', { text: 'hello' });
 *      for await (const message of client.subscribe('lobby', { start: { last: 10 } })) console.log(message.data);
 */
export type { CallOptions } from './call.js';
export { Client, type ClientEvents, type ClientState, type SubscribeOptions, connect } from './client.js';
export {
  type DocumentOptions,
  DocumentSnapshot,
  type PatchOperation,
  type PatchOptions,
} from './documents.js';
export { type ClientErrorCode, RinglogError } from './error.js';
export { History, type HistoryOptions, type HistoryPage } from './history.js';
export type { Identity } from './identity.js';
export { Message, SignalMessage } from './message.js';
export type { ConnectOptions, PublishOptions } from './options.js';
export type { Platform, Socket, SocketEvents, WebSocketConstructor, WebSocketLike } from './platform.js';
export type { Published } from './published.js';
export type { GapNotice } from './reading.js';
export type { RestoredSubscription, SessionKeptNotice, SessionRestoredNotice } from './events.js';
export type { StartOption } from './start.js';
export {
  Subscription,
  type SubscriptionEvents,
  type SubscriptionState,
  type UnreadCount,
} from './subscription.js';
export type { Level } from '../protocol/messages.js';
