// Errors: every failure a user can cause is an llmap::error whose message is one line:
// what (file, tensor or field), what was expected, what was found.
#pragma once
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>

namespace llmap {

/// A failure caused by input, files or the machine; the message is one line fit for a terminal.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace detail {
/// A part of a message, of any type that operator<< writes.
struct message_part {
  const void* value;
  void (*write)(std::ostream&, const void*);
};
template <class T> message_part part_of(const T& value) {
  return {&value, [](std::ostream& out, const void* v) { out << *static_cast<const T*>(v); }};
}
inline message_part part_of(const char* text) {
  return {text, [](std::ostream& out, const void* v) { out << static_cast<const char*>(v); }};
}

[[noreturn, gnu::cold, gnu::noinline]] inline void fail_with(std::initializer_list<message_part> parts) {
  std::ostringstream out;
  out.precision(17);
  for (const message_part& part : parts) part.write(out, part.value);
  std::string line = out.str();
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  throw error(line);
}
} // namespace detail

/// Joins the parts with operator<< and throws them as an llmap::error. Control characters in the parts (file names and
/// JSON keys are untrusted) are written as '?', so that the message stays on one line.
template <class... Parts> [[noreturn, gnu::cold, gnu::noinline]] void fail(const Parts&... parts) {
  detail::fail_with({detail::part_of(parts)...});
}

/// A broken contract of a public function: the caller's mistake, not the input's.
struct contract_error : std::logic_error {
  using std::logic_error::logic_error;
};

namespace detail {
[[noreturn, gnu::cold, gnu::noinline]] inline void contract_failed(const char* condition, const char* what) {
  throw contract_error(std::string(what) + " (expected " + condition + ")");
}
} // namespace detail

} // namespace llmap

/// Checks a precondition; throws llmap::contract_error naming the condition and `what`.
#define LLMAP_EXPECTS(condition, what)                                                                                 \
  do {                                                                                                                 \
    if (!(condition)) ::llmap::detail::contract_failed(#condition, what);                                              \
  } while (false)
