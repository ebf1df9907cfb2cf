/** Entity tags, and the conditions of requests that name some (RFC 9110, 8.8.3 and 13.1). */

export interface EntityTag {
  readonly isWeak: boolean;
  /** Between the quotes. */
  readonly value: string;
}

/** `*` goes for whatever there is. */
export type TagCondition = '*' | readonly EntityTag[];

const tagOfList = /[\t ,]*(W\/)?"([\x21\x23-\x7e\x80-\uffff]*)"[\t ]*(?=,|$)/y;
const restOfList = /[\t ,]*$/y;

/** `undefined` for what is none. */
export function tagCondition(text: string): TagCondition | undefined {
  if (text.trim() === '*') return '*';
  const tags: EntityTag[] = [];
  let at = 0;
  for (;;) {
    tagOfList.lastIndex = at;
    const match = tagOfList.exec(text);
    if (!match) break;
    tags.push({ isWeak: match[1] !== undefined, value: match[2]! });
    at = tagOfList.lastIndex;
  }
  restOfList.lastIndex = at;
  return tags.length > 0 && restOfList.test(text) ? tags : undefined;
}

/** Whether a reader with these has what has this tag: weak ones do. */
export function hasTag(condition: TagCondition | undefined, tag: string): boolean {
  if (condition === undefined || condition === '*') return condition === '*';
  return condition.some(({ value }) => `"${value}"` === tag);
}
