import type { StoreMigration } from '../../src/storage/migrate.js';

export const storeMigrations: readonly StoreMigration[];
