/** The `ringlog` command as an operator of a node runs it, beside the node's data. */
import type { NodeProcess } from './node-process.js';
import { type Ran, runProgram } from './run-program.js';

export function ringlogAt(node: NodeProcess, ...args: string[]): Promise<Ran> {
  return runProgram('dist/cli/main.js', [...args, '--url', node.url, '--data', node.dataPath]);
}
