# The scores of a store have the same bits for 1, 2, 3 threads, any batch, any order of texts, and one text alone.
source "$(dirname "$0")/common.sh"
head_texts 60 t.jsonl
models="$zoo/models/gemma2 $zoo/models/mistral $zoo/models/neox"
run() { # run NAME TEXTS OPTIONS...
  local name=$1 texts=$2
  shift 2
  "$llmap" score $models --texts "$texts" --store "$name.sqlite" "$@" >/dev/null 2>&1 && "$llmap" export "$name.sqlite" --out "$name.safetensors" >/dev/null
}
run base t.jsonl --threads 1
for threads in 2 3; do
  run "t$threads" t.jsonl --threads $threads
  check "$threads threads" cmp -s base.safetensors "t$threads.safetensors"
done
for batch in 1 300 5000; do
  run "b$batch" t.jsonl --batch $batch
  check "batch $batch" cmp -s base.safetensors "b$batch.safetensors"
done
tac t.jsonl >r.jsonl # the store of the base order takes the texts in the other order
cp base.sqlite again.sqlite
run again r.jsonl
check "a finished store keeps its bits" cmp -s base.safetensors again.safetensors
run reversed r.jsonl
"$llmap" compare reversed.sqlite gemma2 neox | sed -n 2,3p >a.txt
"$llmap" compare base.sqlite gemma2 neox | sed -n 2,3p >b.txt
check "order of texts" cmp -s a.txt b.txt
finish
