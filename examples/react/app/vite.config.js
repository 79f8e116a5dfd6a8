import { defineConfig } from 'vite';

// The Host header stays the page's, so that requests are of the same origin.
const server = { target: process.env.PROTEKT_URL ?? 'http://127.0.0.1:8080', changeOrigin: false };

export default defineConfig({
  base: '/app/',
  esbuild: { jsx: 'automatic' },
  server: { proxy: { '/auth': server, '/mfa': server } },
});
