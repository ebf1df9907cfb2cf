#!/usr/bin/env node
import { existsSync } from 'node:fs';

const program = new URL('../dist/cli/main.js', import.meta.url);

if (existsSync(program)) {
  await import(program.href);
} else {
  console.error('ringlog is not built here yet: run `npm run build` first.');
  process.exitCode = 1;
}
