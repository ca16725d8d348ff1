// llmap: the command-line tool. Exit codes: 0 done, 1 failed (one line on standard error), 2 wrong usage,
// 128 + signal interrupted.
// Only this file and command_table.cpp include CLI11, which takes longer to compile than most commands.
#include "command_table.hpp"
#include "commands.hpp"
#include "interruption.hpp"
#include "llmap/core/error.hpp"
#include "llmap/version.hpp"
#include "spelling.hpp"
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <unistd.h>

namespace {

struct wrong_usage {
  std::string line;
};

CLI::App* command_named(CLI::App& app, const std::string& name) {
  std::vector<std::string> names;
  for (CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == name) return command;
    names.push_back(command->get_name());
  }
  throw wrong_usage{"no command " + name + did_you_mean(name, names) +
                    " (a subcommand is required; llmap help lists them)"};
}

/// A mapped file that shrinks while it is read raises SIGBUS: one line, not a crash.
void file_shrank(int) {
  constexpr char line[] = "llmap: a file became shorter while it was being read\n";
  if (::write(STDERR_FILENO, line, sizeof line - 1) < 0) ::_exit(1);
  ::_exit(1);
}

/// Options whose value - means standard input or output.
CLI::Option* add_input(CLI::App& command, const std::string& name, std::string& path, const std::string& about) {
  return command.add_option(name, path, about + "; - is standard input")->transform([](std::string given) {
    return given == "-" ? std::string("/dev/stdin") : given;
  });
}
CLI::Option* add_output(CLI::App& command, const std::string& name, std::string& path, const std::string& about) {
  return command.add_option(name, path, about + "; - is standard output")->transform([](std::string given) {
    return given == "-" ? std::string("/dev/stdout") : given;
  });
}

void add_texts(CLI::App& command, texts_arguments& texts) {
  add_input(
      command, "--texts", texts.path,
      "texts: JSON Lines, a JSON array, .csv or .tsv with a header, or a folder of .txt files; also in .gz or .zst")
      ->required();
  command.add_option("--text-field", texts.options.fields.text, "field of a record that is the text; default: text");
  command.add_option("--id-field", texts.options.fields.id,
                     "field of a record that is its id; default: id or index, else its number from 0");
  command.add_option("--limit", texts.options.most, "only the first texts")->check(CLI::Range(1, 1 << 30));
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
  c->add_option("path", a->path, "model folder, also one with only a config.json, or .safetensors file")->required();
  add_base(*c, a->base);
  c->add_flag("--json", a->json, "as JSON");
  c->callback([a] { run_info(*a); });
}

void add_tokenize(CLI::App& app) {
  const auto a = std::make_shared<tokenize_arguments>();
  CLI::App* c = app.add_subcommand("tokenize", "Print the token ids of texts");
  c->add_option("folder", a->folder, "model folder with its tokenizer")->required();
  add_texts(*c, a->texts);
  c->add_flag("--no-special", a->no_special, "without the special tokens that the tokenizer adds");
  c->add_option("--threads", a->threads, "default: all processors")->check(CLI::Range(1, 4096));
  c->callback([a] { run_tokenize(*a); });
}

void add_activations(CLI::App& c, std::string& activations) {
  c.add_option("--activations", activations,
               "what quantized matrices read: full precision, or rounded as the deployed model rounds it (fp8, int8 "
               "and nvfp4 schemes whose rule is known; on the CPU)")
      ->check(CLI::IsMember({"full", "deployed"}))
      ->capture_default_str();
}

void add_logprobs(CLI::App& app) {
  const auto a = std::make_shared<logprobs_arguments>();
  CLI::App* c = app.add_subcommand("logprobs", "Print the log-probability of every token of given ids (JSON)");
  c->add_option("folder", a->folder, "model folder")->required();
  add_base(*c, a->base);
  add_input(*c, "--ids", a->ids, "{\"sequences\": [[ids], ...]}, or what llmap tokenize prints")->required();
  c->add_option("--precision", a->precision)->check(CLI::IsMember({"f32", "f64", "bf16"}))->capture_default_str();
  add_activations(*c, a->activations);
  c->add_option("--threads", a->threads, "default: all processors")->check(CLI::Range(1, 4096));
  c->callback([a] { run_logprobs(*a); });
}

