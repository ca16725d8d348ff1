// The commands of the llmap tool, one source file each.
#pragma once
#include <CLI/CLI.hpp>

void add_map(CLI::App& app); // map.cpp
