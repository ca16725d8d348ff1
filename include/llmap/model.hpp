// The entry point for programs that score texts with models on the CPU: every family, loading, tokenizing and scoring.
// A program that runs one family, or one op, includes that header instead and compiles faster.
#pragma once
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/model/language_model.hpp"

namespace llmap {

/// Loads a model folder or GGUF file of any family.
template <class T, executor Exec>
language_model<Exec, T> load_model(const Exec& exec, const std::filesystem::path& folder,
                                   const load_options& options = {}, const std::filesystem::path& base = {}) {
  return load_model<T>(exec, folder, plan_of(model_config(folder, base)), options, base);
}

} // namespace llmap

/// Loading and scoring whole models on the CPU at working type T.
#define LLMAP_INSTANTIATE_MODELS(KEYWORD, T)                                                                           \
  KEYWORD template llmap::language_model<llmap::cpu_executor, T> llmap::load_model<T>(                                 \
      const llmap::cpu_executor&, const std::filesystem::path&, const llmap::load_options&,                            \
      const std::filesystem::path&);                                                                                   \
  KEYWORD template std::vector<llmap::text_score> llmap::score(                                                        \
      const llmap::cpu_executor&, const llmap::language_model<llmap::cpu_executor, T>&, const llmap::text_set&,        \
      const llmap::text_policy&, const llmap::score_options&, int);

#if defined(LLMAP_KERNELS) // the program links llmap::kernels
#include "llmap/kernels.hpp"
LLMAP_INSTANTIATE_MODELS(extern, float)
LLMAP_INSTANTIATE_MODELS(extern, double)
#endif
