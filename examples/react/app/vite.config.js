import { defineConfig } from 'vite';

const server = process.env.PROTEKT_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/app/',
  esbuild: { jsx: 'automatic' },
  server: { proxy: { '/auth': server, '/mfa': server } },
});
