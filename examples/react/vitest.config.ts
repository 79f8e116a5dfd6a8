import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { esbuild: { jsx: 'automatic' }, test: { name: 'unit', include: ['packages/*/test/**/*.test.{ts,tsx}'], environment: 'jsdom', restoreMocks: true } },
      { test: { name: 'guide', include: ['test/node/*.test.ts'], testTimeout: 60_000, hookTimeout: 600_000 } },
      { test: { name: 'browser', include: ['test/browser/*.test.ts'], testTimeout: 300_000, hookTimeout: 600_000 } },
    ],
  },
});
