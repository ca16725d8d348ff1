# README's program, compiled as README says and without a flag of ours, prints what README says.
set -euo pipefail
compiler=$1 source=$2 build=$3/readme
mkdir -p "$build"
cd "$source"
awk '/^```cpp$/ { on = 1; next } /^```$/ && on { exit } on' README.md >"$build/program.cpp"
awk '/^```cpp$/ { seen = 1 } /^```$/ && seen { n++ ; next } seen && n == 2 { print } n == 3 { exit }' README.md >"$build/expected.txt"
[ -s "$build/program.cpp" ] && [ -s "$build/expected.txt" ] || { echo "FAILED: README has no program and output"; exit 1; }
"$compiler" -std=c++20 -O1 -Wall -Wextra -Wpedantic -Wconversion -Werror -Iinclude "$build/program.cpp" -o "$build/program" \
  $(pkg-config --cflags --libs libpcre2-8 libutf8proc zlib libzstd) -pthread 2>"$build/messages.txt" || { cat "$build/messages.txt"; exit 1; }
[ ! -s "$build/messages.txt" ] || { echo "FAILED: the compiler says something:"; head -5 "$build/messages.txt"; exit 1; }
"$build/program" | diff - "$build/expected.txt"
echo "README's program prints what README says"
