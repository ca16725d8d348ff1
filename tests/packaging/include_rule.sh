# The include rule of docs/layers.md: which chapter may include which.
set -euo pipefail
cd "$1/include/llmap"
declare -A allowed=(
  [core]="" [text]="core" [weights]="core" [reference]="core" [architectures]="core weights" [forward]="core weights architectures"
  [likelihood]="core weights architectures forward" [geometry]="core" [picture]="core geometry"
  [store]="core text weights likelihood geometry" [model]="core text weights architectures forward likelihood store geometry"
  # The doors lie beside the chapters, each a chapter of its own.
  [cpu.hpp]="core forward likelihood" [cuda.cuh]="core forward likelihood" [model.hpp]="architectures cpu kernels model"
  [kernels.hpp]="cpu forward geometry likelihood weights")
bad=0 count=0
while IFS=: read -r file line; do
  chapter=${file%%/*} target=$(sed 's/.*"llmap\/\([a-z]*\)[\/.].*/\1/' <<<"$line")
  count=$((count + 1))
  [ "$target" = "$chapter" ] && continue
  [[ " ${allowed[$chapter]} " == *" $target "* ]] && continue
  echo "FAILED: $file includes $target"
  bad=1
done < <(grep -r '#include "llmap/' --include='*.hpp' --include='*.cuh' . | sed 's/^\.\///')
[ "$count" -gt 50 ] || { echo "FAILED: found only $count includes"; bad=1; }
grep -rln '\.cuh"' --include='*.hpp' . && bad=1
echo "$count includes"
exit $bad
