// llmap: the command-line tool. Exit codes: 0 done, 1 failed (one line on standard error), 2 wrong usage,
// 128 + signal interrupted.
// Only this file includes CLI11, which takes longer to compile than most commands.
#include "commands.hpp"
#include "interruption.hpp"
#include "llmap/core/error.hpp"
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <unistd.h>

namespace {

/// A mapped file that shrinks while it is read raises SIGBUS: one line, not a crash.
void file_shrank(int) {
  constexpr char line[] = "llmap: a file became shorter while it was being read\n";
  if (::write(STDERR_FILENO, line, sizeof line - 1) < 0) ::_exit(1);
  ::_exit(1);
}

void add_selection(CLI::App& command, llmap::model_selection& selection) {
  command.add_option("--only", selection.only, "these models alone");
  command.add_option("--exclude", selection.exclude, "all models but these");
}

void add_base(CLI::App& command, std::string& base) {
  command.add_option("--base", base, "model below an adapter folder; default: the one that the adapter names");
}

void add_info(CLI::App& app) {
  const auto a = std::make_shared<info_arguments>();
  CLI::App* c = app.add_subcommand("info", "Check a model folder or a safetensors file and say what it holds");
  c->add_option("path", a->path, "model folder or .safetensors file")->required();
  add_base(*c, a->base);
  c->callback([a] { run_info(*a); });
}

void add_tokenize(CLI::App& app) {
  const auto a = std::make_shared<tokenize_arguments>();
  CLI::App* c = app.add_subcommand("tokenize", "Print the token ids of texts");
  c->add_option("folder", a->folder, "model folder with its tokenizer")->required();
  c->add_option("--texts", a->texts, "texts (JSONL)")->required();
  c->add_flag("--no-special", a->no_special, "without the special tokens that the tokenizer adds");
  c->add_option("--threads", a->threads, "default: all processors")->check(CLI::Range(1, 4096));
  c->callback([a] { run_tokenize(*a); });
}

void add_logprobs(CLI::App& app) {
  const auto a = std::make_shared<logprobs_arguments>();
  CLI::App* c = app.add_subcommand("logprobs", "Print the log-probability of every token of given ids (JSON)");
  c->add_option("folder", a->folder, "model folder")->required();
  add_base(*c, a->base);
  c->add_option("--ids", a->ids, "{\"sequences\": [[ids], ...]}")->required();
  c->add_option("--precision", a->precision)->check(CLI::IsMember({"f32", "f64", "bf16"}))->capture_default_str();
  c->add_option("--threads", a->threads, "default: all processors")->check(CLI::Range(1, 4096));
  c->callback([a] { run_logprobs(*a); });
}

/// Nothing, or what is wrong with the name of a device.
std::string is_device(const std::string& name) {
  const bool numbered = name.starts_with("cuda:") && name.size() > 5 && name.size() < 9 &&
                        name.find_first_not_of("0123456789", 5) == name.npos;
  return name == "cpu" || name == "cuda" || numbered ? "" : "expected cpu, cuda or cuda:NUMBER, got " + name;
}

void add_score(CLI::App& app, const std::string& command) {
  const auto a = std::make_shared<score_arguments>();
  CLI::App* c = app.add_subcommand("score", "Score texts under models into a store; resumes where it was stopped");
  c->add_option("folders", a->folders, "model folders, folders of them, or ORG/NAME[@REVISION] in the hub cache")
      ->required();
  add_base(*c, a->settings.base);
  c->add_option("--texts", a->texts, "texts (JSONL)")->required();
  c->add_option("--store", a->store, "store (SQLite); made if missing")->required();
  c->add_option("--precision", a->settings.precision,
                "working precision; bf16: products in bf16, faster and less accurate")
      ->check(CLI::IsMember({"f32", "f64", "bf16"}))
      ->capture_default_str();
  c->add_option("--device", a->settings.device, "where to compute: cpu, cuda, or cuda:NUMBER")
      ->check(CLI::Validator(is_device, "cpu|cuda[:NUMBER]"))
      ->capture_default_str();
  c->add_option("--threads", a->settings.threads, "default: all processors")->check(CLI::Range(1, 4096));
  c->add_option("--batch", a->settings.batch_rows,
                "tokens per batch; no effect on results; default: by the model's size")
      ->check(CLI::Range(1, 1 << 20));
  c->add_option("--bos", a->settings.bos, "BOS in front of each text")
      ->check(CLI::IsMember({"as_tokenizer", "always", "never"}))
      ->capture_default_str();
  c->add_option("--on-overlong", a->settings.overlong, "texts longer than the model's positions")
      ->check(CLI::IsMember({"error", "truncate"}))
      ->capture_default_str();
  a->command = command;
  c->callback([a] { run_score(*a); });
}

void add_export(CLI::App& app) {
  const auto a = std::make_shared<export_arguments>();
  CLI::App* c = app.add_subcommand("export", "Write the log-likelihoods of a store as safetensors and names as JSON");
  c->add_option("store", a->store, "store made by score")->required();
  c->add_option("--out", a->out, "file to write (.safetensors; names go to .json)")->required();
  add_selection(*c, a->selection);
  c->callback([a] { run_export(*a); });
}

void add_map(CLI::App& app) {
  const auto a = std::make_shared<map_arguments>();
  CLI::App* c = app.add_subcommand("map", "Draw the map of the models of a store or a matrix");
  c->add_option("store", a->store, "store made by score (SQLite)");
  c->add_option("--matrix", a->matrix, "log-likelihood matrix made by export (safetensors)");
  c->add_option("--html", a->html, "write the map as one self-contained page");
  c->add_option("--json", a->json, "write the map's numbers");
  c->add_option("--svg", a->svg, "write the map as a figure");
  c->add_option("--tsv", a->tsv, "write coordinates and nearest models as a table");
  c->add_option("--newick", a->newick, "write the tree (average linkage of KL)");
  c->add_option("--perplexity", a->perplexity, "of t-SNE; default: 30, or a third of the other models")
      ->check(CLI::Range(1.0, 1e6));
  c->add_option("--clip", a->clip, "quantile of all entries that lower ones are raised to; 0 clips nothing")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  c->add_option("--affinity", a->affinity, "of t-SNE; sqeuclidean is what the paper's figures used")
      ->check(CLI::IsMember({"euclidean", "sqeuclidean"}))
      ->capture_default_str();
  c->add_option("--threads", a->threads, "default: all processors")->check(CLI::Range(1, 4096));
  add_selection(*c, a->selection);
  c->callback([a] { run_map(*a); });
}

void add_compare(CLI::App& app) {
  const auto a = std::make_shared<compare_arguments>();
  CLI::App* c = app.add_subcommand("compare", "Compare two models: KL with error, influential texts, domains");
  c->add_option("store", a->store, "store made by score, or matrix made by export")->required();
  c->add_option("a", a->a, "first model")->required();
  c->add_option("b", a->b, "second model")->required();
  c->add_option("--clip", a->clip, "quantile of all entries that lower ones are raised to")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add_selection(*c, a->selection);
  c->callback([a] { run_compare(*a); });
}

void add_chunk(CLI::App& app) {
  const auto a = std::make_shared<chunk_arguments>();
  CLI::App* c = app.add_subcommand("chunk", "Cut documents into a text set");
  c->add_option("files", a->files, "documents (UTF-8 text)")->required();
  c->add_option("--out", a->out, "text set to write (JSONL)")->required();
  c->add_option("--bytes", a->options.most, "most bytes in a piece")
      ->check(CLI::Range(4, 1 << 24))
      ->capture_default_str();
  c->add_option("--longer-than", a->options.least, "pieces must be longer than this many bytes")->capture_default_str();
  c->add_option("--domain", a->domain, "domain of all these documents");
  c->callback([a] { run_chunk(*a); });
}

} // namespace

int main(int argc, char** argv) {
  std::signal(SIGBUS, file_shrank);
  CLI::App app("llmap: maps language models by how they predict text");
  app.require_subcommand(1);
  add_info(app);
  add_tokenize(app);
  add_logprobs(app);
  add_score(app, shell_command(argc, argv));
  add_export(app);
  add_map(app);
  add_compare(app);
  add_chunk(app);
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
      llmap::fail("standard output: could not be written completely");
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  } catch (const interrupted& end) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", end.line.c_str());
    return end.exit_code;
  } catch (const std::exception& problem) {
    std::fflush(stdout);
    std::fprintf(stderr, "llmap: %s\n", problem.what());
    return 1;
  }
  return 0;
}
