/** A test reporter that only counts, and leaves the counts in the file named by RINGLOG_TEST_COUNTS. */
import { writeFileSync } from 'node:fs';

export default class TestCounts {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) countModule(module, counts);
    writeFileSync(process.env.RINGLOG_TEST_COUNTS, JSON.stringify(counts));
  }
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
