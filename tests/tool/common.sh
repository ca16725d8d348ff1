# Sourced by the tests of the tool: $llmap, $source, a scratch folder, and the counting of checks.
set -u
llmap=$1 source=$2
zoo=$source/examples/zoo
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
checks=0 failures=0
check() { # check WHAT CONDITION...
  local what=$1
  shift
  checks=$((checks + 1))
  "$@" || { failures=$((failures + 1)); echo "FAILED: $what"; }
}
finish() {
  echo "$checks checks, $failures failed"
  [ "$failures" = 0 ] && [ "$checks" -gt 0 ]
  exit
}
# refused CODE PATTERN COMMAND...: exits with CODE and says PATTERN in its last line on standard error; no crash.
refused() {
  local code=$1 pattern=$2 got
  shift 2
  timeout 60 "$@" >out.txt 2>err.txt
  got=$?
  checks=$((checks + 1))
  if [ $got != "$code" ] || ! grep -qF -- "$pattern" err.txt || grep -q "AddressSanitizer\|runtime error" err.txt; then
    failures=$((failures + 1))
    echo "FAILED: $* -> exit $got (expected $code), expected '$pattern' in:"
    head -5 err.txt
  fi
  [ "$code" = 2 ] && return
  checks=$((checks + 1))
  [ "$(grep -c . err.txt)" -le 2 ] || { failures=$((failures + 1)); echo "FAILED: more than a line and its summary: $*"; cat err.txt; }
}
head_texts() { head -n "$1" "$zoo/texts.jsonl" >"$2"; }
