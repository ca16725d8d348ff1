# The page in a headless browser: see page_browser.cjs.
source "$(dirname "$0")/../tool/common.sh"
node=$3 browser=$4
# Where the package is only a pointer to another one, the program is there and does not start.
"$browser" --version >/dev/null 2>&1 || { echo "skipped: $browser does not start"; exit 77; }
"$node" "$source/tests/picture/many_models.cjs" random.safetensors 1018 || exit 1
"$llmap" map random.safetensors --html many.html --json many.json >/dev/null || exit 1
"$llmap" map "$zoo/expected/likelihood.safetensors" --json zoo.json >/dev/null || exit 1
"$node" -e '
  console.log("model\tlabel\tkind\tsize");
  JSON.parse(require("fs").readFileSync("zoo.json")).models.forEach((m, i) =>
    console.log([m, i === 1 ? "<img src=x onerror=alert(1)>" : "", i % 3 ? "odd" : "third", i === 4 ? "" : i * 10].join("\t")));
' >labels.tsv
"$llmap" map "$zoo/expected/likelihood.safetensors" --labels labels.tsv --title "A <b>map</b> & more" --html zoo.html --json zoo.json >/dev/null || exit 1
"$node" "$source/tests/picture/page_browser.cjs" "$browser" zoo.html zoo.json many.html many.json
