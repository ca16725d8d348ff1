# A project that uses llmap installed (find_package) and one that has it as a folder (add_subdirectory); one that asks for a
# component whose dependencies alone are there; one that links the compiled kernels.
set -euo pipefail
export CMAKE_GENERATOR=Ninja # make need not be there
source=$1 build=$2/packaging
rm -rf "$build"
mkdir -p "$build/consumer"
cat >"$build/consumer/main.cpp" <<'CPP'
#include "llmap/likelihood/log_sum_exp.hpp"
#include "llmap/text/tokenizer.hpp"
int main() {
  llmap::log_sum_exp<double> l;
  l.push(0), l.push(0);
  const llmap::regex vowels("[aeiou]", "here"); // needs the library that llmap::text brings
  return l.value() > 0.69 && l.value() < 0.70 ? 0 : 1;
}
CPP
cat >"$build/consumer/scorer.cpp" <<'CPP'
#include "llmap/model.hpp"
#include <cstdio>
int main(int, char** values) {
  const llmap::cpu_executor exec;
  const auto model = llmap::load_model<float>(exec, values[1]);
  const llmap::text_set texts{.items = {{.id = "a", .text = "Once upon a time"}}};
  std::printf("%.3f nats\n", score(exec, model, texts).at(0).log_likelihood);
}
CPP
cat >"$build/consumer/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(consumer CXX)
set(components text CACHE STRING "")
if(LLMAP_FOLDER)
  add_subdirectory(${LLMAP_FOLDER} llmap)
else()
  find_package(llmap REQUIRED COMPONENTS ${components})
endif()
if("text" IN_LIST components)
  add_executable(consumer main.cpp)
  target_link_libraries(consumer PRIVATE llmap::text)
endif()
if("kernels" IN_LIST components)
  add_executable(scorer scorer.cpp)
  target_link_libraries(scorer PRIVATE llmap::model llmap::kernels)
endif()
CMAKE
cmake -S "$source" -B "$build/llmap" -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF -DLLMAP_KERNELS=ON -DCMAKE_INSTALL_PREFIX="$build/prefix" >/dev/null
cp "$2/libllmap_kernels.a" "$build/llmap/" # compiled once, by the build of the tests
cmake --install "$build/llmap" >/dev/null
configure() { # FOLDER COMPONENTS [option ...]
  cmake -S "$build/consumer" -B "$build/$1" -DCMAKE_PREFIX_PATH="$build/prefix" -Dcomponents="$2" "${@:3}"
}

configure installed 'text;model;kernels' >/dev/null
cmake --build "$build/installed" >/dev/null
"$build/installed/consumer"
scored=$("$build/installed/scorer" "$source/examples/zoo/models/neox")
[[ $scored =~ ^-[0-9]+\.[0-9]{3}' nats'$ ]] || { echo "expected a number of nats, got $scored"; exit 1; }
symbols=$(nm -C "$build/installed/CMakeFiles/scorer.dir/scorer.cpp.o")
grep -q ' [TW] .*llmap::linear_cross_entropy<' <<<"$symbols" && { echo "the program has compiled a kernel again"; exit 1; }

cmake -S "$build/consumer" -B "$build/folder" -DLLMAP_FOLDER="$source" >/dev/null
cmake --build "$build/folder" >/dev/null
"$build/folder/consumer"

# The same program by pkg-config. One version is written, and everything that is installed says it.
version=$(sed -n 's/^#define LLMAP_VERSION_[A-Z]* \([0-9]*\)$/\1/p' "$source/include/llmap/version.hpp" | paste -sd.)
package() { PKG_CONFIG_PATH=$(dirname "$(find "$build/prefix" -name llmap.pc)") pkg-config "$@"; }
[ "$(package --modversion llmap-store)" = "$version" ] || { echo "pkg-config says version $(package --modversion llmap-store)"; exit 1; }
grep -q "set(PACKAGE_VERSION \"$version\")" "$build/llmap/llmap-config-version.cmake" || { echo "CMake does not say version $version"; exit 1; }
# shellcheck disable=SC2046
c++ -std=c++20 $(package --cflags llmap-text) "$build/consumer/main.cpp" $(package --libs llmap-text) -o "$build/by_pkg_config"
"$build/by_pkg_config"

# An archive of the repository is the library without the data of its tests, and it builds.
if git -C "$source" rev-parse --git-dir >/dev/null 2>&1; then
  mkdir -p "$build/archive"
  git -C "$source" archive --worktree-attributes HEAD | tar -x -C "$build/archive"
  for path in tests examples/zoo; do
    [ ! -e "$build/archive/$path" ] || { echo "$path is in the archive"; exit 1; }
  done
  cmake -S "$build/consumer" -B "$build/vendored" -DLLMAP_FOLDER="$build/archive" >/dev/null
  cmake --build "$build/vendored" >/dev/null
  "$build/vendored/consumer"
  cmake -S "$build/archive" -B "$build/archive/build" >/dev/null
fi

# Nothing that pkg-config finds is there: core and llmap do not need it, store does, and says so.
mkdir -p "$build/nothing"
export PKG_CONFIG_LIBDIR="$build/nothing" PKG_CONFIG_PATH=
configure bare 'core;llmap' >/dev/null
if said=$(configure lacking 'core;store' 2>&1); then
  echo "store was found without sqlite3"
  exit 1
fi
tr '\n' ' ' <<<"$said" | tr -s ' ' | grep -q 'component store needs .*sqlite3' || { echo "$said"; exit 1; }
if said=$(configure unknown 'core;nonsense' 2>&1); then
  echo "component nonsense was found"
  exit 1
fi
grep -q 'there is no component nonsense' <<<"$said" || { echo "$said"; exit 1; }
echo "all consumers work"
