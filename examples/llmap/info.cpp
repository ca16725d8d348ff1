// llmap info: what a model or a safetensors file holds, and everything that can be checked without running it.
// A folder with only a config is a model as well: its plan, parameters and what it would take.
#include "commands.hpp"
#include "llmap/architectures/check_plan.hpp"
#include "llmap/architectures/plan_costs.hpp"
#include "llmap/architectures/unread_tensors.hpp"
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/core/cpu_executor.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/forward/cpu/attention.hpp"
#include "llmap/forward/cpu/memory.hpp"
#include "llmap/forward/cpu/route.hpp"
#include "llmap/forward/deployed_inputs.hpp"
#include "llmap/likelihood/cpu/linear_cross_entropy.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/model/planned_tensors.hpp"
#include "llmap/text/tokenizer_files.hpp"
#include "llmap/weights/model_weights.hpp"
#include "llmap/weights/mxfp4.hpp"
#include "llmap/weights/unused_weights.hpp"
#include "model_files.hpp"
#include <fmt/format.h>

namespace {

template <class Source> std::uint64_t bytes_of(const Source& source) {
  std::uint64_t bytes = 0;
  for (const std::string& name : source.names()) {
    const auto info = source.find(name);
    bytes += static_cast<std::uint64_t>(info->elements()) * llmap::bits_of(info->type) / 8;
  }
  return bytes;
}

void show_file(const info_arguments& a) {
  const llmap::safetensors_file file(a.path);
  if (a.json) {
    llmap::json_writer out(llmap::json_writer::layout::indented);
    out.object([&] {
      out.field("bytes", bytes_of(file));
      out.field("tensors", [&] {
        out.array(file.names(), [&](const std::string& name) {
          out.object([&] {
            out.field("name", name);
            out.field("dtype", llmap::name_of(file.find(name)->type));
            out.field("shape", file.find(name)->shape);
          });
        });
      });
    });
    return void(std::puts(out.text().c_str()));
  }
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

/// What is known of the weights' files.
struct weight_facts {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::string quantization, base;          // base: of an adapter
  std::string deployed;                    // inputs that the deployed model rounds, or why that is not followed
  std::vector<std::string> unused, unread; // files, tensors
};

struct tokenizer_facts {
  std::int32_t ids = 0;
  std::optional<std::int32_t> bos, eos;
  bool adds_bos = false;
};

struct model_facts {
  llmap::decoder_plan plan;
  std::size_t tensors = 0;
  std::uint64_t memory = 0, weight_memory = 0; // f32
  std::optional<weight_facts> weights;         // none: only a config
  std::optional<tokenizer_facts> tokenizer;

  std::int64_t heads = 0, head_dim = 0, kv_heads = 0; // of the first attention, if there is one
  std::int64_t parameters = 0;                        // that the files store, or would
  double active = 0;
  std::int64_t tokens = 512; // of a text whose operations are told
  double operations = 0;
};

template <class Source>
model_facts facts_of(llmap::decoder_plan plan, const Source& tensors, const std::string& where) {
  model_facts f;
  check_plan(plan, where);
  std::vector<llmap::tensor_spec> table = tensor_table(plan);
  const llmap::tensor_naming names(tensors, plan.prefix, plan.nested);
  for (llmap::tensor_spec& t : table) t.name = names(t.name);
  check_tensors(tensors, table, where);
  const llmap::cpu_executor exec;
  f.tensors = table.size();
  for (const llmap::tensor_spec& t : table) f.parameters += t.elements();
  f.memory = llmap::memory_needed<float>(exec, plan, tensors);
  f.weight_memory = llmap::weight_bytes<float>(exec, plan, tensors);
  for (const llmap::layer_plan& layer : plan.layers)
    for (const llmap::branch_plan& branch : layer.branches)
      if (const auto* a = std::get_if<llmap::attention_plan>(&branch.mixer); a && f.heads == 0)
        f.heads = a->heads, f.head_dim = a->head_dim, f.kv_heads = a->kv_heads;
  f.active = parameters_of(plan).active;
  if (plan.context_length) f.tokens = std::min<std::int64_t>(f.tokens, plan.context_length);
  f.operations = operations_of(plan, static_cast<double>(f.tokens));
  f.plan = std::move(plan);
  return f;
}

bool has_weights(const std::filesystem::path& folder) {
  if (llmap::is_gguf(folder) || !std::filesystem::exists(folder / "config.json")) return true;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (llmap::is_weight_file(entry.path())) return true;
  return false;
}

tokenizer_facts facts_of(const model_tokenizer& t) { return {t.vocab_size(), t.bos_id(), t.eos_id(), t.adds_bos()}; }

/// Whether some norm rounds what it gives (BitNet).
struct rounded_norms {
  bool found = false;
  void operator()(const llmap::norm_plan& p, llmap::tensor_use) { found |= p.rounded; }
  void operator()(const llmap::linear_plan&, llmap::tensor_use) {}
  void operator()(const llmap::vector_plan&, llmap::tensor_use) {}
};
/// What --activations deployed would round.
std::string deployed_of(const llmap::decoder_plan& plan, const llmap::any_tensors& tensors) {
  try {
    std::string all;
    for (const auto& [rule, matrices] : llmap::deployed_inputs(plan, tensors))
      all += fmt::format("{}inputs of {} matrices are rounded to {}", all.empty() ? "" : "; ", matrices, rule);
    if (!all.empty()) return all;
    rounded_norms norms;
    visit_tensors(plan, norms);
    return norms.found ? "inputs are rounded to int8 a token, which is part of the model" : "inputs are not rounded";
  } catch (const llmap::error& unknown) {
    return unknown.what();
  }
}

model_facts read_model(const std::filesystem::path& folder, const std::string& base) {
  if (!has_weights(folder)) {
    const llmap::decoder_plan plan = load_plan_of_config(folder);
    model_facts f = facts_of(plan, llmap::planned_tensors(plan, llmap::dtype::bf16), folder.string());
    if (llmap::has_tokenizer(folder)) f.tokenizer = facts_of(model_tokenizer(folder));
    return f;
  }
  const llmap::model_weights files(folder, base);
  const llmap::decoder_plan plan = load_plan(files);
  model_facts f = facts_of(plan, files.tensors(llmap::dtype::f32, plan.tied()), folder.string());
  f.weights = {files.files().size() - files.adapted(),
               stored_bytes(files),
               files.quantization(),
               files.adapted() ? files.base().string() : "",
               deployed_of(plan, files.tensors(llmap::dtype::f32, plan.tied())),
               files.stored() ? unused_weights(files.base(), *files.stored()) : std::vector<std::string>(),
               unread_tensors(plan, files.tensors(llmap::dtype::f32, plan.tied()))};
  f.tokenizer = facts_of(model_tokenizer(model_tokenizer_files(files)));
  return f;
}

void print_text(const model_facts& f) {
  constexpr double mib = 1 << 20;
  const llmap::decoder_plan& plan = f.plan;
  fmt::print("model type     {}\n", shown(plan.model_type));
  fmt::print("layers         {}, width {}, vocabulary {}\n", plan.layers.size(), plan.width, plan.vocab);
  if (f.heads) fmt::print("heads          {} of width {}, {} for keys and values\n", f.heads, f.head_dim, f.kv_heads);
  if (plan.context_length) fmt::print("positions      {}\n", plan.context_length);
  if (f.weights)
    fmt::print("weights        {} parameters in {} tensors, {} bytes in {} file{}\n", f.parameters, f.tensors,
               f.weights->bytes, f.weights->files, f.weights->files == 1 ? "" : "s");
  else fmt::print("weights        {} parameters in {} tensors; only the config is here\n", f.parameters, f.tensors);
  if (f.weights && !f.weights->quantization.empty())
    fmt::print("quantized      {}; scored with the decoded weights\nas deployed    {}\n", f.weights->quantization,
               f.weights->deployed);
  if (f.weights && !f.weights->base.empty()) fmt::print("adapter        of {}\n", shown(f.weights->base));
  fmt::print("a token        {:.0f} of the parameters\n", f.active);
  fmt::print("a text         {:.3f} GFLOP for {} tokens\n", f.operations * 1e-9, f.tokens);
  fmt::print("memory         {:.1f} MiB in f32, of which {:.1f} MiB weights\n", static_cast<double>(f.memory) / mib,
             static_cast<double>(f.weight_memory) / mib);
  if (f.weights)
    for (const std::string& name : f.weights->unused) fmt::print("not used       {}\n", shown(name));
  if (f.weights && !f.weights->unread.empty())
    fmt::print("not read       {} tensor{}: {}\n", f.weights->unread.size(), f.weights->unread.size() == 1 ? "" : "s",
               shown(llmap::first_names(f.weights->unread)));
  if (!plan.custom_code.empty())
    fmt::print("own code       {} is not run: scored as the {} of transformers\n", shown(plan.custom_code),
               shown(plan.model_type));
  if (!f.tokenizer) return fmt::print("tokenizer      none\n");
  const auto id = [](const std::optional<std::int32_t>& i) { return i ? std::to_string(*i) : std::string("none"); };
  fmt::print("tokenizer      {} ids, BOS {} ({}), EOS {}\n", f.tokenizer->ids, id(f.tokenizer->bos),
             f.tokenizer->adds_bos ? "put in front" : "not put in front", id(f.tokenizer->eos));
  if (f.tokenizer->ids > plan.vocab)
    fmt::print("note           the tokenizer has ids up to {}, the model {} rows: texts with ids beyond are refused\n",
               f.tokenizer->ids - 1, plan.vocab);
}

void print_json(const std::string& path, const model_facts& f) {
  llmap::json_writer out(llmap::json_writer::layout::indented);
  const auto id = [&](const std::optional<std::int32_t>& i) {
    return [&out, i] { i ? out.value(*i) : out.value(nullptr); };
  };
  out.object([&] {
    out.field("path", path);
    out.field("model_type", f.plan.model_type);
    if (!f.plan.custom_code.empty()) out.field("custom_code_not_run", f.plan.custom_code);
    out.field("layers", f.plan.layers.size());
    out.field("width", f.plan.width);
    out.field("vocabulary", f.plan.vocab);
    if (f.heads) {
      out.field("heads", f.heads);
      out.field("head_width", f.head_dim);
      out.field("key_value_heads", f.kv_heads);
    }
    if (f.plan.context_length) out.field("positions", f.plan.context_length);
    out.field("parameters", f.parameters);
    out.field("parameters_of_a_token", f.active);
    out.field("flop_of_a_token", f.operations / static_cast<double>(f.tokens));
    out.field("tokens_of_that_text", f.tokens);
    out.field("memory_bytes_f32", f.memory);
    out.field("weight_bytes_f32", f.weight_memory);
    out.field("weights", [&] {
      if (!f.weights) return out.value(nullptr);
      out.object([&] {
        out.field("tensors", f.tensors);
        out.field("files", f.weights->files);
        out.field("bytes", f.weights->bytes);
        out.field("quantization", f.weights->quantization);
        out.field("as_deployed", f.weights->deployed);
        out.field("adapter_of", f.weights->base);
        out.field("not_used", f.weights->unused);
        out.field("tensors_not_read", f.weights->unread);
      });
    });
    out.field("tokenizer", [&] {
      if (!f.tokenizer) return out.value(nullptr);
      out.object([&] {
        out.field("ids", f.tokenizer->ids);
        out.field("bos", id(f.tokenizer->bos));
        out.field("adds_bos", f.tokenizer->adds_bos);
        out.field("eos", id(f.tokenizer->eos));
      });
    });
  });
  std::puts(out.text().c_str());
}

} // namespace

void run_info(const info_arguments& a) {
  if (std::filesystem::is_regular_file(a.path) && !llmap::is_gguf(a.path)) return show_file(a);
  const std::filesystem::path folder = llmap::one_model_folder(a.path);
  const model_facts f = read_model(folder, a.base);
  a.json ? print_json(a.path, f) : print_text(f);
}
