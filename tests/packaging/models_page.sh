# docs/models.md is made by docs/tables.sh: it knows every family and every golden case.
set -euo pipefail
source=$1 failed=0
cd "$source"
say() { echo "docs/models.md: $*; run: bash docs/tables.sh"; failed=1; }
for type in $(sed -n '/architecture architectures\[\]/,/};/s/.*{"\([a-z0-9_]*\)", .*/\1/p' include/llmap/architectures/all.hpp); do
  grep -q "^| $type | " docs/models.md || say "no row for $type"
done
cases() { # SECTION COLUMN: the sum of a column, or the number of rows
  awk -F' *[|] *' -v section="$1" -v column="${2:-0}" '
    /^## / { here = $0 == "## " section }
    here && /^\| / && !/^\| ---/ && !/^\| (model_type|scheme|case) / { sum += column ? $column : 1 }
    END { print sum + 0 }' docs/models.md
}
folders() { find "tests/golden/$1" -mindepth 1 -maxdepth 1 -type d ! -name malformed ! -name __pycache__ | wc -l; }
[ "$(cases Families 5)" = "$(folders models)" ] || say "expected $(folders models) cases of families, got $(cases Families 5)"
[ "$(cases 'Forms of weights' 3)" = "$(folders checkpoints)" ] || say "expected $(folders checkpoints) cases of weights, got $(cases 'Forms of weights' 3)"
[ "$(cases Tokenizers)" = "$(folders tokenizers)" ] || say "expected $(folders tokenizers) tokenizers, got $(cases Tokenizers)"
exit $failed