/// Nothing, or what is wrong with the name of devices.
std::string is_device(const std::string& name) {
  if (name == "cpu" || name == "cuda" || name == "cuda:all") return "";
  std::vector<std::string> numbers;
  for (std::size_t at = 5, end; name.starts_with("cuda:") && at <= name.size(); at = end + 1) {
    end = std::min(name.find(',', at), name.size());
    numbers.push_back(name.substr(at, end - at));
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const bool numbered =
        !numbers[i].empty() && numbers[i].size() < 4 && numbers[i].find_first_not_of("0123456789") == std::string::npos;
    if (!numbered) numbers.clear();
    else if (std::find(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(i), numbers[i]) !=
             numbers.begin() + static_cast<std::ptrdiff_t>(i))
      return "expected a device once, got " + name;
  }
  return numbers.empty() ? "expected cpu, cuda, cuda:NUMBER[,NUMBER...] or cuda:all, got " + name : "";
}

void add_score(CLI::App& app, const std::string& command) {
  const auto a = std::make_shared<score_arguments>();
  CLI::App* c = app.add_subcommand("score", "Score texts under models into a store; resumes where it was stopped");
  c->add_option("folders", a->folders, "model folders, folders of them, or ORG/NAME[@REVISION] in the hub cache")
      ->required();
  add_base(*c, a->settings.base);
  add_texts(*c, a->texts);
  c->add_option("--store", a->store, "store (SQLite); made if missing")->required();
  c->add_option("--name", a->name,
                "name of the one model in the store; default: ORG/NAME of the hub or of folders of organizations, else "
                "the end of its path that tells it from the other models");
  c->add_option("--precision", a->settings.precision,
                "working precision; bf16: products in bf16, faster and less accurate")
      ->check(CLI::IsMember({"f32", "f64", "bf16"}))
      ->capture_default_str();
  add_activations(*c, a->settings.activations);
  c->add_option(
       "--device", a->settings.device,
       "where to compute: cpu, cuda (the first device), or cuda:NUMBER; several devices of one kind, cuda:0,1 or "
       "cuda:all, share the texts and give the same scores as one")
      ->check(CLI::Validator(is_device, "cpu|cuda[:NUMBER[,NUMBER...]|:all]"))
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
  c->add_flag("--json", a->json, "the results as JSON");
  a->command = command;
  c->callback([a] { run_score(*a); });
}

void add_force(CLI::App& command, bool& force) {
  command.add_flag("--force", force, "write over files that llmap has not written, and over stores");
}

void add_models(CLI::App& app) {
  const auto a = std::make_shared<models_arguments>();
  CLI::App* c = app.add_subcommand("models", "List the models of a store: texts scored, device, when, policy");
  c->add_option("store", a->store, "store made by score")->required();
  c->add_flag("--json", a->json, "as JSON");
  c->callback([a] { run_models(*a); });
}

void add_remove(CLI::App& app) {
  const auto a = std::make_shared<remove_arguments>();
  CLI::App* c = app.add_subcommand("remove", "Remove models and their scores from a store");
  c->add_option("store", a->store, "store made by score")->required();
  c->add_option("models", a->models, "names of models, as llmap models lists them")->required();
  c->callback([a] { run_remove(*a); });
}

void add_merge(CLI::App& app) {
  const auto a = std::make_shared<merge_arguments>();
  CLI::App* c = app.add_subcommand("merge", "Merge stores of one text set into a new one");
  c->add_option("out", a->out, "store to write")->required();
  c->add_option("stores", a->stores, "stores made by score")->required();
  add_force(*c, a->force);
  c->callback([a] { run_merge(*a); });
}

void add_export(CLI::App& app) {
  const auto a = std::make_shared<export_arguments>();
  CLI::App* c = app.add_subcommand("export", "Write the matrix of a store: log-likelihoods and names");
  c->add_option("store", a->store, "store made by score")->required();
  add_output(*c, "--out", a->out,
             "file to write; its name says the form: .safetensors or .npy (names go to .json beside it), .npz, .tsv")
      ->required();
  add_selection(*c, a->selection);
  add_force(*c, a->force);
  c->callback([a] { run_export(*a); });
}

void add_map(CLI::App& app) {
  const auto a = std::make_shared<map_arguments>();
  CLI::App* c = app.add_subcommand("map", "Draw the map of the models of a store or a matrix");
  c->add_option("store", a->store, "store made by score (SQLite)");
  c->add_option("--matrix", a->matrix, "log-likelihood matrix (K, N): as export writes it (.safetensors), or .npy");
  add_output(*c, "--html", a->html, "write the map as one self-contained page");
  add_output(*c, "--json", a->json, "write the map's numbers");
  add_output(*c, "--svg", a->svg, "write the map as a figure");
  add_output(*c, "--tsv", a->tsv, "write coordinates and nearest models as a table");
  add_output(*c, "--newick", a->newick, "write the tree (average linkage of KL)");
  c->add_option("--title", a->title, "title of the page and the figure");
  add_input(*c, "--labels", a->labels,
            "table with tabs and a header: model, then label (a new name) and any groups and values to color by");
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
  add_force(*c, a->force);
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
  c->add_flag("--json", a->json, "as JSON");
  c->callback([a] { run_compare(*a); });
}

