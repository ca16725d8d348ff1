// SIGINT and SIGTERM in a command that can be resumed: they end it with exit code 128 + signal and one line that says
// how to go on. If nothing waits to be saved they end it at once; otherwise they are noted, and the command ends itself
// once it has saved. A second signal always ends it at once. A signal that was ignored at the start stays ignored.
#pragma once
#include <string>
#include <utility>

/// Thrown by an interrupted command that has saved. Not a std::exception, so that nobody takes it for a failure.
struct interrupted {
  int exit_code;
  std::string line;
};

/// `line` is printed if nothing waits to be saved.
void end_on_signals(const std::string& line);

/// While an object of this class exists, signals are noted instead of ending the program.
class signals_noted {
public:
  signals_noted();
  ~signals_noted();
  signals_noted(const signals_noted&) = delete;
  /// The number of the signal that came, or 0.
  int signal() const;
};

/// A word, or words as a command, that can be pasted into a shell.
std::string shell_word(const std::string& word);
std::string shell_command(int count, char* const* words);
