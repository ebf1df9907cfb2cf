/** Documents that several change at once, on top of the client: `ringlog/documents`, for browsers and Node.
 *
 *      const notes = await SharedDocument.open(client, 'doc:notes');
 *      notes.on('change', () => render(notes.value));
 *      await notes.change([{ op: 'add', path: '/title', value: 'Notes' }]);
 */
export { type ChangesOptions, type DocumentChange, changesOf } from './document-changes.js';
export type { PathChange } from './path-watches.js';
export type { QueuedChange, QueuedChanges } from './queued-changes.js';
export { SharedDocument } from './shared-document.js';
export type { SharedDocumentEvents, SharedDocumentOptions } from './shared-document-options.js';
