# Kills the scoring process 50 times at random moments and resumes: the matrix has the bits of an undisturbed run.
source "$(dirname "$0")/common.sh"
head_texts 200 t.jsonl
models="$zoo/models/llama-s $zoo/models/gpt2 $zoo/models/opt $zoo/models/bloom"
"$llmap" score $models --texts t.jsonl --store whole.sqlite >/dev/null 2>&1
"$llmap" export whole.sqlite --out whole.safetensors >/dev/null
RANDOM=7
kills=0 runs=0 store=0
while [ $kills -lt 50 ] && [ $runs -lt 400 ]; do
  runs=$((runs + 1))
  "$llmap" score $models --texts t.jsonl --store "k$store.sqlite" --threads $((RANDOM % 3 + 1)) --batch $((RANDOM % 900 + 1)) >/dev/null 2>&1 &
  pid=$!
  sleep "0.$(printf '%03d' $((RANDOM % 900)))"
  if kill -9 $pid 2>/dev/null; then kills=$((kills + 1)); fi
  wait $pid 2>/dev/null
  code=$?
  if [ $code = 0 ]; then # finished before the kill: compare, and start a new store
    "$llmap" export "k$store.sqlite" --out k.safetensors >/dev/null
    check "store $store has the same bits" cmp -s whole.safetensors k.safetensors
    store=$((store + 1))
  fi
done
"$llmap" score $models --texts t.jsonl --store "k$store.sqlite" >/dev/null 2>&1
check "the last run finishes" test $? = 0
"$llmap" export "k$store.sqlite" --out k.safetensors >/dev/null
check "and has the same bits" cmp -s whole.safetensors k.safetensors
check "50 kills" test $kills -ge 50
echo "$kills kills in $runs runs over $((store + 1)) stores"
finish
