// The safetensors format: u64 header length (little-endian), a JSON object, the bytes of the tensors.
//   { "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {text: text} }
// Offsets count from the end of the header. Blanks around the header, null as __metadata__ and other fields of a tensor
// are accepted, as by the safetensors library. Every rule of the format is checked before a byte of a tensor is used:
// header at most 100 MB and inside the file, known dtypes, no repeated names, sizes that match shape and dtype
// (computed without overflow), tensors that cover the rest of the file without holes or overlaps.
// Source: huggingface/safetensors, README "Format".
#pragma once
#include "llmap/core/json.hpp"
#include "llmap/core/mapped_file.hpp"
#include "llmap/weights/tensor_source.hpp"
#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <memory>

namespace llmap {

/// An opened file: a tensor source. A file that breaks the format is an llmap::error that names the file and the field.
class safetensors_file {
public:
  /// Maps the file and reads its header.
  explicit safetensors_file(const std::filesystem::path& path) : file_(std::make_shared<mapped_file>(path)) {
    static_assert(std::endian::native == std::endian::little, "the format is little-endian");
    read_header();
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, tensor] : tensors_) all.push_back(name);
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) return std::nullopt;
    return it->second.info;
  }
  /// The mapped bytes, without a copy; a missing tensor is an llmap::error.
  tensor_data read(const std::string& name) const {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) fail(path().string(), ": tensor ", name, ": missing");
    const auto bytes = data_.subspan(it->second.begin, it->second.end - it->second.begin);
    std::shared_ptr<const void> owner(bytes.data(), [file = file_, bytes](const void*) { file->release(bytes); });
    return {it->second.info, bytes, std::move(owner), file_.get()};
  }

  /// The texts of __metadata__.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return file_->path(); } ///< as it was opened
  /// The mapping, for fingerprints and check_unchanged.
  const mapped_file& file() const { return *file_; }

private:
  struct entry {
    tensor_info info;
    std::size_t begin = 0, end = 0;
  };
  std::shared_ptr<mapped_file> file_;
  std::span<const std::byte> data_;
  std::map<std::string, entry> tensors_;
  std::map<std::string, std::string> metadata_;

  void read_header() {
    constexpr std::uint64_t max_header = 100'000'000;
    const std::string where = path().string();
    const auto bytes = file_->bytes();
    const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (const auto form = known_form(all.substr(0, 512)); !form.empty())
      fail(where, ": expected a safetensors file, got ", form);
    if (bytes.size() < 8) fail(where, ": not a safetensors file: expected at least 8 bytes, got ", bytes.size());
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    if (length > max_header) fail(where, ": header length: expected at most ", max_header, ", got ", length);
    if (length > bytes.size() - 8)
      fail(where, ": truncated: header of ", length, " bytes in a file of ", bytes.size(), " bytes");
    const std::string_view text = all.substr(8, length);
    data_ = bytes.subspan(8 + length);
    const json header = parse_json(text, where + ": header", {.deepest = 127}); // as deep as the library reads
    if (!header.members()) fail(where, ": header: expected a JSON object, got ", header.kind());
    for (const auto& [name, value] : *header.members()) {
      if (name == "__metadata__") read_metadata(value);
      else tensors_[name] = read_entry(name, value);
    }
    check_coverage();
  }

  void read_metadata(const json& value) {
    if (value.is_null()) return;
    if (!value.members()) fail(path().string(), ": __metadata__: expected an object");
    for (const auto& [key, text] : *value.members()) {
      if (!text.string()) fail(path().string(), ": __metadata__.", key, ": expected a string");
      metadata_[key] = *text.string();
    }
  }

  entry read_entry(const std::string& name, const json& value) const {
    const std::string where = path().string() + ": tensor " + name;
    if (!value.members()) fail(where, ": expected an object with dtype, shape and data_offsets");
    const json *dtype = value.find("dtype"), *shape = value.find("shape"), *offsets = value.find("data_offsets");
    if (!dtype || !dtype->string()) fail(where, ": dtype: expected a string");
    const std::string& type_name = *dtype->string();
    const auto type = dtype_from_name(type_name);
    if (!type) fail(where, ": dtype: unknown type ", type_name);
    entry result{{*type, {}}};
    if (!shape || !shape->items()) fail(where, ": shape: expected an array");
    const auto too_large = [&] { fail(where, ": shape: number of bytes overflows"); };
    std::uint64_t elements = 1;
    for (const json& dimension : *shape->items()) {
      const auto whole = dimension.integer();
      if (!whole || *whole < 0) fail(where, ": shape: expected non-negative integers, got ", canonical_text(dimension));
      const auto d = static_cast<std::uint64_t>(*whole);
      if (d != 0 && elements > std::numeric_limits<std::int64_t>::max() / d) too_large();
      elements *= d;
      result.info.shape.push_back(*whole);
    }
    if (elements > std::numeric_limits<std::int64_t>::max() / static_cast<std::uint64_t>(bits_of(*type))) too_large();
    const std::uint64_t bits = elements * static_cast<std::uint64_t>(bits_of(*type));
    if (bits % 8 != 0) fail(where, ": shape: ", bits, " bits are not a whole number of bytes");
    const auto offset = [&](std::size_t i) {
      const auto whole = offsets && offsets->items() && offsets->items()->size() == 2 ? (*offsets->items())[i].integer()
                                                                                      : std::nullopt;
      if (!whole || *whole < 0) fail(where, ": data_offsets: expected two non-negative integers");
      return static_cast<std::uint64_t>(*whole);
    };
    const std::uint64_t begin = offset(0), end = offset(1);
    if (begin > end || end > data_.size())
      fail(where, ": data_offsets [", begin, ", ", end, "]: expected a range inside the ", data_.size(),
           " bytes of data; the file may be truncated");
    if (end - begin != bits / 8)
      fail(where, ": ", type_name, " ", shape_text(result.info.shape), " takes ", bits / 8,
           " bytes, data_offsets hold ", end - begin);
    result.begin = begin;
    result.end = end;
    return result;
  }

  void check_coverage() const {
    std::vector<std::pair<std::pair<std::size_t, std::size_t>, const std::string*>> ranges;
    for (const auto& [name, tensor] : tensors_) ranges.push_back({{tensor.begin, tensor.end}, &name});
    std::sort(ranges.begin(), ranges.end());
    std::size_t covered = 0;
    for (const auto& [range, name] : ranges) {
      if (range.first != covered)
        fail(path().string(), ": tensor ", *name, ": begins at ", range.first, ", expected ", covered,
             " (tensors must not overlap or leave holes)");
      covered = range.second;
    }
    if (covered != data_.size())
      fail(path().string(), ": tensors cover ", covered, " of ", data_.size(), " bytes of data");
  }
};

} // namespace llmap
