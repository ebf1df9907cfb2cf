/** For routes that ask the cluster. */
import type { ClusterApi } from '../engine/api.js';
import { failure } from '../protocol/errors.js';
import { HttpFailure } from './problem.js';

/** The node's cluster; refused for one that is alone. */
export function among(cluster: ClusterApi | undefined): ClusterApi {
  if (cluster) return cluster;
  const message = 'This node is alone and goes by no ring. Start it with --join, or start others beside it.';
  throw new HttpFailure(failure('INVALID', { message }));
}
