# Compiles every public header alone, twice included, with nothing before it; then all in one unit, in both orders, since a
# program may include any of them: no two headers may define one name.
set -euo pipefail
compiler=$1 source=$2
cd "$source/include"
export compiler
find llmap -name '*.hpp' | sort | xargs -P "$(nproc)" -I{} bash -c \
  'printf "#include \"%s\"\n#include \"%s\"\n" {} {} | $compiler -x c++ -std=c++20 -O0 -fsyntax-only -Wall -Wextra -Werror -I. - || { echo "FAILED: {}"; exit 255; }'
for order in sort 'sort -r'; do
  find llmap -name '*.hpp' | $order | sed 's/.*/#include "&"/' | $compiler -x c++ -std=c++20 -O0 -fsyntax-only -Wall -Wextra -Werror -I. - ||
    { echo "FAILED: all headers in one unit, $order"; exit 1; }
done
if command -v clang++ >/dev/null; then # a user's warnings are not ours to forbid
  find llmap -name '*.hpp' | sort | sed 's/.*/#include "&"/' | clang++ -x c++ -std=c++20 -O0 -fsyntax-only -Wall -Wextra -Wpedantic \
    -Wconversion -Wsign-conversion -Wshadow -Werror -I. - || { echo "FAILED: all headers in one unit, Clang, conversions"; exit 1; }
fi
echo "$(find llmap -name '*.hpp' | wc -l) headers"
