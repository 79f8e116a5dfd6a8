#!/usr/bin/env bash
# Builds and tests everything in this directory. It needs Node 18 or newer, Go,
# and, for the browser tests, Chromium at /usr/bin/chromium or $CHROMIUM.
set -euo pipefail
cd "$(dirname "$0")"

if ! node -e 'process.exit(+(process.versions.node.split(".")[0] < 18))' 2>/dev/null || ! command -v npm >/dev/null; then
  echo "skipped: no Node 18 or newer with npm"
  exit 0
fi
npm ci --no-audit --no-fund
npm test
if [ -x "${CHROMIUM:=/usr/bin/chromium}" ]; then
  npm run test:browser
else
  echo "skipped: no Chromium at $CHROMIUM"
fi
