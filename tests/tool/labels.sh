# llmap map --labels and --title: new names, groups and values reach every output; what is not understood is refused in one line.
source "$(dirname "$0")/common.sh"
cp "$zoo/expected/likelihood.safetensors" m.safetensors && cp "$zoo/expected/names.json" m.json
map() { "$llmap" map m.safetensors "$@"; }
table() { printf "$@" >labels.tsv; }
refuse() { refused 1 "$1" "$llmap" map m.safetensors --labels labels.tsv --json out.json; }
table '\xef\xbb\xbfmodel\tlabel\tvendor\tparameters\tversion\r\ngpt2\tGPT <2>\tOpenAI\t0.124\t2\r\nopt\t\tMeta\t\t"beta"\r\nbloom\t\t\t1e3\t1\r\n'
check "labels" map --labels labels.tsv --title 'T & <i>' --html p.html --json p.json --svg p.svg --tsv p.tsv --newick p.nwk >out.txt
check "how each column was understood" grep -qF 'labels.tsv: 3 of 30 models; label: new names; vendor: groups; parameters: values; version: groups, because "beta" in line 3 is no number' out.txt
check "the new name everywhere" test "$(grep -lF 'GPT <2>' out.txt p.json p.tsv | wc -l)$(grep -cF 'GPT &lt;2&gt;' p.svg | sed 's/^[12]$/y/')$(grep -cF 'GPT \u003c2>' p.html)" = 3y1
check "in the tree" grep -qF "GPT <2>" p.nwk
check "and not the old one" bash -c '! grep "^ \"models\": " p.json | grep -q "\"gpt2\""'
check "others keep theirs" grep -qP '^opt\tMeta\tbeta\t' p.tsv
check "the header" bash -c 'head -1 p.tsv | grep -qP "^model\tvendor\tversion\t(family|name prefix)\tparameters\tbits_per_byte\t"'
check "values and what is not known" bash -c 'tr -d "\n" <p.json | grep -qP "\"values\": \{ *\"parameters\": \[1000.0, null, 0.124, null"'
check "the title" bash -c 'grep -qF "<title>T &amp; &lt;i&gt;</title>" p.html && grep -qF ">T &amp; &lt;i&gt;</text>" p.svg'
check "the colors of the figure" grep -q '>vendor</text>' p.svg
check "from a pipe" bash -c '"$0" map m.safetensors --labels - --json - <labels.tsv 2>err.txt | cmp -s - p.json' "$llmap"
printf 'model,vendor\ngpt2,"a, b"\n' >l.csv
check "with commas" bash -c '"$0" map m.safetensors --labels l.csv --json c.json >/dev/null && grep -q "\"a, b\"" c.json' "$llmap"
check "a table may name models that are left out" bash -c '"$0" map m.safetensors --only opt bloom --labels labels.tsv --tsv o.tsv >/dev/null && test "$(wc -l <o.tsv)" = 3' "$llmap"
table 'model\tname prefix\ngpt2\tmine\n'
check "a group replaces that of its name" bash -c '"$0" map m.safetensors --labels labels.tsv --tsv f.tsv >/dev/null && head -1 f.tsv | grep -o "name prefix" | wc -l | grep -q "^1$"' "$llmap"

table 'model\tvendor\ngpt3\tx\n'; refuse "labels.tsv:2: expected a model of the map, got gpt3; did you mean gpt2?"
table 'model\tvendor\nopt\tx\nopt\ty\n'; refuse "labels.tsv:3: expected each model once, got opt again"
table 'model\tvendor\nopt\n'; refuse "labels.tsv:2: expected 2 fields, got 1"
table 'name\tvendor\nopt\tx\n'; refuse 'labels.tsv: expected a first line of the column model and at least one other, divided by tabs, got "name", ...'
table 'model,vendor\nopt,x\n'; refuse 'divided by tabs, got "model,vendor"'
table 'model\nopt\n'; refuse 'labels.tsv: expected a first line of the column model and at least one other, divided by tabs, got "model"'
table ''; refuse 'divided by tabs, got nothing'
table 'model\tvendor\n'; refuse "labels.tsv: expected a line for a model, got only the names of columns"
table 'model\t\nopt\tx\n'; refuse "labels.tsv: column 2: expected a name in the first line, got none"
table 'model\ta\ta\nopt\tx\ty\n'; refuse "labels.tsv: expected columns of different names, got a twice"
table 'model\ta\tb\nopt\tx\t\n'; refuse "labels.tsv: column b: expected a label or a number in some line, got none"
table 'model\ta\nopt\t1\ngpt2\tnan\n'; refuse "labels.tsv:3: column a: expected a finite number, or nothing, got nan"
table 'model\tlabel\nopt\tsame\ngpt2\tsame\n'; refuse "expected a label of its own for each model, got same for gpt2 and opt"
table 'model\tlabel\nopt\tgpt2\n'; refuse "labels.tsv:2: expected a label of its own for each model, got gpt2 for gpt2 and opt"
table 'model\ta\nopt\t\xff\n'; refuse "labels.tsv: expected UTF-8, got an invalid sequence at byte 12"
refused 1 "none.tsv: expected a table of labels, got no such file" "$llmap" map m.safetensors --labels none.tsv --json out.json
refused 1 "labels.tsv: expected an output that is no input" "$llmap" map m.safetensors --labels labels.tsv --tsv labels.tsv
check "nothing was written" test ! -e out.json
finish
