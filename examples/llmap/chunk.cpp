// llmap chunk: cuts documents into the paper's pieces and writes them as a text set.
#include "llmap/text/chunk.hpp"
#include "commands.hpp"
#include "interruption.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/core/output_path.hpp"
#include "llmap/core/write_file.hpp"
#include "replace.hpp"
#include <fmt/format.h>
#include <map>

void run_chunk(const chunk_arguments& a) {
  llmap::check_outputs({a.files.begin(), a.files.end()}, {a.out});
  check_form(a.out, {".jsonl", ".json"});
  check_replaceable({a.out}, a.force);
  std::map<std::string, std::string> document_of;
  std::string lines;
  std::size_t pieces = 0;
  if (const auto bad = llmap::invalid_utf8(a.domain))
    llmap::fail("--domain: expected UTF-8, got an invalid sequence at byte ", *bad);
  for (const std::string& path : a.files) {
    const std::string text = llmap::read_document(path, "a document");
    if (const auto bad = llmap::invalid_utf8(text))
      llmap::fail(path, ": expected UTF-8, got an invalid sequence at byte ", *bad);
    const std::string document = std::filesystem::path(path).filename().string();
    if (llmap::invalid_utf8(document))
      llmap::fail(path, ": expected a file name in UTF-8, because it names the document");
    const auto [other, fresh] = document_of.emplace(document, path);
    if (!fresh) llmap::fail(path, ": a document named ", document, " was already given (", other->second, ")");
    std::size_t number = 0;
    for (std::string_view piece : llmap::chunk(text, a.options)) {
      llmap::json_writer line;
      line.object([&] {
        line.field("id", document + "#" + std::to_string(number++));
        line.field("text", piece);
        line.field("document", document);
        if (!a.domain.empty()) line.field("domain", a.domain);
      });
      lines.append(line.text()) += '\n';
      ++pieces;
    }
  }
  if (lines.empty())
    llmap::fail(a.out, ": expected pieces of more than ", a.options.least, " bytes (--longer-than), got none");
  llmap::write_file(a.out, lines);
  fmt::print(messages_beside({a.out}),
             "{}: {} texts of {} document{}; next: llmap score MODEL... --texts {} --store s.sqlite\n", shown(a.out),
             pieces, a.files.size(), a.files.size() == 1 ? "" : "s", shell_word(a.out));
}
