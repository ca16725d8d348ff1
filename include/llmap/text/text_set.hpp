// A text set, as people keep them: JSON Lines, a JSON array, CSV or TSV with a header, a folder of .txt files; each
// also in gzip or Zstandard, and from a pipe. text_record.hpp says which fields are read. Texts are taken byte for
// byte: nothing is trimmed or normalized. A byte order mark and blank lines between records are passed over. Every
// message starts with FILE:LINE, or FILE: RECORD of an array.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/delimited.hpp"
#include "llmap/text/text_record.hpp"
#include "llmap/text/text_source.hpp"
#include <algorithm>
#include <limits>
#include <unordered_map>

namespace llmap {

/// The texts that models are compared on.
struct text_set {
  std::vector<text_item> items; // (N), ids are distinct
};

/// Which fields and how many texts are read.
struct text_set_options {
  text_fields fields{}; ///< names of JSON fields and columns
  std::size_t most = 0; // only the first texts; 0: all
};

namespace detail {

/// Collects texts, and says when there are enough.
class text_collector {
  text_set set_;
  std::unordered_map<std::string, std::size_t> position_; // of an id in the set
  std::vector<std::string> where_;
  const text_set_options& options_;
  std::size_t records_ = 0;

public:
  explicit text_collector(const text_set_options& options) : options_(options) {}
  bool full() const { return options_.most && set_.items.size() >= options_.most; }
  /// `repeats`: the same text under the same id is no fault.
  void add(text_item item, const std::string& where, bool repeats = false) {
    if (full()) return;
    const auto [first, fresh] = position_.emplace(item.id, set_.items.size());
    if (!fresh) {
      if (repeats && set_.items[first->second].text == item.text) return;
      fail(where, ": id: expected a new one, got ", item.id, " of ", where_[first->second]);
    }
    set_.items.push_back(std::move(item));
    where_.push_back(where);
  }
  void add_record(const json& record, const std::string& where) {
    const bool sample = is_sample(record, options_.fields); // written once for each filter of the model's answers
    for (text_item& item : texts_of_record(record, options_.fields, records_, where))
      add(std::move(item), where, sample);
    ++records_;
  }
  text_set take(const std::string& name) {
    if (set_.items.empty()) fail(name, ": expected texts, got an empty file");
    return std::move(set_);
  }
};

/// `number` lines were read before.
inline void read_lines(std::istream& in, const std::string& name, std::size_t number, text_collector& texts) {
  for (std::string line; !texts.full() && std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      texts.add_record(parse_json(line, name + ":" + std::to_string(number)), name + ":" + std::to_string(number));
  }
}

inline void read_array(std::istream& in, const std::string& name, text_collector& texts) {
  const json array = parse_json(std::string{std::istreambuf_iterator<char>(in), {}}, name);
  std::size_t number = 0;
  for (const json& record : *array.items()) {
    if (texts.full()) break;
    texts.add_record(record, name + ": record " + std::to_string(++number));
  }
}

inline void read_table(std::istream& in, const std::string& name, char delimiter, text_collector& texts) {
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  if (const auto bad = invalid_utf8(all)) fail(name, ": expected UTF-8, got an invalid sequence at byte ", *bad);
  delimited_rows rows(all, name, delimiter);
  const auto header = rows.next();
  if (!header) return;
  for (std::size_t i = 0; i < header->size(); ++i)
    if (std::find(header->begin(), header->begin() + static_cast<std::ptrdiff_t>(i), (*header)[i]) !=
        header->begin() + static_cast<std::ptrdiff_t>(i))
      fail(name, ":", rows.line(), ": expected columns of different names, got ", (*header)[i], " twice");
  while (!texts.full()) {
    const auto row = rows.next();
    if (!row) break;
    const std::string where = name + ":" + std::to_string(rows.line());
    if (row->size() != header->size()) fail(where, ": expected ", header->size(), " fields, got ", row->size());
    json::object record;
    for (std::size_t i = 0; i < row->size(); ++i) record.push_back({(*header)[i], json((*row)[i])});
    texts.add_record(json(std::move(record)), where);
  }
}

/// Every .txt file in a folder and its subfolders is a text, called by its path there.
inline void read_folder(const std::filesystem::path& folder, text_collector& texts) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && (name.ends_with(".txt") || name.ends_with(".txt.gz") || name.ends_with(".txt.zst")))
      files.push_back(entry.path());
  }
  if (files.empty()) fail(folder.string(), ": expected a text set, or a folder of .txt files, got a folder without");
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    if (texts.full()) break;
    const std::string id = file.lexically_relative(folder).generic_string();
    std::string text = read_document(file);
    if (const auto bad = invalid_utf8(text))
      fail(file.string(), ": expected UTF-8, got an invalid sequence at byte ", *bad);
    if (invalid_utf8(id)) fail(file.string(), ": expected a file name in UTF-8, because it is the id of a text");
    texts.add({id, std::move(text)}, file.string());
  }
}

