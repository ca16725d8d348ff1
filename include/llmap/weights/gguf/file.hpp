// The GGUF format, versions 2 and 3, little-endian, mapped into memory:
//   "GGUF", u32 version, u64 tensors, u64 entries, metadata, tensor table, padding, the bytes of the tensors.
//   string: u64 length, bytes.  entry: string key, u32 type, value.  array: u32 type, u64 count, values.
//   tensor: string name, u32 dimensions, u64 each (the contiguous one first), u32 type, u64 offset into the data.
// Nothing is trusted: every length, count and offset is checked against the bytes that are left, without overflow,
// before it is used, and memory grows only with what was really read. Source: ggml, docs/gguf.md.
#pragma once
#include "llmap/core/known_form.hpp"
#include "llmap/core/mapped_file.hpp"
#include "llmap/weights/gguf/blocks.hpp"
#include "llmap/weights/tensor_source.hpp"
#include <bit>
#include <map>
#include <variant>

namespace llmap {

/// Whether a path is meant as a model in one GGUF file.
inline bool is_gguf(const std::filesystem::path& path) {
  return path.extension() == ".gguf" && !std::filesystem::is_directory(path);
}

} // namespace llmap

namespace llmap::gguf {

/// Numbers are widened; an array is of numbers or of strings.
using value =
    std::variant<bool, std::int64_t, std::uint64_t, double, std::string, std::vector<double>, std::vector<std::string>>;

/// A tensor of the file; its bytes are valid as long as the file is mapped.
struct tensor_entry {
  const block_format* format = nullptr; ///< never null in a file that was read
  std::vector<std::int64_t> shape;      // as llmap has it: the contiguous dimension last
  std::span<const std::byte> bytes;     ///< whole blocks
};

/// A file whose metadata and tensor table were read and checked. What breaks the format is an llmap::error that names
/// the file.
class file {
public:
  /// Maps the file and reads all but the tensors' bytes.
  explicit file(const std::filesystem::path& path) : file_(std::make_shared<mapped_file>(path)), rest_(file_->bytes()) {
    static_assert(std::endian::native == std::endian::little, "the format is little-endian");
    const std::string_view start(reinterpret_cast<const char*>(rest_.data()), std::min<std::size_t>(rest_.size(), 512));
    if (!start.starts_with("GGUF")) {
      const auto form = known_form(start);
      fail(where(), ": expected a GGUF file, got ", form.empty() ? "something else" : form);
    }
    rest_ = rest_.subspan(4);
    const auto version = number<std::uint32_t>("version");
    if (version != 2 && version != 3) refuse("version", "expected 2 or 3 (little-endian), got ", version);
    const auto tensors = number<std::uint64_t>("tensor count"), entries = number<std::uint64_t>("metadata count");
    check_count("tensor count", tensors, 24); // bytes that the smallest of them takes
    check_count("metadata count", entries, 13);
    for (std::uint64_t i = 0; i < entries; ++i) {
      const std::string key = text("metadata key " + std::to_string(i));
      if (!metadata_.emplace(key, read_value(key, number<std::uint32_t>(key))).second) refuse(key, "appears twice");
    }
    if (const auto parts = integer("split.count", 0, 65535); parts.value_or(1) > 1)
      refuse("split.count", "expected a model in one file, got one of ", *parts,
             "; join them with llama-gguf-split --merge");
    read_tensors(tensors);
  }

  const std::map<std::string, value>& metadata() const { return metadata_; }      ///< all of it
  const std::map<std::string, tensor_entry>& tensors() const { return tensors_; } ///< by name
  std::string where() const { return file_->path().string(); }                    ///< path
  const std::shared_ptr<const mapped_file>& mapping() const { return file_; }     ///< keeps bytes valid

  /// A metadata value as T (one of the members of `value`), or nullptr where it is missing; another type is refused.
  template <class T> const T* find(const std::string& key, const char* expected) const {
    const auto it = metadata_.find(key);
    if (it == metadata_.end()) return nullptr;
    if (!std::holds_alternative<T>(it->second)) refuse(key, "expected ", expected);
    return &std::get<T>(it->second);
  }
  /// A string; `otherwise` where it is missing.
  std::string text_of(const std::string& key, const std::string& otherwise) const {
    const auto* found = find<std::string>(key, "a string");
    return found ? *found : otherwise;
  }
  /// A truth value; `otherwise` where it is missing.
  bool boolean(const std::string& key, bool otherwise) const {
    const auto* found = find<bool>(key, "true or false");
    return found ? *found : otherwise;
  }
  /// An integer of any width, from `least` to `most`; nullopt where it is missing.
  std::optional<std::int64_t> integer(const std::string& key, std::int64_t least, std::int64_t most) const {
    const auto it = metadata_.find(key);
    if (it == metadata_.end()) return std::nullopt;
    const auto* plain = std::get_if<std::uint64_t>(&it->second);
    const auto* with_sign = std::get_if<std::int64_t>(&it->second);
    if (!plain && !with_sign) refuse(key, "expected one integer");
    // What does not fit into 64 bits with a sign is larger than any limit.
    const std::int64_t n = plain ? static_cast<std::int64_t>(std::min<std::uint64_t>(*plain, INT64_MAX)) : *with_sign;
    if (n < least || n > most) refuse(key, "expected an integer from ", least, " to ", most, ", got ", n);
    return n;
  }

  /// Fails; the message starts with the file and the field.
  template <class... Parts> [[noreturn]] void refuse(const std::string& field, const Parts&... parts) const {
    fail(where(), ": ", field, ": ", parts...);
  }

private:
  std::shared_ptr<const mapped_file> file_;
  std::span<const std::byte> rest_; // not yet read
  std::map<std::string, value> metadata_;
  std::map<std::string, tensor_entry> tensors_;

