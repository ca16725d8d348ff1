# The page's script, run by Node: see page_script.cjs.
source "$(dirname "$0")/../tool/common.sh"
node=$3
"$llmap" map --matrix "$zoo/expected/likelihood.safetensors" --html page.html --json map.json >/dev/null || exit 1
"$node" "$source/tests/picture/page_script.cjs" page.html map.json
