#!/bin/sh
# Tests under the pinned runtime: first all fast ones side by side, then one by one those that kill processes under load
# or run other programs, so that none of them is starved. With arguments: just those files.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
sh tools/setup.sh
PATH="$root/node_modules/.bin:$PATH"
export PATH
if [ $# -gt 0 ]; then exec node --test "$@"; fi
status=0
fast=$(find test -name '*.test.ts' ! -path 'test/kill/*' ! -path 'test/peers/*' ! -path 'test/system/*' | sort)
slow=$(find test/kill test/peers test/system -name '*.test.ts' | sort)
# shellcheck disable=SC2086
if [ -n "$fast" ]; then node --test --test-timeout=120000 --test-concurrency=2 $fast || status=1; fi
# shellcheck disable=SC2086
if [ -n "$slow" ]; then node --test --test-timeout=300000 --test-concurrency=1 $slow || status=1; fi
exit $status
