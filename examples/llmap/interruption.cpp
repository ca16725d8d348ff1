#include "interruption.hpp"
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <string>
#include <unistd.h>

namespace {

std::atomic<bool> noting = false;
std::atomic<int> noted = 0;
std::string last_line; // set before the handlers are

extern "C" void signal_came(int number) {
  std::signal(number, SIG_DFL);
  if (noting) return void(noted = number);
  if (::write(STDERR_FILENO, last_line.data(), last_line.size()) < 0) ::_exit(1);
  ::_exit(128 + number);
}

} // namespace

void end_on_signals(const std::string& line) {
  last_line = (::isatty(STDERR_FILENO) ? "\r\033[K" : "") + line + "\n";
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction before {};
    ::sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN) std::signal(number, signal_came);
  }
}

signals_noted::signals_noted() { noting = true; }
signals_noted::~signals_noted() { noting = false; }
int signals_noted::signal() const { return noted; }

namespace {
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
} // namespace

std::string shell_word(const std::string& word) {
  constexpr const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  const bool control = std::any_of(word.begin(), word.end(), is_control);
  std::string quoted = control ? "$'" : "'"; // $'...' names control characters, which could steer a terminal
  for (const char c : word)
    if (is_control(c)) quoted += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    else if (c == '\'') quoted += control ? "\\'" : "'\\''";
    else if (c == '\\' && control) quoted += "\\\\";
    else quoted += c;
  return quoted + "'";
}

std::string shell_command(int count, char* const* words) {
  std::string command;
  for (int i = 0; i < count; ++i) (command += i ? " " : "") += shell_word(words[i]);
  return command;
}
