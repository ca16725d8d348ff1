// Where tensors come from. Anything with these three members can be loaded: a safetensors checkpoint, a GGUF
// file, a map in memory.
#pragma once
#include "llmap/core/dtype.hpp"
#include "llmap/core/error.hpp"
#include "llmap/core/mapped_file.hpp"
#include "llmap/weights/coded_rows.hpp"
#include "llmap/weights/input_rounding.hpp"
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// Type and shape of a tensor; the last dimension is contiguous.
struct tensor_info {
  dtype type = dtype::f32;         ///< of each element
  std::vector<std::int64_t> shape; ///< empty: a scalar

  /// 1 for a shape without dimensions.
  std::int64_t elements() const {
    std::int64_t n = 1;
    for (std::int64_t d : shape) n *= d;
    return n;
  }
};

/// A tensor's bytes, little-endian, row-major, of any alignment. `owner` keeps them alive; if they are mapped from a
/// file, releasing it returns their pages to the system.
struct tensor_data {
  tensor_info info;                  ///< of what the bytes are
  std::span<const std::byte> bytes;  ///< elements() of them times their size
  std::shared_ptr<const void> owner; ///< keeps the bytes
  const mapped_file* file = nullptr; // that the bytes are mapped from; null if they are not

  /// Returns the pages of the bytes [offset, offset + size) before the owner goes, once they have been used.
  void release(std::size_t offset, std::size_t size) const {
    if (file) file->release(bytes.subspan(offset, size));
  }
};

/// What weights are loaded from, see above. find gives nullopt where a tensor is missing; read is then an llmap::error.
template <class Source>
concept tensor_source = requires(const Source& source, const std::string& name) {
  { source.names() } -> std::convertible_to<std::vector<std::string>>; // every tensor, in any order
  { source.find(name) } -> std::same_as<std::optional<tensor_info>>;   // cheap: no bytes are read
  { source.read(name) } -> std::same_as<tensor_data>;                  // bytes may be produced on demand
};

/// "[2, 3]"
inline std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// A tensor source in memory: for tests, converters and weights made by a program.
class memory_tensors {
public:
  /// Copies the values; a shape that holds another number of them is an llmap::error. A name that is there is replaced.
  template <class Stored>
  void add(const std::string& name, std::vector<std::int64_t> shape, std::span<const Stored> values) {
    tensor_info info{dtype_of<Stored>, std::move(shape)};
    if (info.elements() != static_cast<std::int64_t>(values.size()))
      fail("tensor ", name, ": shape ", shape_text(info.shape), " holds ", info.elements(), " elements, got ",
           values.size());
    auto bytes = std::make_shared<std::vector<std::byte>>(values.size_bytes());
    if (!values.empty()) std::memcpy(bytes->data(), values.data(), values.size_bytes());
    tensors_[name] = {std::move(info), *bytes, bytes};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, data] : tensors_) all.push_back(name);
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) return std::nullopt;
    return it->second.info;
  }
  tensor_data read(const std::string& name) const {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) fail("tensor ", name, ": missing");
    return it->second;
  }

private:
  std::map<std::string, tensor_data> tensors_;
};

/// Slice `slice` of a stack of matrices (n, ...), by way of source.read_slice(name, slice) where the source has it.
template <tensor_source Source>
tensor_data read_slice(const Source& source, const std::string& name, std::int64_t slice) {
  if constexpr (requires { source.read_slice(name, slice); }) {
    return source.read_slice(name, slice);
  } else {
    tensor_data data = source.read(name);
    const auto bytes = data.bytes.size() / static_cast<std::size_t>(data.info.shape.at(0));
    data.bytes = data.bytes.subspan(static_cast<std::size_t>(slice) * bytes, bytes);
    data.info.shape.erase(data.info.shape.begin());
    return data;
  }
}

/// How a tensor is stored in codes, where the source has a member of this name that knows; else nullopt.
template <tensor_source Source> std::optional<coding> coding_of(const Source& source, const std::string& name) {
  if constexpr (requires { source.coding_of(name); }) return source.coding_of(name);
  else return std::nullopt;
}
/// How the deployed model rounds what this matrix reads, where the source has a member of this name that knows; else
/// nullopt, not at all. A rule that is not known is an llmap::error.
template <tensor_source Source>
std::optional<input_rounding> rounding_of(const Source& source, const std::string& name) {
  if constexpr (requires { source.rounding_of(name); }) return source.rounding_of(name);
  else return std::nullopt;
}
/// The rows of a tensor that has a coding.
template <tensor_source Source> coded_rows read_coded(const Source& source, const std::string& name) {
  if constexpr (requires { source.read_coded(name); }) return source.read_coded(name);
  else fail("tensor ", name, ": not stored in codes");
}

} // namespace llmap
