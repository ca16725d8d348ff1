# The program that scores a folder of models and draws their map compiles header-only, with every warning and no flag of ours.
set -euo pipefail
compiler=$1 source=$2 build=$3/program/$(basename "$1")
mkdir -p "$build"
cd "$source"
messages=$build/messages.txt
# shellcheck disable=SC2046
"$compiler" -std=c++20 -O0 -Wall -Wextra -Wpedantic -Wconversion -Werror -Iinclude -DLLMAP_ZOO='"examples/zoo"' \
  $(pkg-config --cflags libpcre2-8 libutf8proc zlib libzstd) -c examples/08_models_to_map.cpp -o "$build/program.o" 2>"$messages" ||
  { head -20 "$messages"; exit 1; }
[ ! -s "$messages" ] || { echo "FAILED: the compiler says something:"; head -5 "$messages"; exit 1; }
echo "clean under $("$compiler" --version | head -1)"
