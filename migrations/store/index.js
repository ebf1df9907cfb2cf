/** Steps that bring an older store to the present format, each from one format to the next. They run in order, before
 *  anything else of the store is read, while its directory is locked. A step may be interrupted anywhere and is then run
 *  again: it must not mind finding its work half done. Format 1 is the first, so there is none yet. */
export const storeMigrations = [];
