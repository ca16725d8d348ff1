# The documented forms of every command, with their outputs looked at.
source "$(dirname "$0")/common.sh"
head_texts 12 t.jsonl
check "info of a folder" "$llmap" info "$zoo/models/llama-m" >info.txt
check "info names the type" grep -q "model type *llama" info.txt
check "info says what a token takes" grep -qE "^a token +[1-9][0-9]+ of the parameters$" info.txt
check "info says what a text takes" grep -qE "^a text +[0-9]+\.[0-9]{3} GFLOP for 512 tokens$" info.txt
check "info says what memory scoring takes" grep -qE "^memory +[0-9.]+ MiB in f32, of which [0-9.]+ MiB weights$" info.txt
check "info of a file" "$llmap" info "$zoo/models/llama-m/model.safetensors" >info.txt
mkdir two && cp -rL "$zoo/models/gpt2/." two && chmod -R u+w two
echo '{"weight_map": {"wte.weight": "model-00001-of-00002.safetensors"}}' >two/model.safetensors.index.json
touch two/pytorch_model.bin
check "info of a folder with other weights too" "$llmap" info two >info.txt
check "info names the index that is not used" grep -q "^not used *model.safetensors.index.json$" info.txt
check "info names the format that is not used" grep -q "^not used *pytorch_model.bin$" info.txt
check "tokenize" "$llmap" tokenize "$zoo/models/mistral" --texts t.jsonl >ids.jsonl
check "a line a text" test "$(wc -l <ids.jsonl)" = 12
"$llmap" tokenize "$zoo/models/mistral" --texts t.jsonl --no-special >plain.jsonl
check "BOS is a special token" bash -c 'head -1 ids.jsonl | grep -q "\"ids\":\[1," && ! head -1 plain.jsonl | grep -q "\"ids\":\[1,"'
echo '{"sequences": [[5, 6, 7], [9]]}' >i.json
for precision in f32 f64; do
  check "logprobs $precision" "$llmap" logprobs "$zoo/models/gpt2" --ids i.json --precision $precision >l.json
  check "its form" grep -q "^{\"precision\":\"$precision\",\"sequences\":\[{\"ids\":\[5,6,7\],\"logprob\":\[-[0-9.e-]*,-[0-9.e-]*\]},{\"ids\":\[9\],\"logprob\":\[\]}\]}$" l.json
  echo '{"sequences": [[9, 4, 2, 8], [5, 6, 7], [1, 1]]}' >more.json
  "$llmap" logprobs "$zoo/models/gpt2" --ids more.json --precision $precision >more.txt
  check "the same in company" grep -qF "$(grep -o '{"ids":\[5,6,7\][^}]*}' l.json)" more.txt
done
for bos in as_tokenizer always never; do
  check "score --bos $bos" "$llmap" score "$zoo/models/mistral" "$zoo/models/llama-s" --texts t.jsonl --store "$bos.sqlite" --bos $bos >score.txt
done
check "the table" grep -q "^model .*tokens/s.*bits/byte" score.txt
mkdir folder && ln -s "$zoo/models/gpt2" "$zoo/models/gpt2-int4" "$zoo/models/opt" folder/
check "score a folder of models" "$llmap" score folder --texts t.jsonl --store s.sqlite --precision f64 --threads 2 --on-overlong truncate >score.txt
check "three models" test "$(grep -c '  12 ' score.txt)" = 3
check "a second run scores nothing" bash -c '"$0" score folder --texts t.jsonl --store s.sqlite --precision f64 --on-overlong truncate | grep -q "^opt  *12  *0 "' "$llmap"
check "export" "$llmap" export s.sqlite --out m.safetensors
check "names" grep -q '"gpt2-int4"' m.json
check "export of some" "$llmap" export s.sqlite --out some.safetensors --only gpt2 opt
check "their names" bash -c 'grep -q "\"opt\"" some.json && ! grep -q int4 some.json'
check "map without one" "$llmap" map s.sqlite --json without.json --exclude gpt2-int4
check "it is not there" bash -c '! grep -q int4 without.json'
refused 1 "s.sqlite: no model named gpt3; there are gpt2, gpt2-int4, opt" "$llmap" map s.sqlite --json x.json --only gpt3
refused 1 "no model named gpt3" "$llmap" compare s.sqlite gpt2 opt --exclude gpt3
check "compare of some" "$llmap" compare s.sqlite gpt2 opt --only gpt2 opt >c.txt
mkdir broken && cp -r "$zoo/models/gpt2" broken/good && cp -r "$zoo/models/gpt2" broken/bad && chmod -R u+w broken && truncate -s -4 broken/bad/model.safetensors
"$llmap" score broken "$zoo/models/opt" --texts t.jsonl --store b.sqlite --on-overlong truncate >score.txt 2>err.txt
check "a model that fails" test $? = 1
check "leaves the others a map" "$llmap" map b.sqlite --json b.json
check "and nothing of itself" bash -c 'grep -q good b.json && ! grep -q bad b.json'
check "map of a store" "$llmap" map s.sqlite --html a.html --json a.json --tsv a.tsv --clip 0.02
check "map of a matrix" "$llmap" map --matrix m.safetensors --html b.html --json b.json --perplexity 1
check "the page names the models" grep -q "gpt2-int4" b.html
for key in models threshold kl_bits_per_byte kl_standard_error pca scores explained_variance_ratio tsne tree; do
  check "map.json has $key" grep -q "\"$key\"" a.json
