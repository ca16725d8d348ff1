# A project that uses llmap installed (find_package) and one that has it as a folder (add_subdirectory).
set -euo pipefail
source=$1 build=$2/packaging
rm -rf "$build"
mkdir -p "$build/consumer"
cat >"$build/consumer/main.cpp" <<'CPP'
#include "llmap/likelihood/log_sum_exp.hpp"
#include "llmap/text/tokenizer.hpp"
int main() {
  llmap::log_sum_exp<double> l;
  l.push(0), l.push(0);
  return l.value() > 0.69 && l.value() < 0.70 ? 0 : 1;
}
CPP
cat >"$build/consumer/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(consumer CXX)
if(LLMAP_FOLDER)
  add_subdirectory(${LLMAP_FOLDER} llmap)
else()
  find_package(llmap REQUIRED)
endif()
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE llmap::text)
CMAKE
cmake -S "$source" -B "$build/llmap" -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF -DCMAKE_INSTALL_PREFIX="$build/prefix" >/dev/null
cmake --install "$build/llmap" >/dev/null
cmake -S "$build/consumer" -B "$build/installed" -DCMAKE_PREFIX_PATH="$build/prefix" >/dev/null
cmake --build "$build/installed" >/dev/null
"$build/installed/consumer"
cmake -S "$build/consumer" -B "$build/folder" -DLLMAP_FOLDER="$source" >/dev/null
cmake --build "$build/folder" >/dev/null
"$build/folder/consumer"
echo "both consumers work"
