// What is made of the table of commands and options beside the help: a man page, and completions for shells.
#pragma once
#include <string>

namespace CLI {
class App;
}

/// In the language of man(7).
std::string man_page(const CLI::App& app);
/// `shell`: bash, zsh or fish.
std::string completion(const CLI::App& app, const std::string& shell);
