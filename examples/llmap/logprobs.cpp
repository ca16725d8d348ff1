// llmap logprobs: log p of every token of given id sequences, as JSON; for checking against other programs.
#include "commands.hpp"
#include "llmap/core/json_file.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/text/text_source.hpp"
#include "llmap/weights/model_weights.hpp"
#include "model_files.hpp"
#include "precision.hpp"
#include <cstdio>
#include <sstream>

namespace {

struct id_sequences {
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<std::string> names; // of each, or empty
};

std::vector<std::int32_t> read_ids(const llmap::json* list, const std::string& where) {
  if (!list || !list->items() || list->items()->empty()) llmap::fail(where, ": expected a list of one or more ids");
  std::vector<std::int32_t> ids;
  for (const llmap::json& item : *list->items()) {
    const auto id = item.integer();
    if (!id || *id < 0 || *id > 0x7fffffff) llmap::fail(where, ": expected token ids, got ", canonical_text(item));
    ids.push_back(static_cast<std::int32_t>(*id));
  }
  return ids;
}

/// {"sequences": [[ids], ...]}, or the lines {"id", "ids"} of llmap tokenize.
id_sequences read_sequences(const std::string& path) {
  const std::string text = llmap::read_document(path, "token ids");
  id_sequences read;
  if (text.find("\"ids\"") == std::string::npos) {
    const llmap::json file = llmap::parse_json(text, path, llmap::python_json);
    const llmap::json* lists = file.find("sequences");
    if (!lists || !lists->items())
      llmap::fail(path, ": expected {\"sequences\": [[ids], ...]}, or lines {\"id\": ..., \"ids\": [ids]}");
    for (const llmap::json& list : *lists->items())
      read.ids.push_back(read_ids(&list, path + ": sequences[" + std::to_string(read.ids.size()) + "]"));
    return read;
  }
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = path + ":" + std::to_string(++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const llmap::json record = llmap::parse_json(line, where);
    read.ids.push_back(read_ids(record.find("ids"), where + ": ids"));
    const llmap::json* id = record.find("id");
    read.names.push_back(id ? llmap::detail::label(*id, where + ": id") : "");
  }
  return read;
}

template <class T> void run(const logprobs_arguments& a) {
  const llmap::cpu_executor exec{a.threads};
  const id_sequences read = read_sequences(a.ids);
  const auto& sequences = read.ids;
  const std::filesystem::path folder = llmap::one_model_folder(a.folder);
  const llmap::model_weights weights(folder, a.base);
  const llmap::decoder_plan plan = load_plan(weights);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::string where =
        a.ids + ": " + (read.names.empty() ? "sequences[" + std::to_string(i) + "]" : "ids of " + read.names[i]);
    llmap::check_ids(sequences[i], plan.vocab, where);
    if (plan.position_limit && sequences[i].size() > static_cast<std::size_t>(plan.position_limit))
      llmap::fail(where, ": expected at most ", plan.position_limit, " tokens (the model's positions), got ",
                  sequences[i].size());
  }
  const auto model = llmap::load_decoder<T>(
      exec, plan, weights.tensors(llmap::dtype_of<T>, plan.tied()), folder.string(),
      {.compute = compute_type_of(a.precision), .activations = activation_mode_of(a.activations)});
  std::vector<std::vector<double>> logprobs(sequences.size());
  llmap::for_batches(exec, model, sequences, {},
                     [&](std::size_t first, const llmap::ragged_batch& batch, std::span<const double> nats) {
                       for (std::size_t t = 0; t < batch.texts(); ++t) {
                         const std::span<const double> own = nats.first(llmap::tokens_scored(batch.length(t)));
                         logprobs[first + t].assign(own.begin(), own.end());
                         nats = nats.subspan(own.size());
                       }
                     });
  weights.check_unchanged();
  llmap::json_writer out;
  out.object([&] {
    out.field("precision", a.precision);
    if (a.activations != "full") out.field("activations", a.activations);
    out.field("sequences", [&] {
      out.array([&] {
        for (std::size_t i = 0; i < sequences.size(); ++i)
          out.object([&] {
            if (!read.names.empty()) out.field("id", read.names[i]);
            out.field("ids", sequences[i]);
            out.field("logprob", logprobs[i]);
          });
      });
    });
  });
  std::puts(out.text().c_str());
}

} // namespace

void run_logprobs(const logprobs_arguments& a) { a.precision == "f64" ? run<double>(a) : run<float>(a); }
