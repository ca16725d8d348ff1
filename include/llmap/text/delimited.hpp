// Tables of text: RFC 4180 (CSV) with any delimiter. A field in quotes may hold delimiters, line ends and doubled
// quotes.
#pragma once
#include "llmap/core/error.hpp"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// The rows of a text that the caller keeps, one after another. A quote that is never closed is an llmap::error.
class delimited_rows {
  std::string_view rest_;
  std::string where_;
  char delimiter_;
  std::size_t line_ = 1, row_line_ = 1;

public:
  /// `where` is the file, for messages.
  delimited_rows(std::string_view text, std::string where, char delimiter)
      : rest_(text), where_(std::move(where)), delimiter_(delimiter) {}

  /// The line on which the last row starts, from 1.
  std::size_t line() const { return row_line_; }

  /// The fields of the next row that is not blank; nullopt at the end.
  std::optional<std::vector<std::string>> next() {
    while (!rest_.empty() && (rest_[0] == '\n' || rest_[0] == '\r')) line_ += rest_[0] == '\n', rest_.remove_prefix(1);
    if (rest_.empty()) return std::nullopt;
    row_line_ = line_;
    std::vector<std::string> row;
    for (bool more = true; more;) {
      row.push_back(!rest_.empty() && rest_[0] == '"' ? quoted() : plain());
      more = !rest_.empty() && rest_[0] == delimiter_;
      if (more) rest_.remove_prefix(1);
    }
    return row;
  }

private:
  std::string plain() {
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != delimiter_ && rest_[end] != '\n' && rest_[end] != '\r') ++end;
    const std::string field(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return field;
  }
  std::string quoted() {
    std::string field;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] != '"') {
        line_ += rest_[i] == '\n';
        field += rest_[i];
      } else if (i + 1 < rest_.size() && rest_[i + 1] == '"') {
        field += rest_[++i];
      } else {
        rest_.remove_prefix(i + 1);
        if (!rest_.empty() && rest_[0] != delimiter_ && rest_[0] != '\n' && rest_[0] != '\r')
          fail(where_, ":", line_, ": expected a delimiter after a field in quotes");
        return field;
      }
    }
    fail(where_, ":", row_line_, ": expected a closing quote, got the end of the file");
  }
};

} // namespace llmap
