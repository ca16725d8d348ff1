#!/usr/bin/env bash
# Builds build/site/html with Doxygen from README, docs and the headers. A warning is an error, and so is a public type,
# function, member or macro without a sentence that says what it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v doxygen >/dev/null || bash tests/setup.sh doxygen
rm -rf build/site
mkdir -p build/site
(cat docs/site/Doxyfile && echo OUTPUT_DIRECTORY=build/site) | doxygen - 2>&1 >/dev/null | tee build/site/warnings
[ ! -s build/site/warnings ]

# With EXTRACT_ALL Doxygen takes everything for documented, so what has no sentence is asked for in a run of its own.
(cat docs/site/Doxyfile &&
  printf '%s\n' OUTPUT_DIRECTORY=build/site INPUT=include/llmap EXTRACT_ALL=NO WARN_IF_UNDOCUMENTED=YES \
    WARN_IF_DOC_ERROR=NO WARN_IF_INCOMPLETE_DOC=NO GENERATE_HTML=NO GENERATE_XML=YES XML_PROGRAMLISTING=NO) |
  doxygen - 2>build/site/undocumented >/dev/null
rm -r build/site/xml
# What kernels of CUDA are made of may go without, and so may a specialization.
if grep -E '(Compound|Member) .* is not documented' build/site/undocumented |
  grep -vE 'llmap::gpu(::|[ .])|llmap::([a-z_]+::)*detail|> \(variable\)'; then
  echo "expected a /// sentence before each of these" >&2
  exit 1
fi
echo "$PWD/build/site/html/index.html"
