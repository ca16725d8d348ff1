# The life of a model in a store: listed, removed, merged; and files that no command writes over without --force.
source "$(dirname "$0")/common.sh"
head_texts 4 t.jsonl
score() { "$llmap" score "$@" --texts t.jsonl --on-overlong truncate >out.txt 2>err.txt; }
gpt2=$zoo/models/gpt2 opt=$zoo/models/opt bloom=$zoo/models/bloom
check "a store" score "$gpt2" "$opt" --store a.sqlite
check "models lists them" "$llmap" models a.sqlite >models.txt
check "with texts, device, date and policy" grep -qE "^gpt2  +4 of 4  complete +cpu +20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z  precision f32, bos as_tokenizer, overlong truncate$" models.txt
check "and says what comes next" bash -c 'tail -1 models.txt | grep -q "^a.sqlite: 2 models, 0 of them incomplete, 4 texts; next: llmap map"'
check "models as JSON" bash -c '"$0" models a.sqlite --json | tr -d "\n" | grep -q "\"name\": \"gpt2\", *\"family\": \"gpt2\", *\"scored\": 4, *\"flagged\": [0-9]*, *\"complete\": true"' "$llmap"
refused 1 "none.sqlite: no such store" "$llmap" models none.sqlite
refused 1 "t.jsonl" "$llmap" models t.jsonl

cp a.sqlite c.sqlite
refused 1 "c.sqlite: no model named nobody; there are gpt2, opt" "$llmap" remove c.sqlite gpt2 nobody
check "nothing is removed" bash -c '"$0" models c.sqlite | grep -q "^gpt2 "' "$llmap"
check "remove" bash -c '"$0" remove c.sqlite gpt2 | grep -q "^c.sqlite: 1 model removed, 1 left; next: llmap models c.sqlite$"' "$llmap"
check "it is gone" bash -c '! "$0" models c.sqlite | grep -q "^gpt2 " && "$0" models c.sqlite | grep -q "^opt "' "$llmap"
check "and may be scored again, in another precision" score "$gpt2" --store c.sqlite --precision f64

check "a second store" score "$bloom" "$opt" --store b.sqlite
check "merge" "$llmap" merge m.sqlite a.sqlite b.sqlite >merged.txt
check "a row that both have is kept once" grep -q "^m.sqlite: 3 models, 4 texts, 12 scores from 2 stores (4 that more than one had); next: llmap map m.sqlite" merged.txt
check "all in one store" score "$gpt2" "$opt" "$bloom" --store all.sqlite
for store in m all; do "$llmap" export $store.sqlite --out $store.safetensors >out.txt; done
check "the merged store has the same bits" cmp -s m.safetensors all.safetensors
check "in any order" bash -c '"$0" merge n.sqlite b.sqlite a.sqlite >out.txt && "$0" export n.sqlite --out n.safetensors >out.txt && cmp -s n.safetensors m.safetensors' "$llmap"
check "the merged store goes on" bash -c '"$0" score "$1" --texts t.jsonl --on-overlong truncate --store m.sqlite | grep -q "^gpt2  *4  *0 "' "$llmap" "$gpt2"
"$llmap" merge x.sqlite a.sqlite c.sqlite >out.txt 2>err.txt
check "conflicts are refused" test $? = 1
check "and listed" grep -q "^llmap: model gpt2: precision f32, .* in a.sqlite, precision f64, .* in c.sqlite$" err.txt
check "with what to do" grep -q "x.sqlite: not written: 1 conflict between the stores; perhaps llmap remove STORE NAME" err.txt
check "nothing is written" bash -c 'test ! -e x.sqlite && ! ls | grep -q part'
head_texts 3 other.jsonl
check "another text set" "$llmap" score "$gpt2" --texts other.jsonl --on-overlong truncate --store d.sqlite >out.txt
refused 1 "d.sqlite: expected the text set of a.sqlite, got another: 3 texts, not 4" "$llmap" merge x.sqlite a.sqlite d.sqlite
refused 1 "a.sqlite: expected an output that is no input" "$llmap" merge a.sqlite a.sqlite b.sqlite
refused 1 "m.sqlite: expected a new file or one that llmap wrote, got another; --force writes over it" "$llmap" merge m.sqlite a.sqlite
check "--force replaces a store" "$llmap" merge m.sqlite a.sqlite --force >out.txt

# Files that llmap has not written.
printf 'A sentence of the document. %.0s' $(seq 60) >doc.txt
echo "my notes" >notes.md
for command in "map a.sqlite --html" "map a.sqlite --json" "map a.sqlite --svg" "map a.sqlite --tsv" "map a.sqlite --newick" "chunk doc.txt --out"; do
  cp notes.md theirs
  refused 1 "theirs: expected a new file or one that llmap wrote" "$llmap" $command theirs
  check "$command leaves the file" cmp -s notes.md theirs
  check "$command --force" "$llmap" $command theirs --force >out.txt
  check "$command writes it" bash -c '! cmp -s notes.md theirs'
  case $command in *newick) ;; *) check "$command writes over its own file" "$llmap" $command theirs >out.txt ;; esac
done
for theirs in e.safetensors e.json; do
  rm -f e.safetensors e.json && cp notes.md $theirs
  refused 1 "$theirs: expected a new file or one that llmap wrote" "$llmap" export a.sqlite --out e.safetensors
  check "export leaves $theirs" cmp -s notes.md $theirs
done
rm e.json
check "export" "$llmap" export a.sqlite --out e.safetensors >out.txt
check "export over its own" "$llmap" export b.sqlite --out e.safetensors >out.txt
printf '{"id":"a","text":"mine"}\n' >mine.jsonl
refused 1 "mine.jsonl: expected a new file" "$llmap" chunk doc.txt --out mine.jsonl
finish
