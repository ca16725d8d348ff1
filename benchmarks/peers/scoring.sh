#!/usr/bin/env bash
# Scoring beside other programs, in float32 on all processors: writes a random model of SmolLM2-135M's shape into
# build/peers/model and runs benchmarks/peers/scoring_peers.py on it. The peers come from PyPI into build/peers, a
# virtual environment (PyTorch is several GB there, llama.cpp is compiled); each that does not install is left out.
# Arguments: peers to run.
set -euo pipefail
cd "$(dirname "$0")/../.."
bash tests/setup.sh
peers=build/peers
[ -x "$peers/bin/pip" ] || python3 -m venv "$peers"
"$peers/bin/pip" install --quiet numpy
packages=(onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 ctranslate2==4.8.5 transformers==4.57.6 torch==2.9.1 gguf==0.19.0)
case " ${*:-llama.cpp} " in *" llama.cpp "*) packages+=(llama-cpp-python==0.3.36) ;; esac
for package in "${packages[@]}"; do
  CMAKE_ARGS="-DGGML_NATIVE=ON" "$peers/bin/pip" install --quiet "$package" || echo "$package does not install"
done
cmake --preset release >/dev/null
cmake --build build/release --target llmap_tool >/dev/null
[ -f "$peers/model/ragged.json" ] || "$peers/bin/python" benchmarks/peers/make_model.py "$peers/model"
exec env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE "$peers/bin/python" benchmarks/peers/scoring_peers.py build/release/examples/llmap "$peers/model" "$@"
