import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Not even Vite's own reading of `.env`: a developer's deployment is none of the tests' business.
  envDir: false,
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    setupFiles: 'test/support/worker-setup.ts',
    // A process for each file: the product caches its client and its environment, and no file inherits another's.
    pool: 'forks',
    isolate: true,
    // The database is a process of its own, and many tests wait for others: no core need be left to Vitest itself.
    maxWorkers: '100%',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
  },
})
