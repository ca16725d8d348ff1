# Folders as people have them: a hub cache, adapters, quantized checkpoints.
. "$(dirname "$0")/common.sh"
head_texts 3 t.jsonl
hub=$scratch/hub
for repository in acme--small-7b other-lab--small-7b; do
  commit=$(printf '%s' "$repository" | sha1sum | cut -c1-40)
  snapshot=$hub/models--$repository/snapshots/$commit
  mkdir -p "$snapshot" "$hub/models--$repository/refs" "$hub/models--$repository/blobs"
  printf '%s' "$commit" >"$hub/models--$repository/refs/main"
  for file in "$zoo"/models/llama-s/*; do
    cp "$file" "$hub/models--$repository/blobs/"
    ln -s "../../blobs/$(basename "$file")" "$snapshot/"
  done
done
export HF_HUB_CACHE=$hub
scored() { "$llmap" score "$@" --texts t.jsonl --on-overlong truncate >out.txt 2>err.txt; }
check "a cache is scored" scored "$hub" --store hub.sqlite
check "under the names of the hub" bash -c 'grep -q "^acme/small-7b " out.txt && grep -q "^other-lab/small-7b " out.txt'
check "an id is found in the cache, and needs nothing more" scored acme/small-7b --store hub.sqlite
check "nothing is scored again" bash -c 'grep -q "^acme/small-7b  *3  *0 " out.txt'
check "a repository's folder" scored "$hub/models--acme--small-7b" --store hub.sqlite
check "info takes an id" "$llmap" info acme/small-7b >/dev/null
chmod -R a-w "$hub"
check "a cache that cannot be written to" scored other-lab/small-7b --store hub.sqlite
refused 1 "no such file or directory, nor a model in the cache" "$llmap" info acme/large
refused 1 "revision v9; get it with: hf download acme/small-7b" "$llmap" info acme/small-7b@v9

mkdir adapter
printf '{"peft_type":"LORA","r":2,"lora_alpha":4,"base_model_name_or_path":"lab/none"}' >adapter/adapter_config.json
refused 1 "base_model_name_or_path: expected the folder of a model, or one in the hub cache, got lab/none" "$llmap" info adapter
refused 1 "expected adapter_model.safetensors" "$llmap" info adapter --base "$zoo/models/llama-s"
refused 1 "peft_type: expected LORA, got \"IA3\"" "$llmap" info "$source/tests/golden/checkpoints/malformed/lora_ia3/adapter" \
  --base "$source/tests/golden/checkpoints/malformed/lora_ia3/base"
refused 1 "quant_method: expected fp8" "$llmap" info "$source/tests/golden/checkpoints/malformed/method_unknown"

# Folders and files that are something else: what they are, and what to do.
cp -rL "$zoo/models/llama-s" wrong && chmod -R u+w wrong
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n' >wrong/model.safetensors
refused 1 "wrong/model.safetensors: expected a safetensors file, got a pointer of Git LFS: the file itself was not downloaded" "$llmap" info wrong
cp "$zoo/models/llama-s/model.safetensors" wrong/
for file in config.json tokenizer.json tokenizer_config.json; do
  printf '<!doctype html>\n<html><title>Log in</title>' >wrong/$file
  refused 1 "wrong/$file: expected JSON, got a page of HTML; perhaps the download asked for a login" "$llmap" tokenize wrong --texts t.jsonl
  cp "$zoo/models/llama-s/$file" wrong/
done
mkdir gguf && printf 'GGUF\3\0\0\0________' >gguf/small.gguf
refused 1 "gguf/small.gguf: metadata count: truncated" "$llmap" info gguf
refused 1 "gguf/small.gguf: metadata count: truncated" "$llmap" score gguf/small.gguf --texts t.jsonl --store x.sqlite
mkdir own && echo '{}' >own/params.json && touch own/consolidated.safetensors
refused 1 "own: expected config.json, or folders that hold one, or GGUF files, got params.json, the publisher's own layout" "$llmap" info own
refused 1 "got a file; perhaps its folder" "$llmap" score wrong/model.safetensors --texts t.jsonl --store x.sqlite

# A tokenizer with more ids than the model has rows works for the texts that do not use them.
vocabulary=$("$llmap" info wrong --json | sed -n 's/.*"vocabulary": \([0-9]*\),/\1/p')
sed -i "0,/\"added_tokens\": *\[/s//\"added_tokens\": [{\"id\": $vocabulary, \"content\": \"[PAD]\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true},/" wrong/tokenizer.json
check "a token beyond the model's rows" "$llmap" info wrong >info.txt
check "info says so" grep -q "^note  *the tokenizer has ids up to $vocabulary, the model $vocabulary rows: texts with ids beyond are refused$" info.txt
check "texts without it are scored" scored wrong --store pad.sqlite
printf '{"id":"p","text":"a [PAD] b"}\n' >p.jsonl
refused 1 "text p: token id at position" "$llmap" score wrong --texts p.jsonl --store padded.sqlite

# A quantized checkpoint with a tokenizer: scores are those of its log-probabilities, and info says the scheme.
cp -r "$source/tests/golden/checkpoints/gptq4_sym" quantized && chmod -R u+w quantized
sed 's/"sequences": \[/&/' quantized/expected.json >/dev/null
printf '{"sequences": [[1,2,3,4,5]]}' >ids.json
check "log-probabilities of packed weights" bash -c '"$0" logprobs quantized --ids ids.json --precision f64 >packed.json' "$llmap"
cp "$zoo"/models/llama-s/tokenizer* quantized/
"$llmap" info quantized >info.txt 2>err.txt
check "info says the scheme" grep -q "^quantized      gptq, 4 bits, groups of 32" info.txt

# Inputs rounded as deployed: other numbers, a policy of their own, never mixed; what has no such rule is refused by name.
cp -r "$source/tests/golden/checkpoints/ct_fp8_channel" fp8 && chmod -R u+w fp8
printf '{"version":"1.0","pre_tokenizer":{"type":"Whitespace"},"model":{"type":"WordLevel","vocab":{"a":1,"b":2,"c":3,"d":4},"unk_token":"a"}}' >fp8/tokenizer.json
printf '{"tokenizer_class":"PreTrainedTokenizerFast"}' >fp8/tokenizer_config.json
printf '{"id":"1","text":"a b c d c"}\n{"id":"2","text":"d d a b"}\n' >words.jsonl
"$llmap" info fp8 >info.txt
check "info says what the deployed model rounds" grep -q "^as deployed    inputs of [0-9]* matrices are rounded to fp8 a token$" info.txt
check "info says that nothing is" bash -c '"$0" info quantized | grep -q "^as deployed    inputs are not rounded$"' "$llmap"
for mode in full deployed; do
  "$llmap" logprobs fp8 --ids ids.json --activations $mode >$mode.json
  check "scored with activations $mode" bash -c '"$0" score fp8 --texts words.jsonl --store $1.sqlite --activations $1 >/dev/null' "$llmap" $mode
  "$llmap" export $mode.sqlite --out $mode.tsv >/dev/null
done
check "log-probabilities differ" bash -c '! diff <(grep -v activations full.json) <(grep -v activations deployed.json)' >/dev/null
check "scores differ" bash -c '! cmp -s full.tsv deployed.tsv'
check "the policy says so" bash -c '"$0" models deployed.sqlite | grep -q "activations deployed"' "$llmap"
check "and says nothing by default" bash -c '! "$0" models full.sqlite | grep -q activations' "$llmap"
refused 1 "activations deployed" "$llmap" score fp8 --texts words.jsonl --store full.sqlite --activations deployed
refused 1 "expected working precision, got bf16 products" "$llmap" logprobs fp8 --ids ids.json --activations deployed --precision bf16
refused 1 "LLM.int8 chooses the columns" "$llmap" logprobs "$source/tests/golden/checkpoints/bnb_int8" --ids ids.json --activations deployed
refused 2 "--activations" "$llmap" logprobs fp8 --ids ids.json --activations some
for mode in full deployed; do "$llmap" logprobs quantized --ids ids.json --activations $mode | grep -o '"logprob".*' >$mode.json; done
check "4-bit weights alone round no inputs" cmp full.json deployed.json

# Code of the publisher's own is not run. transformers' class of the model_type is, if it reads all there is.
cp -rL "$zoo/models/llama-s" coded && chmod -R u+w coded
check "scored without such code" scored coded --store coded.sqlite
sed -i '0,/{/s//{"auto_map": {"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"},/' coded/config.json
check "info of a folder with code" "$llmap" info coded >info.txt
check "info says that it is not run" grep -q "^own code  *modeling_own.OwnForCausalLM is not run: scored as the llama of transformers$" info.txt
check "scored with such code beside it" scored coded --store own.sqlite
check "score says that it is not run" grep -q "^coded: the publisher's code, modeling_own.OwnForCausalLM, is not run" err.txt
for store in coded own; do "$llmap" export $store.sqlite --out $store.tsv >/dev/null; done
check "the same scores" cmp coded.tsv own.tsv
finish
