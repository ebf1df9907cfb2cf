/** Documents that several change at once, on top of the client: `ringlog/documents`, for browsers and Node.
 *
 *      const notes = await SharedDocument.open(client, 'doc:notes');
 *      notes.on('change', () => render(notes.value));
 *      await notes.change([{ op: 'add', path: '/title', value: 'Notes' }]);
 */
export { SharedDocument, type SharedDocumentEvents, type SharedDocumentOptions } from './shared-document.js';
