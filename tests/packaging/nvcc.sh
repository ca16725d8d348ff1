# The scoring path and the map as CUDA source: nvcc's front end accepts what a .cu of a user includes.
set -euo pipefail
source=$1 build=$2/nvcc
mkdir -p "$build"
cat >"$build/scoring.cu" <<'CPP'
#include "llmap/cpu.hpp"
#include "llmap/architectures/llama.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/checkpoint.hpp"
template llmap::decoder<llmap::cpu_executor, float> llmap::load_decoder<float>(const llmap::cpu_executor&, llmap::decoder_plan, const llmap::checkpoint&,
                                                                               const std::string&, const llmap::load_options&);
template std::vector<double> llmap::token_log_probabilities(const llmap::cpu_executor&, const llmap::decoder<llmap::cpu_executor, float>&,
                                                            const llmap::ragged_batch&, llmap::score_workspace<llmap::cpu_executor, float>&);
CPP
"${3:-nvcc}" -std=c++20 -O0 -I"$source/include" -arch=sm_80 -cuda "$build/scoring.cu" -o "$build/scoring.ii" 2>"$build/messages.txt" || { grep -E "error|fault|signal" "$build/messages.txt" | head; exit 1; }
echo "nvcc's front end takes the scoring path"
