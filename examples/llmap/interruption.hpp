// SIGINT and SIGTERM in a command that can be continued: they end it with exit code 128 + signal and one line that says
// how to go on. Where nothing is waiting to be saved they end it at once; elsewhere they are noted, and the command
// ends itself when it has saved. A second signal ends it at once anywhere. A signal that is ignored from the start
// stays ignored.
#pragma once
#include <string>
#include <utility>

/// Thrown by a command that has been interrupted and has saved; no std::exception, so that nobody takes it for a
/// failure.
struct interrupted {
  int exit_code;
  std::string line;
};

/// The line is what is printed where nothing waits to be saved.
void end_on_signals(const std::string& line);

/// While one is there, a signal is noted instead of ending the program.
class signals_noted {
public:
  signals_noted();
  ~signals_noted();
  signals_noted(const signals_noted&) = delete;
  /// Number of the signal that came, 0 if none.
  int signal() const;
};

/// The words as a command to be pasted into a shell.
std::string shell_command(int count, char* const* words);
