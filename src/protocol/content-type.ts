/** What a payload is, by its content type. */
export const jsonType = 'application/json';
export const jsonPatchType = 'application/json-patch+json';
export const binaryType = 'application/octet-stream';

export function isJsonType(contentType: string): boolean {
  return /^application\/(?:json|[^;]+\+json)\s*(?:;|$)/i.test(contentType);
}

/** No type at all means text. */
export function isTextType(contentType: string): boolean {
  return contentType === '' || /^text\//i.test(contentType);
}
