# Interrupts scoring by SIGINT and SIGTERM: what it says is saved is there, and the run that goes on ends with the bits of an undisturbed one.
source "$(dirname "$0")/common.sh"
head_texts 200 t.jsonl
models="$zoo/models/llama-s $zoo/models/gpt2 $zoo/models/opt $zoo/models/bloom"
"$llmap" score $models --texts t.jsonl --store whole.sqlite >/dev/null 2>&1
"$llmap" export whole.sqlite --out whole.safetensors >/dev/null
# Each model is scored for a while, stopped, and then goes on. A text of 20 bytes a batch, so that there is always something left.
stopped=0
for signal in INT TERM; do
  code=130 command=
  [ $signal = TERM ] && code=143
  for after in 0.02 0.1 0.2 0.3 0.4 0.5 0.6 0.8; do
    timeout --preserve-status -s $signal $after "$llmap" score $models --texts t.jsonl --store "$signal.sqlite" --threads 1 --batch 20 >out.txt 2>err.txt
    got=$?
    [ $got = 0 ] && break
    # Before the store is open, the signal ends the program as it ends any.
    [ ! -s err.txt ] && [ $got = $code ] && continue
    check "SIG$signal after $after s: exit $code" test $got = $code
    command=$(sed -n 's/.* to go on: //p' err.txt)
    check "one line" test "$(grep -c . err.txt)" = 1
    check "it names the store and the command" grep -q "^llmap: interrupted; .*what was scored is in $signal.sqlite, to go on: $llmap score .* --batch 20$" err.txt
    saved=$(sed -n 's/.*; \([0-9]*\) of 200 texts of \([a-z0-9-]*\) are scored; .*/\2 \1/p' err.txt)
    [ -n "$saved" ] || continue
    stopped=$((stopped + 1))
    read -r model count <<<"$saved"
    "$llmap" export "$signal.sqlite" --out part.safetensors >/dev/null
    cp "$signal.sqlite" check.sqlite
    "$llmap" score "$zoo/models/$model" --texts t.jsonl --store check.sqlite >table.txt
    check "$count texts of $model are in the store" grep -q "^$model  *200  *$((200 - count)) " table.txt
  done
  check "the command that goes on" eval "$command" >/dev/null
  "$llmap" export "$signal.sqlite" --out "$signal.safetensors" >/dev/null
  check "SIG$signal: the same bits" cmp -s whole.safetensors "$signal.safetensors"
done
check "some runs were stopped while they scored" test $stopped -ge 2
"$llmap" score $models --texts t.jsonl --store ignored.sqlite --threads 1 --batch 20 >/dev/null 2>&1 & # a shell starts it with SIGINT ignored
pid=$!
sleep 0.1
check "the run is not through yet" kill -INT $pid
wait $pid
check "a signal that is ignored from the start stays ignored" test $? = 0
if command -v script >/dev/null; then # a terminal
  script -qec "'$llmap' score '$zoo/models/gpt2' --texts t.jsonl --store terminal.sqlite" /dev/null >terminal.txt
  for phase in "reading the weights" tokenizing "packing the weights" scoring; do
    check "a terminal sees: $phase" grep -q "gpt2: $phase" terminal.txt
  done
fi
"$llmap" score "$zoo/models/opt" --texts t.jsonl --store quiet.sqlite >/dev/null 2>err.txt
check "elsewhere it is quiet" test ! -s err.txt
echo "$stopped runs were stopped while they scored"
finish
