// The commands of the llmap tool, one source file each. A command throws llmap::error for bad input.
#pragma once
#include <CLI/CLI.hpp>

void add_info(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_logprobs(CLI::App& app);
void add_score(CLI::App& app);
void add_export(CLI::App& app);
void add_map(CLI::App& app);
void add_compare(CLI::App& app);
void add_chunk(CLI::App& app);
