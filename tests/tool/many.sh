# Runs over many models: one that fails names itself, its file and the reason; the others go on; the end lists what
# failed and the command that continues. Names tell models apart.
source "$(dirname "$0")/common.sh"
head_texts 4 t.jsonl
mkdir -p lab/one lab/two other/one bare
cp -rL "$zoo/models/gpt2/." lab/one && cp -rL "$zoo/models/opt/." lab/two && cp -rL "$zoo/models/bloom/." other/one && chmod -R u+w lab other
truncate -s -4 lab/two/model.safetensors
score() { "$llmap" score "$@" --texts t.jsonl --on-overlong truncate >out.txt 2>err.txt; }
score lab none other/one --store s.sqlite
check "a run with failures" test $? = 1
check "names the argument that is no model" grep -q "^llmap: none: no such file or directory" err.txt
check "names the model, its file and the reason" grep -q "^llmap: two: lab/two/model.safetensors: .*truncated" err.txt
check "the end has a table of them" bash -c 'grep -q "^failed  reason" err.txt && grep -q "^two     lab/two/model.safetensors: " err.txt && grep -q "^none    no such" err.txt && ! grep -q "none: none" err.txt'
check "and the command that continues" grep -q "^llmap: 2 of 4 models failed: none, two; what was scored is in s.sqlite, to go on: .* score lab none other/one --store s.sqlite" err.txt
check "the others are scored, each under a name of its own" bash -c 'grep -q "^lab/one  *4  *4 " out.txt && grep -q "^other/one  *4  *4 " out.txt'
cp -L "$zoo/models/opt/model.safetensors" lab/two/ && mkdir none && cp -rL "$zoo/models/llama-s/." none && chmod -R u+w lab none
command=$(sed -n 's/.* to go on: //p' err.txt)
check "that command, when the faults are mended" bash -c "$command >out.txt 2>err.txt"
check "scores what was missing" bash -c 'grep -q "^two  *4  *4 " out.txt && grep -q "^none  *4  *4 " out.txt && grep -q "^lab/one  *4  *0 " out.txt'
check "and says what it wrote and what comes next" bash -c 'tail -1 out.txt | grep -q "^s.sqlite: 4 texts under 4 models; next: llmap map s.sqlite --html map.html$"'

score bare --store none.sqlite
check "no model at all" test $? = 1
check "leaves no store" test ! -e none.sqlite
printf '{"id":"a","text":"x"}\n{"id":"b","text":""}\n' >short.jsonl
score bare lab/two --store bare.sqlite --name x
check "--name with two models" grep -q -- "--name: expected one model, got 2" err.txt
truncate -s -4 lab/two/model.safetensors
score lab/two --store bare.sqlite
check "a run that kept nothing says so" grep -q "^llmap: 1 of 1 models failed: two; nothing was kept, to go on: .* score lab/two --store bare.sqlite" err.txt
cp -L "$zoo/models/opt/model.safetensors" lab/two/
"$llmap" score lab/one --texts short.jsonl --store short.sqlite >out.txt 2>err.txt
check "a model of which nothing can be used has failed" test $? = 1
check "and says so" grep -q "expected a text with a score that can be used, got none" err.txt

# Names.
mkdir zoo && mv lab other zoo
score zoo --store names.sqlite
check "folders of organizations" bash -c 'for name in lab/one lab/two other/one; do grep -q "^$name  *4 " out.txt || exit 1; done'
score zoo/lab/one zoo/lab/../lab/one "$PWD/zoo/lab/one/" --store twice.sqlite
check "a folder that is named twice is one model" bash -c 'test "$(grep -c "  4  " out.txt)" = 1'
score zoo/lab/one --store named.sqlite --name mine/v1
check "--name" grep -q "^mine/v1  *4  *4 " out.txt
refused 1 "mine/v1 is already there with other weights, tokenizer, policy or precision" "$llmap" score zoo/other/one --texts t.jsonl --store named.sqlite --name mine/v1
refused 1 "--name: expected one model, got 2" "$llmap" score zoo/lab --texts t.jsonl --store named.sqlite --name x
finish
