# Every C++ file is laid out as .clang-format says.
set -euo pipefail
clang_format=$1 source=$2
cd "$source"
find include tests benchmarks examples cmake \( -name '*.hpp' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
  xargs -0 -P "$(nproc)" -n 16 "$clang_format" --dry-run -Werror
