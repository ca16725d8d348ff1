# Bad input of every kind: one clear line, exit 1 (2 for wrong usage), nothing lost.
source "$(dirname "$0")/common.sh"
model=$zoo/models/gpt2
head_texts 6 t.jsonl
copy() { rm -rf m; cp -rL "$model" m; chmod -R u+w m; }
score() { "$llmap" score "$@" --store s.sqlite; }

refused 2 "" "$llmap"
refused 2 "subcommand" "$llmap" frobnicate
refused 2 "--texts" "$llmap" score "$model"
refused 2 "precision" "$llmap" score "$model" --texts t.jsonl --store s.sqlite --precision f8

refused 1 "none: no such file or directory" "$llmap" info none
refused 1 "none" "$llmap" score none --texts t.jsonl --store s.sqlite
mkdir empty
refused 1 "empty: expected config.json" "$llmap" score empty --texts t.jsonl --store s.sqlite
refused 1 "empty" "$llmap" info empty
refused 1 "none.jsonl" "$llmap" score "$model" --texts none.jsonl --store s.sqlite

copy; truncate -s 1000 m/model.safetensors
refused 1 "truncated" "$llmap" info m
refused 1 "1 of 1 models failed: m" "$llmap" score m --texts t.jsonl --store s.sqlite
copy; truncate -s -1 m/model.safetensors
refused 1 "m/model.safetensors" "$llmap" info m
copy; rm m/model.safetensors
refused 1 "found neither" "$llmap" score m --texts t.jsonl --store s.sqlite
copy; rm m/model.safetensors; echo '{"weight_map": {"wte.weight": "model-00001-of-00002.safetensors"}}' >m/model.safetensors.index.json
refused 1 "shard model-00001-of-00002.safetensors is missing" "$llmap" info m
copy; echo '{}' >m/adapter_config.json
refused 1 "m/adapter_config.json: expected a model without an adapter" "$llmap" info m
refused 1 "m/adapter_config.json: expected a model without an adapter" "$llmap" score m --texts t.jsonl --store s.sqlite
copy; sed -i 's/"model_type": "gpt2"/"model_type": "gpt7"/' m/config.json
refused 1 "model_type: expected one of" "$llmap" info m
copy; sed -i 's/"n_layer": 2/"n_layer": 3/' m/config.json
refused 1 "missing, expected" "$llmap" info m
copy; sed -i 's/"n_embd": 60/"n_embd": "sixty"/' m/config.json
refused 1 'n_embd: expected an integer, got "sixty"' "$llmap" info m
copy; echo '{' >m/config.json
refused 1 "m/config.json: not valid JSON" "$llmap" info m
copy; sed -i 's/"type": *"BPE"/"type": "Bigram"/' m/tokenizer.json
refused 1 "Bigram" "$llmap" tokenize m --texts t.jsonl
copy; rm m/tokenizer.json
refused 1 "tokenizer.json" "$llmap" tokenize m --texts t.jsonl
# A hole of 8 GiB takes no room, and must not be read; all commands have one dialect of config.json.
copy; truncate -s 8G m/tokenizer.json
refused 1 "m/tokenizer.json: expected at most 1073741824 bytes, got 8589934592" "$llmap" tokenize m --texts t.jsonl
echo >i.json; truncate -s 8G i.json
refused 1 "i.json: expected at most 4294967296 bytes, got 8589934592" "$llmap" logprobs "$model" --ids i.json
echo '{"sequences": [[1, 2, 3]]}' >i.json
copy; sed -i '1s/{/{"best_loss": NaN, "limits": [0.0, Infinity, -Infinity],/' m/config.json
check "info reads NaN in config.json" "$llmap" info m >out.txt
check "tokenize reads NaN in config.json" "$llmap" tokenize m --texts t.jsonl >out.txt
check "logprobs reads NaN in config.json" "$llmap" logprobs m --ids i.json >out.txt
check "score reads NaN in config.json" "$llmap" score m --texts t.jsonl --store nan.sqlite >out.txt
copy; { printf '\357\273\277'; cat "$model/config.json"; } >m/config.json
refused 1 "m/config.json: expected JSON, got a byte order mark" "$llmap" info m
refused 1 "m/config.json: expected JSON, got a byte order mark" "$llmap" tokenize m --texts t.jsonl
refused 1 "m/config.json: expected JSON, got a byte order mark" "$llmap" logprobs m --ids i.json
refused 1 "m/config.json: expected JSON, got a byte order mark" "$llmap" score m --texts t.jsonl --store nan.sqlite
copy; sed -i 's/"n_layer": 2/"n_layer": 0/' m/config.json
refused 1 "m/config.json: n_layer: expected an integer from 1 to 4096, got 0" "$llmap" info m
# Weights that are not numbers: the last 16 bytes of the file become 0xff (NaN in BF16).
copy; truncate -s -16 m/model.safetensors; printf '\377%.0s' $(seq 16) >>m/model.safetensors
refused 1 "expected finite weights, got NaN" "$llmap" score m --texts t.jsonl --store s.sqlite
rm -f s.sqlite

