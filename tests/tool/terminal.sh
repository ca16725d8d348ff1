# Pipes and terminals: inputs from pipes, results alone on standard output, JSON, help, and the words that were meant.
source "$(dirname "$0")/common.sh"
model=$zoo/models/gpt2
head_texts 6 t.jsonl
"$llmap" tokenize "$model" --texts t.jsonl >ids.jsonl
check "texts from -" bash -c '"$0" tokenize "$1" --texts - <t.jsonl | cmp -s - ids.jsonl' "$llmap" "$model"
check "texts from /dev/stdin" bash -c 'cat t.jsonl | "$0" tokenize "$1" --texts /dev/stdin | cmp -s - ids.jsonl' "$llmap" "$model"
check "texts from a process substitution" bash -c '"$0" tokenize "$1" --texts <(gzip -c t.jsonl) | cmp -s - ids.jsonl' "$llmap" "$model"
check "a folder's texts, a table, a number of them" bash -c '"$0" tokenize "$1" --texts t.jsonl --limit 2 | wc -l | grep -q "^2$"' "$llmap" "$model"
printf 'key,body\nk,Once\n' >t.csv
check "fields of a table" bash -c '"$0" tokenize "$1" --texts t.csv --text-field body --id-field key | grep -q "^{\"id\":\"k\",\"ids\":\["' "$llmap" "$model"
check "tokenize feeds logprobs" bash -c '"$0" tokenize "$1" --texts t.jsonl --limit 2 | "$0" logprobs "$1" --ids - >l.json' "$llmap" "$model"
check "under the ids of the texts" grep -q "^{\"precision\":\"f32\",\"sequences\":\[{\"id\":\"$(head -1 t.jsonl | sed 's/.*"id": *"\([^"]*\)".*/\1/')\",\"ids\":\[[0-9,]*\],\"logprob\":\[-" l.json
check "score from a pipe" bash -c 'cat t.jsonl | "$0" score "$1" "$2" --texts - --store s.sqlite --on-overlong truncate >out.txt' "$llmap" "$model" "$zoo/models/opt"
check "score as JSON" bash -c '"$0" score "$1" none --texts t.jsonl --store s.sqlite --on-overlong truncate --json 2>err.txt >score.json; test $? = 1' "$llmap" "$model"
check "with what was scored and what failed" bash -c 'tr -d "\n" <score.json | grep -q "^{ \"store\": \"s.sqlite\", \"texts\": 6, \"models\": \[ *{ *\"name\": \"gpt2\", *\"texts\": 6, *\"new\": 0, *\"complete\": true.*\"failed\": \[ *{ *\"name\": \"none\", *\"reason\": \"no such.*\"to_go_on\": \".* score .*\"}$"'
check "compare as JSON" bash -c '"$0" compare s.sqlite gpt2 opt --json | tr -d "\n" | grep -q "^{ \"models\": \[\"gpt2\", \"opt\"\], \"texts\": [0-9]*, .*\"kl_bits_per_byte\": [0-9.]*, \"kl_standard_error\": [0-9.]*, .*\"influential_texts\": \["' "$llmap"
check "the same number as in words" bash -c 'a=$("$0" compare s.sqlite gpt2 opt --json | sed -n "s/.*\"kl_bits_per_byte\": \([0-9.]*\),/\1/p"); b=$("$0" compare s.sqlite gpt2 opt | sed -n "s/^KL  *\([0-9.]*\) .*/\1/p"); awk -v a="$a" -v b="$b" "BEGIN { exit !(a > 0 && (a - b) ^ 2 < 1e-9 * b * b) }"' "$llmap"
check "info as JSON" bash -c '"$0" info "$1" --json | tr -d "\n" | grep -q "\"model_type\": \"gpt2\".*\"parameters\": [0-9]*, .*\"weights\": *{.*\"tokenizer\": *{ *\"ids\": 1024,"' "$llmap" "$model"
check "info of a file as JSON" bash -c '"$0" info "$1/model.safetensors" --json | tr -d "\n" | grep -q "\"bytes\": [0-9]*, *\"tensors\": \[ *{ *\"name\": "' "$llmap" "$model"

# A result on standard output is alone there.
for form in html json svg tsv newick; do
  "$llmap" map s.sqlite --$form f.$form >out.txt
  check "map --$form -" bash -c '"$0" map s.sqlite --$1 - 2>err.txt | cmp -s - f.$1' "$llmap" $form
  check "the summary of map --$form goes to standard error" grep -q "^nearest model" err.txt
done
check "map says what it wrote" bash -c 'tail -1 out.txt | grep -q "^wrote f.newick$"'
"$llmap" map "$zoo/expected/likelihood.safetensors" >out.txt
check "map says how to go on where most pairs are far" grep -qE "^most pairs are far; --exclude MODEL... .* first: model 6 \(from 29 of 29\), " out.txt
"$llmap" map "$zoo/expected/likelihood.safetensors" --only "model 8" "model 10" "model 11" >out.txt
check "and nothing of that where they are near" bash -c '! grep -q "most pairs" out.txt'
printf 'A sentence of the document. %.0s' $(seq 60) >doc.txt
"$llmap" chunk doc.txt --out c.jsonl >out.txt
check "chunk says what it wrote and what comes next" grep -q "^c.jsonl: 2 texts of 1 document; next: llmap score MODEL... --texts c.jsonl --store s.sqlite$" out.txt
check "chunk from and to a pipe" bash -c '"$0" chunk - --out - <doc.txt 2>err.txt | sed "s/stdin/doc.txt/g" | cmp -s - c.jsonl' "$llmap"
check "export to a pipe" bash -c '"$0" export s.sqlite --out - 2>err.txt >e.safetensors && "$0" export s.sqlite --out f.safetensors >out.txt && cmp -s e.safetensors f.safetensors' "$llmap"
check "export says so" grep -q "^2 models, 6 texts: /dev/stdout, without names$" err.txt
check "and leaves nothing in /dev" test ! -e /dev/stdout.json

# Words.
check "--version" bash -c '"$0" --version | grep -qE "^llmap [0-9]+\.[0-9]+\.[0-9]+$"' "$llmap"
check "help" bash -c '"$0" help | grep -q "^  merge "' "$llmap"
check "help of a command" bash -c '"$0" help score | grep -q "^Usage: llmap score "' "$llmap"
refused 2 "no command scor; did you mean score?" "$llmap" scor
refused 2 "no command mpa; did you mean map?" "$llmap" mpa
refused 2 "no command scor; did you mean score?" "$llmap" help scor
refused 2 "no command frobnicate (" "$llmap" frobnicate
refused 2 "no option --txets of llmap score; did you mean --texts?" "$llmap" score m --txets t.jsonl
refused 2 "no option --frobnicate of llmap map" "$llmap" map --frobnicate=3
check "one line" test "$(grep -c . err.txt)" = 1
refused 2 "--texts is required; llmap help score says more" "$llmap" score m

# One table of commands and options: help, man page and completions have the same.
"$llmap" man >man.txt && "$llmap" completion bash >completion.bash && "$llmap" completion fish >completion.fish && "$llmap" completion zsh >completion.zsh
check "completions" test $? = 0
commands=$("$llmap" help | sed -n '/^Subcommands:/,$s/^  \([a-z]*\) .*/\1/p')
check "commands" test "$(wc -w <<<"$commands")" -ge 14
for command in $commands; do
  check "man has $command" grep -q "^.SS $command" man.txt
  check "fish has $command" grep -q " -f -a $command -d " completion.fish
  for option in $("$llmap" help "$command" | grep -o '^  [^ ]*--[a-z-]*' | sed 's/.*--//'); do
    check "man has $command --$option" bash -c 'sed -n "/^.SS $0/,/^.SS /p" man.txt | grep -qF -- "$(sed "s/-/\\\\-/g" <<<"--$1")"' "$command" "$option"
    check "fish has $command --$option" grep -q -- "_from $command' -l $option " completion.fish
  done
done
completed() { # completed WORDS...: what bash offers for the last of them
  bash -c 'source completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _llmap; echo "${COMPREPLY[*]}"' bash "$@"
}
check "bash completes commands" test "$(completed llmap me)" = merge
check "and options" test "$(completed llmap score --te)" = "--texts --text-field"
check "and their values" test "$(completed llmap score --precision f)" = "f32 f64"
check "and files" test "$(completed llmap score t.js)" = t.jsonl

# Control characters of names never reach a terminal.
escape=$(printf '\033[31m')
mkdir "evil$escape" && cp -rL "$model/." "evil$escape" && chmod -R u+w "evil$escape"
printf '{"id":"a\\u001b[31m","text":"Once upon a time"}\n{"id":"b\\u001b[31m","text":"there was"}\n{"id":"c\\u001b","text":"a king"}\n{"id":"d","text":"x"}\n' >evil.jsonl
"$llmap" score "evil$escape" "$zoo/models/opt" none"$escape" --texts evil.jsonl --store "evil$escape.sqlite" --on-overlong truncate >all.txt 2>&1
"$llmap" models "evil$escape.sqlite" >>all.txt 2>&1
"$llmap" map "evil$escape.sqlite" --tsv "evil$escape.tsv" >>all.txt 2>&1
"$llmap" compare "evil$escape.sqlite" "evil$escape" opt >>all.txt 2>&1
"$llmap" export "evil$escape.sqlite" --out "evil$escape.safetensors" >>all.txt 2>&1
"$llmap" remove "evil$escape.sqlite" "evil$escape" >>all.txt 2>&1
"$llmap" tokenize "evil$escape" --texts evil.jsonl >>all.txt 2>&1
"$llmap" frob"$escape" >>all.txt 2>&1
"$llmap" score --frob"$escape" >>all.txt 2>&1
"$llmap" map a b"$escape" >>all.txt 2>&1
check "all that was said" bash -c 'test "$(wc -l <all.txt)" -gt 30'
check "holds no escape" bash -c '! grep -q "$(printf "\033")" all.txt'
finish
