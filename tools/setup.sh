#!/bin/sh
# Installs the dependencies, the pinned runtime among them, when they are missing or older than the lock file.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.package-lock.json
if [ ! -f "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
  echo 'Installing dependencies (npm ci) …' >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch "$stamp"
fi
