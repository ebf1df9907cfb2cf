/** What a certificate says of its node, as URI in its alternative names: `ringlog://CLUSTER/NODE`. */
import type { NodeId } from '../base/ids.js';

export interface NodeName {
  readonly cluster: string;
  readonly node: NodeId;
}

export function nodeUri(cluster: string, node: NodeId): string {
  return `ringlog://${cluster}/${node}`;
}

/** Cluster and node a certificate speaks for. `alternativeNames`: as Node prints them. */
export function nodeOf(alternativeNames: string | undefined): NodeName | undefined {
  const found = /(?:^|, )URI:ringlog:\/\/([a-z0-9-]{1,32})\/([0-9a-f]{32})(?=$|, )/.exec(
    alternativeNames ?? '',
  );
  return found ? { cluster: found[1]!, node: found[2] as NodeId } : undefined;
}
