#!/usr/bin/env bash
# The steps of the map beside NumPy, SciPy, scikit-learn and openTSNE, in one run with as many threads for both:
#   bash benchmarks/peers/map.sh [MODELS TEXTS]
# They come from PyPI into build/peers, a virtual environment. Prints, a step: seconds of llmap, seconds and name of the
# fastest other, and how many times faster llmap is. Nothing else needs Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
bash tests/setup.sh
peers=build/peers
[ -x "$peers/bin/pip" ] || python3 -m venv "$peers"
"$peers/bin/pip" install --quiet numpy scipy scikit-learn openTSNE
models=${1:-1018} texts=${2:-10000}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
export OPENBLAS_NUM_THREADS=$OMP_NUM_THREADS
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
cmake --preset release -B build/bench -DLLMAP_BENCHMARKS=ON -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF >/dev/null
cmake --build build/bench --target bench_map >/dev/null
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
build/bench/benchmarks/bench_map --benchmark_filter="/models:$models/texts:$texts/" 2>/dev/null >"$out/own"
"$peers/bin/python" benchmarks/peers/map_peers.py "$models" "$texts" >"$out/peers"
awk -v OFS='\t' '
  FNR == NR { if (!($1 in best) || $3 < best[$1]) { best[$1] = $3; name[$1] = $2 }; next }
  BEGIN { print "step", "llmap s", "fastest other s", "other", "times faster" }
  /real_time/ { split($1, part, "/"); step = part[1]; own = $2 / 1000
         if (step in best) printf "%s\t%.4f\t%.4f\t%s\t%.2f\n", step, own, best[step], name[step], best[step] / own
         else printf "%s\t%.4f\n", step, own }' "$out/peers" "$out/own" | column -t -s "$(printf '\t')"
