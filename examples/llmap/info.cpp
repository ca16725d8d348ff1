// llmap info: what a model or a safetensors file holds, and everything that can be checked without running it.
#include "commands.hpp"
#include "llmap/architectures/check_plan.hpp"
#include "llmap/architectures/plan_costs.hpp"
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/core/cpu_executor.hpp"
#include "llmap/forward/cpu/attention.hpp"
#include "llmap/forward/cpu/memory.hpp"
#include "llmap/forward/cpu/route.hpp"
#include "llmap/likelihood/cpu/linear_cross_entropy.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/weights/model_weights.hpp"
#include "llmap/weights/mxfp4.hpp"
#include "llmap/weights/unused_weights.hpp"
#include "model_files.hpp"
#include <fmt/format.h>

namespace {

using llmap::fail;

template <class Source> std::uint64_t bytes_of(const Source& source) {
  std::uint64_t bytes = 0;
  for (const std::string& name : source.names()) {
    const auto info = source.find(name);
    bytes += static_cast<std::uint64_t>(info->elements()) * llmap::bits_of(info->type) / 8;
  }
  return bytes;
}

void show_file(const std::string& path) {
  const llmap::safetensors_file file(path);
  for (const std::string& name : file.names()) {
    const auto info = file.find(name);
    fmt::print("{:<5} {:<20} {}\n", llmap::name_of(info->type), llmap::shape_text(info->shape), shown(name));
  }
  fmt::print("{} tensors, {} bytes\n", file.names().size(), bytes_of(file));
}

/// Of all tensors that the files of the model hold.
std::uint64_t stored_bytes(const llmap::model_weights& files) {
  if (files.stored()) return bytes_of(*files.stored());
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : files.stored_gguf()->tensors()) bytes += tensor.bytes.size();
  return bytes;
}

void show_model(const std::string& folder, const std::string& base) {
  const llmap::model_weights files(folder, base);
  const llmap::decoder_plan plan = load_plan(files);
  std::vector<llmap::tensor_spec> table = tensor_table(plan);
  check_plan(plan, folder);
  const llmap::any_tensors tensors = files.tensors(llmap::dtype::f32, plan.tied());
  const llmap::tensor_naming names(tensors, plan.prefix, plan.nested);
  for (llmap::tensor_spec& t : table) t.name = names(t.name);
  check_tensors(tensors, table, folder);
  fmt::print("model type     {}\n", plan.model_type);
  fmt::print("layers         {}, width {}, vocabulary {}\n", plan.layers.size(), plan.width, plan.vocab);
  for (const llmap::branch_plan& branch : plan.layers[0].branches)
    if (const auto* a = std::get_if<llmap::attention_plan>(&branch.mixer))
      fmt::print("heads          {} of width {}, {} for keys and values\n", a->heads, a->head_dim, a->kv_heads);
  if (plan.context_length) fmt::print("positions      {}\n", plan.context_length);
  std::int64_t parameters = 0;
  for (const llmap::tensor_spec& t : table) parameters += t.elements();
  const std::size_t stored = files.files().size() - files.adapted();
  fmt::print("weights        {} parameters in {} tensors, {} bytes in {} file{}\n", parameters, table.size(),
             stored_bytes(files), stored, stored == 1 ? "" : "s");
  if (const std::string scheme = files.quantization(); !scheme.empty())
    fmt::print("quantized      {}; scored with the decoded weights, activations are not rounded\n", scheme);
  if (files.adapted()) fmt::print("adapter        of {}\n", shown(files.base().string()));
  const llmap::parameter_count count = parameters_of(plan);
  fmt::print("a token        {:.0f} of the parameters\n", count.active);
  const auto tokens = plan.context_length ? std::min<std::int64_t>(512, plan.context_length) : 512;
  fmt::print("a text         {:.3f} GFLOP for {} tokens\n", operations_of(plan, static_cast<double>(tokens)) * 1e-9,
             tokens);
  const llmap::cpu_executor exec;
  constexpr double mib = 1 << 20;
  fmt::print("memory         {:.1f} MiB in f32, of which {:.1f} MiB weights\n",
             static_cast<double>(llmap::memory_needed<float>(exec, plan, tensors)) / mib,
             static_cast<double>(llmap::weight_bytes<float>(exec, plan, tensors)) / mib);
  if (files.stored())
    for (const std::string& name : unused_weights(files.base(), *files.stored()))
      fmt::print("not used       {}\n", shown(name));
  const model_tokenizer tokenizer(model_tokenizer_files{files});
  const auto id = [](const std::optional<std::int32_t>& i) { return i ? std::to_string(*i) : std::string("none"); };
  fmt::print("tokenizer      {} ids, BOS {} ({}), EOS {}\n", tokenizer.vocab_size(), id(tokenizer.bos_id()),
             tokenizer.adds_bos() ? "put in front" : "not put in front", id(tokenizer.eos_id()));
  if (tokenizer.vocab_size() > plan.vocab)
    fail(folder, ": tokenizer: expected ids below ", plan.vocab, " (the rows of the embedding), got ",
         tokenizer.vocab_size() - 1);
}

} // namespace

void run_info(const info_arguments& a) {
  if (std::filesystem::is_regular_file(a.path) && !llmap::is_gguf(a.path)) show_file(a.path);
  else show_model(llmap::one_model_folder(a.path).string(), a.base);
}
