# Compiles every public header alone, twice included, with nothing before it.
set -euo pipefail
compiler=$1 source=$2
cd "$source/include"
eigen=$(pkg-config --cflags eigen3)
export compiler eigen
find llmap -name '*.hpp' | sort | xargs -P "$(nproc)" -I{} bash -c \
  'printf "#include \"%s\"\n#include \"%s\"\n" {} {} | $compiler -x c++ -std=c++20 -O0 -fsyntax-only -Wall -Wextra -Werror -I. $eigen - || { echo "FAILED: {}"; exit 255; }'
echo "$(find llmap -name '*.hpp' | wc -l) headers"