done
head_texts 2 two.jsonl
check "score two texts" "$llmap" score folder --texts two.jsonl --store two.sqlite --on-overlong truncate >score.txt
check "a map of two texts" bash -c '"$0" map two.sqlite --json two.json --tsv two.tsv --svg two.svg --html two.html >two.txt' "$llmap"
check "has no errors on the terminal" bash -c 'grep -q "two texts give no standard error" two.txt && ! grep -q "±" two.txt'
check "nor in the JSON" bash -c 'grep -A1 kl_standard_error two.json | grep -q "\[0.0, null, null\]"'
check "nor in the table" bash -c '! grep -qi nan two.tsv && test "$(awk -F "\t" "NR > 1 && \$(NF - 2) == \"\"" two.tsv | wc -l)" = 3'
check "compare two texts" "$llmap" compare two.sqlite gpt2 opt >c.txt
check "has no error of KL" bash -c 'grep "^KL" c.txt | grep -q "two texts give no standard error" && ! grep "^KL" c.txt | grep -q "±"'
check "what two texts carry is marked" bash -c 'grep -q "^few texts: 3 of 3 pairs; fewer than 10 texts of equal share would carry the estimate$" two.txt && grep -q "few texts$" two.tsv && grep -A1 kl_marks two.json | grep -q "few texts" && grep -q "^rests on  *2 texts, which weigh like 2.0 of equal share; few texts: fewer than 10$" c.txt'
head_texts 1 one.jsonl
check "score one text" "$llmap" score folder --texts one.jsonl --store one.sqlite --on-overlong truncate >score.txt
refused 1 "map: expected at least 2 texts, got 1" "$llmap" map one.sqlite --json one.json
check "no map of it" test ! -e one.json
refused 1 "expected at least 2 texts that both have scored, got 1" "$llmap" compare one.sqlite gpt2 opt
rm m.json
check "names are optional" "$llmap" map --matrix m.safetensors --html b.html --json b.json
check "a matrix of numbers alone" "$llmap" export s.sqlite --out plain.npy
check "is mapped in nats" bash -c '"$0" map --matrix plain.npy --html n.html --json n.json --tsv n.tsv >n.txt' "$llmap"
check "as it says" grep -q "texts; their lengths are not known, so that KL counts nats a text$" n.txt
check "everywhere" bash -c 'grep -q "± standard error in nats/text$" n.txt && grep -q "\"kl_nats_per_text\"" n.json && grep -q "\"mean_bytes\": null" n.json && head -1 n.tsv | grep -q "kl_nats_per_text" && grep -q "\"unit\":\"nats/text\"" n.html && ! grep -q "bits_per_byte" n.json n.tsv'
check "the same distances" bash -c 'paste <(cut -f 3- a.tsv) <(cut -f 3- n.tsv) | awk -F "\t" "NR > 1 { r = \$17 / \$7; if (NR == 2) first = r; bad += !(r / first > 1 - 1e-9 && r / first < 1 + 1e-9) } END { exit bad || NR < 3 }"'
check "and compared in nats" bash -c '"$0" compare plain.npy gpt2 gpt2-int4 >n.txt && grep -q "^KL .* nats/text$" n.txt && "$0" compare plain.npy gpt2 gpt2-int4 --json | grep -q kl_nats_per_text' "$llmap"
check "compare" "$llmap" compare s.sqlite gpt2 gpt2-int4 >c.txt
check "ten texts" test "$(grep -c ' %  ' c.txt)" -ge 10
check "domains" grep -q "within domains" c.txt
printf 'ä%.0s' $(seq 3000) >doc.txt
check "chunk" "$llmap" chunk doc.txt --out c.jsonl
check "pieces" test "$(wc -l <c.jsonl)" = 6
finish
