# No command writes over what it reads, or over another of its outputs: refused before any work, and everything is still there.
source "$(dirname "$0")/common.sh"
head_texts 12 t.jsonl
check "score" "$llmap" score "$zoo/models/gpt2" "$zoo/models/opt" --texts t.jsonl --store s.sqlite >/dev/null
check "export" "$llmap" export s.sqlite --out m.safetensors >/dev/null
printf 'A sentence of the document. %.0s' $(seq 60) >doc.txt
ln -s s.sqlite symbolic && ln m.safetensors hard && ln -s "$PWD" folder
cp s.sqlite s.before && cp m.safetensors m.before && cp m.json names.before && cp doc.txt doc.before && cp t.jsonl t.before
no_input="expected an output that is no input"
refused 1 "m.json: $no_input, got the input m.json" "$llmap" map --matrix m.safetensors --json m.json
refused 1 "folder/m.json: $no_input" "$llmap" map m.safetensors --tsv folder/m.json
for output in html json svg tsv newick; do
  refused 1 "s.sqlite: $no_input" "$llmap" map s.sqlite --$output s.sqlite
  refused 1 "hard: $no_input" "$llmap" map --matrix m.safetensors --$output hard
done
refused 1 "symbolic: $no_input" "$llmap" map s.sqlite --html symbolic
refused 1 "s.sqlite: $no_input" "$llmap" map symbolic --html s.sqlite
refused 1 "folder/x: expected a file of its own for each output, got that of x" "$llmap" map s.sqlite --html x --json folder/x
check "neither is there" test ! -e x
ln -s s.sqlite symbolic.npz
refused 1 "symbolic.npz: $no_input" "$llmap" export s.sqlite --out symbolic.npz
refused 1 "s.sqlite: expected a name that ends in .safetensors, .npy, .npz or .tsv" "$llmap" export s.sqlite --out s.sqlite
cp s.sqlite s.json
refused 1 "s.json: $no_input" "$llmap" export s.json --out s.safetensors
check "the store named .json is still there" cmp -s s.sqlite s.json
rm s.json
refused 1 "doc.txt: $no_input" "$llmap" chunk t.jsonl doc.txt --out doc.txt
refused 1 "t.jsonl: $no_input" "$llmap" score "$zoo/models/gpt2" --texts t.jsonl --store t.jsonl
cp m.safetensors another.safetensors
refused 1 "another.safetensors: expected a name that ends in .tsv, the form of this output, got .safetensors" "$llmap" map s.sqlite --tsv another.safetensors
refused 1 "page.svg: expected a name that ends in .html" "$llmap" map s.sqlite --html page.svg
refused 1 "map.png: expected a name that ends in .svg" "$llmap" map s.sqlite --svg map.png
refused 1 "c.tsv: expected a name that ends in .jsonl" "$llmap" chunk doc.txt --out c.tsv
check "the export is still there" cmp -s m.safetensors another.safetensors
for file in s:s.sqlite m:m.safetensors names:m.json doc:doc.txt t:t.jsonl; do
  check "${file#*:} is as it was" cmp -s "${file%%:*}.before" "${file#*:}"
done
check "a map beside the store" "$llmap" map s.sqlite --json s.json --html s.html >/dev/null
check "a map to devices" "$llmap" map s.sqlite --json /dev/null --html /dev/null --tsv /dev/stdout >out.txt
check "the table comes before the summary" bash -c 'head -1 out.txt | grep -q "	" && tail -1 out.txt | grep -q "opt"'
check "standard output is a device still" test -L /dev/stdout
for store in "" :memory:; do
  refused 1 "\"$store\": expected the name of a file, got a database in memory" "$llmap" score "$zoo/models/gpt2" --texts t.jsonl --store "$store"
done
check "a name that SQLite may take for an address" "$llmap" score "$zoo/models/gpt2" --texts t.jsonl --store "file:kept?mode=memory" >/dev/null
check "is the name of a file" test -s "file:kept?mode=memory"
check "that is a store" "$llmap" map "file:kept?mode=memory" --json kept.json >/dev/null
finish
