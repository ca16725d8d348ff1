// Which existing files a command may write over: those that the tool can tell to be its own.
#pragma once
#include <cstdio>
#include <string>
#include <vector>

/// Fails, unless `force`, if one of the outputs is a file that the tool has not written. Empty paths (options that were
/// not given), empty files, pipes and devices are no files that could be lost. Stores, which take long to make, are
/// replaced by force only.
void check_replaceable(const std::vector<std::string>& outputs, bool force);

/// Fails if the name of an output says another form than `forms`, the endings that it may have, as a table called
/// m.safetensors would. Names without an ending, and endings that say no form of the tool's, are free.
void check_form(const std::string& output, const std::vector<std::string>& forms);

/// Where a command says what it has done: standard output, or standard error if one of its outputs is standard output,
/// which that output has for itself.
std::FILE* messages_beside(const std::vector<std::string>& outputs);