  std::span<const std::byte> take(const std::string& field, std::uint64_t bytes) {
    if (bytes > rest_.size()) refuse(field, "truncated: needs ", bytes, " bytes, ", rest_.size(), " are left");
    const auto taken = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return taken;
  }
  template <class T> T number(const std::string& field) {
    T n;
    std::memcpy(&n, take(field, sizeof(T)).data(), sizeof(T));
    return n;
  }
  std::string text(const std::string& field) {
    const auto bytes = take(field, number<std::uint64_t>(field));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  void check_count(const std::string& field, std::uint64_t count, std::uint64_t least_bytes) const {
    if (count > rest_.size() / least_bytes)
      refuse(field, count, " of at least ", least_bytes, " bytes each do not fit into the ", rest_.size(),
             " bytes left");
  }

  value read_value(const std::string& key, std::uint32_t type) {
    switch (type) {
    case 0:
      return std::uint64_t{number<std::uint8_t>(key)};
    case 1:
      return std::int64_t{number<std::int8_t>(key)};
    case 2:
      return std::uint64_t{number<std::uint16_t>(key)};
    case 3:
      return std::int64_t{number<std::int16_t>(key)};
    case 4:
      return std::uint64_t{number<std::uint32_t>(key)};
    case 5:
      return std::int64_t{number<std::int32_t>(key)};
    case 6:
      return double{number<float>(key)};
    case 7:
      return number<std::uint8_t>(key) != 0;
    case 8:
      return text(key);
    case 9:
      return read_array(key);
    case 10:
      return std::uint64_t{number<std::uint64_t>(key)};
    case 11:
      return std::int64_t{number<std::int64_t>(key)};
    case 12:
      return number<double>(key);
    default:
      refuse(key, "type: expected 0 to 12, got ", type);
    }
  }
  value read_array(const std::string& key) {
    static constexpr std::uint64_t least_bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8};
    const auto type = number<std::uint32_t>(key);
    const auto count = number<std::uint64_t>(key);
    if (type > 12 || type == 9) refuse(key, "element type: expected 0 to 12 and no array of arrays, got ", type);
    check_count(key, count, least_bytes[type]);
    if (type == 8) {
      std::vector<std::string> all;
      for (std::uint64_t i = 0; i < count; ++i) all.push_back(text(key));
      return all;
    }
    std::vector<double> all;
    for (std::uint64_t i = 0; i < count; ++i)
      std::visit(
          [&]<class T>(const T& n) {
            if constexpr (std::is_arithmetic_v<T>) all.push_back(static_cast<double>(n));
          },
          read_value(key, type));
    return all;
  }

  void read_tensors(std::uint64_t count) {
    std::vector<std::pair<std::string, std::uint64_t>> offsets;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string name = text("tensor name " + std::to_string(i)), field = "tensor " + name;
      tensor_entry t;
      const auto dimensions = number<std::uint32_t>(field);
      if (dimensions < 1 || dimensions > 4) refuse(field, "dimensions: expected 1 to 4, got ", dimensions);
      std::uint64_t elements = 1;
      for (std::uint32_t d = 0; d < dimensions; ++d) {
        const auto n = number<std::uint64_t>(field);
        if (n == 0 || elements > (std::uint64_t{1} << 50) / n)
          refuse(field, "dimension ", d, ": expected 1 to 2^50 elements in all, got ", n);
        elements *= n;
        t.shape.insert(t.shape.begin(), static_cast<std::int64_t>(n));
      }
      const auto type = number<std::uint32_t>(field);
      t.format = format_of(type);
      if (!t.format)
        refuse(field, "type: expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or Q2_K to Q6_K, got ",
               unread_type(type).empty() ? "number " + std::to_string(type) : std::string(unread_type(type)));
      if (static_cast<std::uint64_t>(t.shape.back()) % t.format->elements != 0)
        refuse(field, "dimension 0: expected a multiple of ", t.format->elements, " (", t.format->name, "), got ",
               t.shape.back());
      offsets.emplace_back(name, number<std::uint64_t>(field));
      if (!tensors_.emplace(name, std::move(t)).second) refuse(field, "appears twice");
    }
    const auto alignment = static_cast<std::uint64_t>(integer("general.alignment", 1, 1 << 20).value_or(32));
    if (!std::has_single_bit(alignment)) refuse("general.alignment", "expected a power of two, got ", alignment);
    const std::uint64_t used = file_->bytes().size() - rest_.size();
    if (count) take("padding before the tensors", (alignment - used % alignment) % alignment);
    for (const auto& [name, offset] : offsets) {
      tensor_entry& t = tensors_.at(name);
      std::uint64_t bytes = t.format->bytes; // below 2^60: at most 2^50 elements of at most 4 bytes each
      for (std::size_t d = 0; d < t.shape.size(); ++d)
        bytes *= static_cast<std::uint64_t>(t.shape[d]) / (d + 1 == t.shape.size() ? t.format->elements : 1);
      if (offset % alignment != 0)
        refuse("tensor " + name, "offset: expected a multiple of ", alignment, ", got ", offset);
      if (offset > rest_.size() || bytes > rest_.size() - offset)
        refuse("tensor " + name, "truncated: ", bytes, " bytes at offset ", offset, " of ", rest_.size(),
               " bytes of data");
      t.bytes = rest_.subspan(offset, bytes);
    }
  }
};

} // namespace llmap::gguf
