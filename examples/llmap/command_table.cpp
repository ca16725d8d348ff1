#include "command_table.hpp"
#include <CLI/CLI.hpp>
#include <vector>

namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// "--texts" of an option; "" of a positional.
std::string name_of(const CLI::Option& option) {
  return option.get_lnames().empty() ? "" : "--" + option.get_lnames().front();
}
bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

/// The words that an option may be given, where it takes only some: CLI11 writes them as {a,b}.
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto open = type.find('{'), close = type.find('}');
  std::vector<std::string> choices;
  if (open == std::string::npos || close == std::string::npos) return choices;
  std::istringstream list(type.substr(open + 1, close - open - 1));
  for (std::string word; std::getline(list, word, ',');) choices.push_back(word);
  return choices;
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  return all;
}

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    if (const std::string name = name_of(*option); !name.empty()) names.push_back(name);
  return names;
}

/// Text in man(7): hyphens as they are typed, no line that looks like a request.
std::string escaped_for_man(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '-' || c == '\\') out += '\\';
    if ((c == '.' || c == '\'') && out.empty()) out += "\\&";
    out += c;
  }
  return out;
}

std::string escaped_for_fish(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out;
}

std::string bash_completion(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : commands_of(app)) {
    commands += (commands.empty() ? "" : " ") + command->get_name();
    std::string values;
    for (const CLI::Option* option : command->get_options())
      if (const auto choices = choices_of(*option); !choices.empty() && !name_of(*option).empty())
        values += "      " + name_of(*option) + ") COMPREPLY=($(compgen -W '" + joined(choices) +
                  "' -- \"$word\")); return ;;\n";
    cases += "  " + command->get_name() + ")\n";
    if (!values.empty()) cases += "    case $before in\n" + values + "    esac\n";
    cases += "    options='" + joined(options_of(*command)) + "' ;;\n";
  }
  return "# bash completion of llmap, made by: llmap completion bash\n"
         "_llmap() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options=\n"
         "  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         commands +
         "' -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n" +
         cases +
         "  esac\n"
         "  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "  else COMPREPLY=($(compgen -f -- \"$word\")); fi\n"
         "}\n"
         "complete -o filenames -F _llmap llmap\n";
}

std::string fish_completion(const CLI::App& app) {
  std::string out = "# fish completion of llmap, made by: llmap completion fish\n";
  for (const CLI::App* command : commands_of(app)) {
    const std::string name = command->get_name();
    out += "complete -c llmap -n __fish_use_subcommand -f -a " + name + " -d '" +
           escaped_for_fish(command->get_description()) + "'\n";
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_lnames().empty()) continue;
      out += "complete -c llmap -n '__fish_seen_subcommand_from " + name + "' -l " + option->get_lnames().front();
      if (const auto choices = choices_of(*option); !choices.empty()) out += " -x -a '" + joined(choices) + "'";
      else if (takes_value(*option)) out += " -r";
      out += " -d '" + escaped_for_fish(option->get_description()) + "'\n";
    }
  }
  return out;
}

} // namespace

std::string man_page(const CLI::App& app) {
  std::string out = ".TH LLMAP 1\n.SH NAME\nllmap \\- " +
                    escaped_for_man("maps language models by how they predict text") +
                    "\n.SH SYNOPSIS\n.B llmap\n.I command\n.RI [ options ]\n.SH COMMANDS\n";
  for (const CLI::App* command : commands_of(app)) {
    out += ".SS " + command->get_name();
    for (const CLI::Option* option : command->get_options())
      if (name_of(*option).empty()) out += " " + escaped_for_man(option->get_name());
    out += "\n" + escaped_for_man(command->get_description()) + ".\n";
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_lnames().empty() && option->get_description().empty()) continue;
      const std::string name = name_of(*option).empty() ? option->get_name() : name_of(*option);
      const auto choices = choices_of(*option);
      out += ".TP\n.B " + escaped_for_man(name) + (choices.empty() ? "" : " " + escaped_for_man(joined(choices))) +
             "\n" + escaped_for_man(option->get_description().empty() ? "see the values" : option->get_description()) +
             "\n";
    }
  }
  return out + ".SH EXIT STATUS\n" + escaped_for_man(app.get_footer()) + "\n";
}

std::string completion(const CLI::App& app, const std::string& shell) {
  if (shell == "fish") return fish_completion(app);
  // zsh runs the functions of bash.
  return (shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "") + bash_completion(app);
}
