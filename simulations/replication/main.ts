/** `node scripts/run-tool.mjs simulations/replication/main FIRST COUNT [HOMES]`: searches seeds of the replication core. Exit
 *  codes: 0 none found, 10 a promise broke. */
import { searchReplication } from './search.js';

const [firstSeed = 1, count = 1_000, homes] = process.argv.slice(2).map(Number);
const { violations, stats } = searchReplication({ firstSeed, count, ...(homes ? { homes } : {}) });
for (const { seed, what } of violations.slice(0, 10)) console.error(`seed ${seed}: ${what}`);
console.log(JSON.stringify(stats));
process.exitCode = violations.length > 0 ? 10 : 0;