void add_chunk(CLI::App& app) {
  const auto a = std::make_shared<chunk_arguments>();
  CLI::App* c = app.add_subcommand("chunk", "Cut documents into a text set");
  c->add_option("files", a->files, "documents (UTF-8 text, also in .gz or .zst); - is standard input")
      ->required()
      ->transform([](std::string given) { return given == "-" ? std::string("/dev/stdin") : given; });
  add_output(*c, "--out", a->out, "text set to write (JSON Lines)")->required();
  c->add_option("--bytes", a->options.most, "most bytes in a piece")
      ->check(CLI::Range(4, 1 << 24))
      ->capture_default_str();
  c->add_option("--longer-than", a->options.least, "pieces must be longer than this many bytes")->capture_default_str();
  c->add_option("--domain", a->domain, "domain of all these documents");
  add_force(*c, a->force);
  c->callback([a] { run_chunk(*a); });
}

void add_help(CLI::App& app) {
  CLI::App* c = app.add_subcommand("help", "Print the help of a command, or this one");
  c->add_option("command", "a command");
}

void add_completion(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* c = app.add_subcommand("completion", "Print completions for a shell, to be sourced");
  c->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  c->callback([&app, shell] { std::fputs(completion(app, *shell).c_str(), stdout); });
}

void add_man(CLI::App& app) {
  app.add_subcommand("man", "Print the man page; llmap man | man -l -")->callback([&app] {
    std::fputs(man_page(app).c_str(), stdout);
  });
}

/// What `llmap help` prints. Once a command is parsed, CLI11 has no other help than that command's.
std::string help_of(CLI::App& app, const std::string& command) {
  return command.empty() ? app.help("llmap") : command_named(app, command)->help("llmap");
}

/// Refuses commands and options that there are not, before the parser asks for others that are missing.
void check_words(CLI::App& app, int count, char* const* words) {
  if (count < 2 || words[1][0] == '-') return;
  const CLI::App& command = *command_named(app, words[1]);
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  for (int i = 2; i < count && std::string(words[i]) != "--"; ++i) {
    std::string word = words[i];
    if (!word.starts_with("--")) continue;
    word = word.substr(0, word.find('='));
    if (std::find(options.begin(), options.end(), word) == options.end())
      throw wrong_usage{"no option " + word + " of llmap " + command.get_name() + did_you_mean(word, options)};
  }
}

} // namespace

int main(int argc, char** argv) {
  std::signal(SIGBUS, file_shrank);
  CLI::App app("llmap: maps language models by how they predict text");
  app.require_subcommand(1);
  app.set_version_flag("--version", "llmap " + std::to_string(LLMAP_VERSION_MAJOR) + "." +
                                        std::to_string(LLMAP_VERSION_MINOR) + "." +
                                        std::to_string(LLMAP_VERSION_PATCH));
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 128 + signal interrupted. llmap help COMMAND says more.");
  add_info(app);
  add_tokenize(app);
  add_logprobs(app);
  add_score(app, shell_command(argc, argv));
  add_models(app);
  add_remove(app);
  add_merge(app);
  add_export(app);
  add_map(app);
  add_compare(app);
  add_chunk(app);
  add_help(app);
  add_completion(app);
  add_man(app);
  try {
    if (argc > 1 && std::string(argv[1]) == "help") {
      std::fputs(help_of(app, argc > 2 ? argv[2] : "").c_str(), stdout);
      return 0;
    }
    check_words(app, argc, argv);
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
      llmap::fail("standard output: could not be written completely");
  } catch (const wrong_usage& problem) {
    std::fprintf(stderr, "llmap: %s\n", shown(problem.line).c_str());
    return 2;
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) return app.exit(problem);
    const auto parsed = app.get_subcommands();
    std::fprintf(stderr, "llmap: %s; llmap help%s says more\n", shown(problem.what()).c_str(),
                 parsed.empty() ? "" : (" " + parsed.front()->get_name()).c_str());
    return 2;
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
