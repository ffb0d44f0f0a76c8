#!/bin/sh
# Sets up, then runs a command with the pinned runtime first in PATH: sh tools/run.sh node --version
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
sh "$root/tools/setup.sh"
PATH="$root/node_modules/.bin:$PATH"
export PATH
exec "$@"
