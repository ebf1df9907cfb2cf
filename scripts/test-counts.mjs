/** A test reporter that counts, and leaves the counts and the slowest files in the file named by RINGLOG_TEST_COUNTS. */
import { writeFileSync } from 'node:fs';

export default class TestCounts {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: [], slowest: slowestOf(modules) };
    for (const module of modules) countModule(module, counts);
    writeFileSync(process.env.RINGLOG_TEST_COUNTS, JSON.stringify(counts));
  }
}

const slowestTold = 15;

function slowestOf(modules) {
  const files = modules.map((module) => ({
    file: module.relativeModuleId,
    seconds: Math.round(module.diagnostic().duration / 1_000),
  }));
  return files.sort((a, b) => b.seconds - a.seconds).slice(0, slowestTold);
}

function countModule(module, counts) {
  // A file that does not load has no tests, and must not count as nothing.
  counts.failed += module.errors().length;
  for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed') counts.passed += 1;
    else if (state === 'skipped') counts.skipped.push(test.fullName);
    else counts.failed += 1;
  }
}
