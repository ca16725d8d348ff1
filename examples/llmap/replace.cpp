#include "replace.hpp"
#include "llmap/core/error.hpp"
#include "llmap/core/output_path.hpp"
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace {

/// What the tool writes, told by how it begins. A tree and an .npy file carry no sign of who wrote them.
bool is_own(const std::filesystem::path& path) {
  std::string head(1 << 16, '\0');
  std::ifstream in(path, std::ios::binary);
  head.resize(static_cast<std::size_t>(in.read(head.data(), static_cast<std::streamsize>(head.size())).gcount()));
  const std::string_view start = head, line = start.substr(0, start.find('\n'));
  const auto has = [](std::string_view text, std::string_view part) { return text.find(part) != text.npos; };
  if (start.starts_with("{\n \"models\": [")) return true; // numbers of a map; names of a matrix
  if (start.starts_with("<!doctype html>")) return has(start, "content=\"llmap\""); // page
  if (start.starts_with("<svg")) return has(start, "<!-- llmap -->");
  if (start.starts_with("model\t")) return has(line, "_per_byte\ttsne_1\t") || has(line, "_per_text\ttsne_1\t");
  if (start.starts_with("text\tbytes\tdomain\t")) return true; // matrix
  if (start.starts_with("{\"id\":\""))
    return has(line, "#0\",\"text\":\"") && has(line, "\",\"document\":\""); // pieces
  if (start.starts_with("PK")) return has(start.substr(0, 200), "log_likelihood.npy");
  return has(start.substr(0, 4096), "\"log_likelihood\":{\"dtype\":\"F64\""); // safetensors
}

} // namespace

void check_replaceable(const std::vector<std::string>& outputs, bool force) {
  std::error_code none;
  for (const std::string& path : outputs)
    if (!force && std::filesystem::is_regular_file(path, none) && std::filesystem::file_size(path, none) > 0 &&
        !is_own(path))
      llmap::fail(path, ": expected a new file or one that llmap wrote, got another; --force writes over it");
}

void check_form(const std::string& output, const std::vector<std::string>& forms) {
  const std::string ending = std::filesystem::path(output).extension().string();
  const auto has = [&](const std::vector<std::string>& endings) {
    return std::find(endings.begin(), endings.end(), ending) != endings.end();
  };
  if (!has(forms) && has({".html", ".json", ".svg", ".tsv", ".csv", ".nwk", ".newick", ".jsonl", ".safetensors", ".npy",
                          ".npz", ".sqlite", ".png", ".pdf", ".txt", ".gz", ".zst"}))
    llmap::fail(output, ": expected a name that ends in ", forms[0], ", the form of this output, got ", ending);
}

std::FILE* messages_beside(const std::vector<std::string>& outputs) {
  for (const std::string& path : outputs)
    if (!path.empty() && llmap::named_descriptor(path) == 1) return stderr;
  return stdout;
}