/// How a file begins.
struct beginning {
  char first = 0;        // that is not blank, still in the stream; 0: none
  std::size_t lines = 0; // before it
};

/// Passes over a byte order mark and blanks.
inline beginning read_beginning(std::istream& in) {
  if (in.peek() == 0xef) {
    char mark[3] = {};
    in.read(mark, 3);
    if (std::string_view(mark, 3) != "\xef\xbb\xbf") {
      const auto read = in.gcount();
      in.clear();
      for (std::streamsize i = 0; i < read; ++i) in.unget();
    }
  }
  beginning begin;
  for (int c = in.peek(); c != std::char_traits<char>::eof(); c = in.peek()) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
      begin.first = static_cast<char>(c);
      break;
    }
    begin.lines += c == '\n';
    in.get();
  }
  return begin;
}

} // namespace detail

/// Reads a set from a file, a folder or a pipe. A record that does not fit, an id that is there twice, or text that is
/// not UTF-8 is an llmap::error.
inline text_set load_text_set(const std::filesystem::path& path, const text_set_options& options = {}) {
  const std::string name = path.string();
  detail::text_collector texts(options);
  if (std::filesystem::is_directory(path)) {
    detail::read_folder(path, texts);
    return texts.take(name);
  }
  text_source source(path, "a text set");
  std::istream in(&source);
  in.exceptions(std::ios::badbit); // what the source throws goes on
  std::filesystem::path plain = path;
  if (plain.extension() == ".gz" || plain.extension() == ".zst") plain.replace_extension();
  const std::string form = plain.extension().string();
  if (const int c = in.peek(); c == 0xff || c == 0xfe) // no UTF-8 begins so; UTF-16 does with its byte order mark
    fail(name, ": expected UTF-8, got UTF-16; perhaps: iconv -f UTF-16 -t UTF-8 ", name);
  const auto [first, lines] = detail::read_beginning(in);
  if (form == ".csv" || form == ".tsv") {
    detail::read_table(in, name, form == ".csv" ? ',' : '\t', texts);
  } else if (first == '[' && form != ".jsonl") {
    detail::read_array(in, name, texts);
  } else if (first == '{' || first == '"' || first == 0 || form == ".jsonl") {
    detail::read_lines(in, name, lines, texts);
  } else {
    std::string head(6, '\0');
    head.resize(static_cast<std::size_t>(in.read(head.data(), 6).gcount()));
    const std::string lines_file = plain.stem().string() + ".jsonl";
    if (head.starts_with("PAR1"))
      fail(name, ": expected a text set, got a Parquet file; perhaps: duckdb -c \"COPY (FROM '", name, "') TO '",
           lines_file, "'\"");
    if (head.starts_with("ARROW1"))
      fail(name, ": expected a text set, got an Arrow file; perhaps: python3 -c \"import pandas; pandas.read_feather('",
           name, "').to_json('", lines_file, "', orient='records', lines=True)\"");
    fail(name, ": expected a text set (JSON Lines, a JSON array, .csv, .tsv, or a folder of .txt files), got ",
         form == ".txt" ? "a .txt file; llmap chunk cuts it into pieces, or give its folder" : "something else");
  }
  return texts.take(name);
}

} // namespace llmap
