#!/usr/bin/env bash
# Builds everything and runs every test. Options go to ctest (for example: -R forward).
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/setup.sh
cmake --preset release >/dev/null
cmake --build build/release
log=build/release/tests.log
ctest --test-dir build/release --output-on-failure "$@" 2>&1 | tee "$log" && result=0 || result=$?
total=$(sed -n 's/.*tests passed, .* out of \([0-9]*\)$/\1/p' "$log")
failed=$(sed -n 's/.*tests passed, \([0-9]*\) tests failed.*/\1/p' "$log")
echo "$((${total:-0} - ${failed:-0})) passed, ${failed:-0} failed"
[ -n "$total" ] && [ "$total" -gt 0 ] && exit "$result"
echo "no test was run" >&2
exit 1
