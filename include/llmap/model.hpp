// The door for programs that score texts with models on the CPU: every family, loading, tokenizing and scoring. A
// program that runs one family, or one op, includes that header instead and compiles faster.
#pragma once
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/model/language_model.hpp"

namespace llmap {

/// Loads a model folder of any family.
template <class T, executor Exec>
language_model<Exec, T> load_model(const Exec& exec, const std::filesystem::path& folder,
                                   const load_options& options = {}) {
  return load_model<T>(exec, folder, plan_of(config::load(folder)), options);
}

} // namespace llmap

#if defined(LLMAP_KERNELS) // the program links llmap::kernels
#include "llmap/kernels.hpp"
#endif
