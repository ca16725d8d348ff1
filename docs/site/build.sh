#!/usr/bin/env bash
# Builds build/site/html with Doxygen from README, docs and the headers. A warning is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v doxygen >/dev/null || bash tests/setup.sh doxygen
rm -rf build/site
mkdir -p build/site
(cat docs/site/Doxyfile && echo OUTPUT_DIRECTORY=build/site) | doxygen - 2>&1 >/dev/null | tee build/site/warnings
[ ! -s build/site/warnings ]
echo "$PWD/build/site/html/index.html"
