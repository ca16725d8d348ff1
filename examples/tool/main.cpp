// llmap: the command-line tool. Exit codes: 0 done, 1 failed (one line on standard error), 2 wrong usage.
#include "commands.hpp"
#include "llmap/core/error.hpp"
#include <csignal>
#include <cstdio>
#include <exception>
#include <unistd.h>

namespace {

/// A mapped file that shrinks while it is read raises SIGBUS: one line, not a crash.
void file_shrank(int) {
  constexpr char line[] = "llmap: a file became shorter while it was being read\n";
  if (::write(STDERR_FILENO, line, sizeof line - 1) < 0) ::_exit(1);
  ::_exit(1);
}

} // namespace

int main(int argc, char** argv) {
  std::signal(SIGBUS, file_shrank);
  CLI::App app("llmap: maps language models by how they predict text");
  app.require_subcommand(1);
  add_info(app);
  add_tokenize(app);
  add_logprobs(app);
  add_score(app);
  add_export(app);
  add_map(app);
  add_compare(app);
  add_chunk(app);
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) llmap::fail("standard output: could not be written to its end");
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  } catch (const std::exception& problem) {
    std::fflush(stdout);
    std::fprintf(stderr, "llmap: %s\n", problem.what());
    return 1;
  }
  return 0;
}
