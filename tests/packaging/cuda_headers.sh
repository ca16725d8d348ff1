# Compiles every .cuh alone, twice included, with nothing before it; nvcc must say nothing.
set -euo pipefail
nvcc=$1 source=$2 build=$3/cuda_headers
mkdir -p "$build"
cd "$source/include"
for header in $(find llmap -name '*.cuh' | sort); do
  printf '#include "%s"\n#include "%s"\n' "$header" "$header" >"$build/alone.cu"
  "$nvcc" -std=c++20 -arch=sm_80 -Xcompiler -Wall,-Wextra -I. -ptx "$build/alone.cu" -o "$build/alone.ptx" >"$build/messages.txt" 2>&1 ||
    { head -5 "$build/messages.txt"; echo "FAILED: $header"; exit 1; }
  [ ! -s "$build/messages.txt" ] || { head -5 "$build/messages.txt"; echo "FAILED: nvcc warns of $header"; exit 1; }
done
echo "$(find llmap -name '*.cuh' | wc -l) headers"
