/** Stubs while the API settles. */
import type { Result } from '../base/result.js';
import type { Content } from './entry.js';

export interface ContentLimits {
  readonly messageBytesMax: number;
  readonly eventBytesMax: number;
  readonly contentTypeBytesMax: number;
  readonly headersMax: number;
  readonly headersBytesMax: number;
}

export type ContentFault =
  | 'malformed'
  | 'too-large'
  | 'event-too-long'
  | 'content-type-too-long'
  | 'too-many-headers'
  | 'headers-too-large';

export interface ContentCheck {
  /** `extras.store`, where the content says so. */
  readonly store?: boolean;
}

export declare function encodeContent(content: Content): Uint8Array;
export declare function decodeContent(bytes: Uint8Array): Result<Content, 'malformed'>;
export declare function checkContent(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: ContentLimits,
): Result<ContentCheck, ContentFault>;
export declare function contentHash(bytes: Uint8Array, start?: number, end?: number): number;
