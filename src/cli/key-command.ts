/** `ringlog key new`: the secret that the nodes of a cluster share. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { newClusterKey } from '../peer/cluster-key.js';

export function addKeyCommand(program: Command): void {
  const command = program.command('key').description('Cluster keys: nodes of several machines need one.');
  command
    .command('new')
    .description('Print a new cluster key.')
    .addHelpText(
      'after',
      `
Give the same key to all nodes, in a file that only they can read:
  (umask 077; ringlog key new > cluster.key)
  ringlog start --cluster-key-file cluster.key
or as RINGLOG_CLUSTER_KEY in their environment. Whoever has it can be a node of the cluster.`,
    )
    .action(() => {
      process.stdout.write(`${newClusterKey({ bytes: (length) => randomBytes(length) })}\n`);
    });
}
