#!/usr/bin/env bash
# Builds and tests everything in this directory. It needs Node 18 or newer, Go,
# and, for the browser tests, Chromium at /usr/bin/chromium or $CHROMIUM.
set -euo pipefail
cd "$(dirname "$0")"

# missing skips what needs a program, or fails with MFA_TEST_REQUIRE=1.
missing() {
  if [ "${MFA_TEST_REQUIRE:-}" = 1 ]; then
    echo "missing: $1" >&2
    exit 1
  fi
  echo "skipped: no $1"
  exit 0
}

if ! node -e 'process.exit(+(process.versions.node.split(".")[0] < 18))' 2>/dev/null || ! command -v npm >/dev/null; then
  missing "Node 18 or newer with npm"
fi
npm ci --no-audit --no-fund
npm test
[ -x "${CHROMIUM:=/usr/bin/chromium}" ] || missing "Chromium at $CHROMIUM"
npm run test:browser
