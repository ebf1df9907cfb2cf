/** A row that should be there is missing or damaged: the index cannot be trusted any more and must be rebuilt. */
export class IndexDoubtError extends Error {
  override readonly name = 'IndexDoubtError';
}
