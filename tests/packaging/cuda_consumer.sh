# A project that uses the installed llmap::cuda: the fused head of examples/09, found by find_package, built by nvcc. It
# says so where there is no device.
set -euo pipefail
export CMAKE_GENERATOR=Ninja # make need not be there
source=$1 build=$2/cuda_consumer nvcc=$3
rm -rf "$build"
mkdir -p "$build/consumer"
cp "$source/examples/09_fused_head_cuda.cu" "$build/consumer/main.cu"
cat >"$build/consumer/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(consumer CXX CUDA)
find_package(llmap REQUIRED COMPONENTS cuda)
add_executable(consumer main.cu)
target_link_libraries(consumer PRIVATE llmap::cuda)
CMAKE
cmake -S "$source" -B "$build/llmap" -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF -DCMAKE_INSTALL_PREFIX="$build/prefix" >/dev/null
cmake --install "$build/llmap" >/dev/null
cmake -S "$build/consumer" -B "$build/built" -DCMAKE_PREFIX_PATH="$build/prefix" -DCMAKE_CUDA_COMPILER="$nvcc" \
  -DCMAKE_CUDA_ARCHITECTURES=80 >/dev/null
cmake --build "$build/built" >/dev/null
if said=$("$build/built/consumer" 2>&1); then
  grep -q "below 1e-5 nats" <<<"$said" || { echo "$said"; exit 1; }
else
  [ "$said" = "no CUDA device" ] || { echo "expected 'no CUDA device', got $said"; exit 1; }
fi
echo "the installed fused head: $said"