echo '{"sequences": [[1, 99999]]}' >i.json
refused 1 "i.json: sequences[0]: token id at position 1: expected 0 to 1023" "$llmap" logprobs "$model" --ids i.json
echo '{"sequences": [[-1]]}' >i.json
refused 1 "expected token ids, got -1" "$llmap" logprobs "$model" --ids i.json
echo '{"sequences": [["a"]]}' >i.json
refused 1 "expected token ids" "$llmap" logprobs "$model" --ids i.json
echo '[]' >i.json
refused 1 'expected {"sequences"' "$llmap" logprobs "$model" --ids i.json
echo "{\"sequences\": [[$(printf '1,%.0s' $(seq 900))1]]}" >i.json
refused 1 "expected at most 896 tokens" "$llmap" logprobs "$model" --ids i.json

{ head -1 t.jsonl; printf '{"id":"x","text":"a\377b"}\n'; } >bad.jsonl
refused 1 "bad.jsonl:2: " "$llmap" score "$model" --texts bad.jsonl --store s.sqlite
{ head -1 t.jsonl; echo '{"id":'; } >bad.jsonl
refused 1 "bad.jsonl:2: " "$llmap" score "$model" --texts bad.jsonl --store s.sqlite
cat t.jsonl t.jsonl >bad.jsonl
refused 1 "bad.jsonl:7: " "$llmap" score "$model" --texts bad.jsonl --store s.sqlite
printf '{"id":"long","text":"%s"}\n' "$(head -c 20000 /dev/zero | tr '\0' 'q')" >long.jsonl
refused 1 "--on-overlong truncate" "$llmap" score "$model" --texts long.jsonl --store long.sqlite
"$llmap" score "$model" --texts long.jsonl --store long.sqlite --on-overlong truncate >out.txt 2>&1
check "a model that was refused left nothing behind: the store takes it under another policy" test $? = 0
refused 1 "is already there with other weights, tokenizer, policy or precision" "$llmap" score "$model" --texts long.jsonl --store long.sqlite
"$llmap" score "$model" --texts long.jsonl --store long2.sqlite --on-overlong truncate >out.txt 2>&1
check "an overlong text is truncated and flagged" grep -q "long" out.txt

check "a first score works" score "$model" --texts t.jsonl >out.txt
head_texts 5 other.jsonl
refused 1 "another text set" "$llmap" score "$model" --texts other.jsonl --store s.sqlite
refused 1 "already there with other weights" "$llmap" score "$model" --texts t.jsonl --store s.sqlite --precision f64
refused 1 '":memory:": expected the name of a file' "$llmap" score "$model" --texts t.jsonl --store :memory:
echo "not a store, but long enough to be looked at as one ................................" >junk.sqlite
refused 1 "junk.sqlite" "$llmap" score "$model" --texts t.jsonl --store junk.sqlite
refused 1 "junk.sqlite" "$llmap" map junk.sqlite --html h.html --json j.json
refused 1 "no model named nobody" "$llmap" compare s.sqlite gpt2 nobody
refused 1 "cannot" "$llmap" score "$model" --texts t.jsonl --store no/such/folder/s.sqlite
if [ "$(id -u)" != 0 ]; then
  chmod 444 s.sqlite
  refused 1 "s.sqlite" "$llmap" score "$zoo/models/llama-s" --texts t.jsonl --store s.sqlite
  chmod 644 s.sqlite
elif command -v setpriv >/dev/null; then # root may write anything: give that right away for this one
  chmod 444 s.sqlite
  refused 1 "s.sqlite" setpriv --inh-caps=-dac_override --bounding-set=-dac_override "$llmap" score "$zoo/models/llama-s" --texts t.jsonl --store s.sqlite
  chmod 644 s.sqlite
fi
refused 1 "/dev/full" "$llmap" export s.sqlite --out /dev/full
check "standard output to a full disk fails" bash -c '! "$0" tokenize "$1" --texts t.jsonl >/dev/full 2>err.txt' "$llmap" "$model"
check "the failure names it" grep -q "standard output" err.txt
# A full disk under the store: a small limit on file size stands for it.
cp s.sqlite full.sqlite
(ulimit -f 4; trap '' XFSZ; exec "$llmap" score "$zoo/models/llama-s" --texts t.jsonl --store fresh.sqlite) >out.txt 2>err.txt
check "a disk that is full is a failure" test $? = 1
check "and one that says so" grep -q "fresh.sqlite" err.txt
check "a store survives all this" "$llmap" export s.sqlite --out e.safetensors >/dev/null
for names in '[]' '{"models": [1]}' '{"models"'; do
  echo "$names" >e.json
  refused 1 "e.json" "$llmap" map --matrix e.safetensors --html e.html
done
finish
