// The stored matrices that a linear_plan is made of, as every executor packs them: where a row lies, of which type the
// whole is, and what a weight that is not finite is called.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/weights/widen.hpp"
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace llmap {

namespace detail {

/// Stored row of output row r of a part.
inline std::size_t stored_row(const matrix_part& part, std::size_t r) {
  const auto group = static_cast<std::size_t>(part.group);
  return static_cast<std::size_t>(part.first) + r / group * static_cast<std::size_t>(part.stride) + r % group;
}
/// Calls body(r, stored, n) for the runs of output rows [begin, end) whose stored rows are consecutive.
template <class Body>
void for_stored_runs(const matrix_part& part, std::size_t begin, std::size_t end, const Body& body) {
  const auto group = static_cast<std::size_t>(part.group);
  for (std::size_t r = begin; r < end;) {
    const std::size_t n = part.stride == part.group ? end - r : std::min(end, (r / group + 1) * group) - r;
    body(r, stored_row(part, r), n);
    r += n;
  }
}

/// The stored matrix that a part picks its rows from; of a stack, its slice. A source may read single slices.
template <tensor_source Source>
tensor_data read_matrix(const Source& source, const std::string& name, const matrix_part& part, std::int64_t elements) {
  if (part.slices == 0) return source.read(name);
  tensor_data data = read_slice(source, name, part.slice);
  data.info.shape = {elements};
  return data;
}

/// Fails with the first element of a tensor that is not finite as Stored.
template <class From, class Stored>
[[noreturn]] void name_not_finite(const tensor_data& data, const std::string& name) {
  std::size_t i = 0;
  while (i + 1 < static_cast<std::size_t>(data.info.elements()) &&
         std::isfinite(static_cast<double>(convert_element<Stored>(load_element<From>(data.bytes.data(), i)))))
    ++i;
  not_finite(name, i);
}

} // namespace detail

/// One dtype for the whole matrix: that of the parts if they agree, else the widest of them, at least F32. So a matrix
/// packed in a 2-byte type is also stored in it.
template <class T, tensor_source Source>
dtype packed_dtype(const Source& source, const linear_plan& plan, const tensor_naming& names) {
  std::optional<dtype> common;
  for (const matrix_part& part : plan.parts) {
    const dtype type = source.find(names(part.weight))->type;
    common = !common || *common == type                      ? type
             : (type == dtype::f64 || *common == dtype::f64) ? dtype::f64
                                                             : dtype::f32;
  }
  return *common == dtype::f64 && std::is_same_v<T, float> ? dtype::f32 : *common;
}

/// Output rows of a linear that have one coding.
struct coded_part {
  coding how;           ///< of all its rows
  std::size_t rows = 0; ///< how many
};

/// The codings of a linear's rows if the matrix can stay in codes: every part is stored in them, and where the coding
/// changes a panel of NR rows ends. Else nothing.
template <tensor_source Source>
std::vector<coded_part> coded_parts(const Source& source, const linear_plan& plan, const tensor_naming& names,
                                    std::size_t NR) {
  std::vector<coded_part> all;
  if (plan.cols == 0) return {};
  const auto type_of = [&](const matrix_part& part) { return source.find(names(part.weight))->type; };
  for (const matrix_part& part : plan.parts) {
    if (type_of(part) != type_of(plan.parts.front())) return {};
    const auto how = part.transposed ? std::nullopt : coding_of(source, names(part.weight));
    if (!how) return {};
    // A product that is not exact in double could be rounded together with its sum on another instruction set.
    if (how->scale == dtype::f64 && how->offset) return {};
    if (all.empty() || !(all.back().how == *how)) {
      if (!all.empty() && all.back().rows % NR != 0) return {};
      all.push_back({*how});
    }
    all.back().rows += static_cast<std::size_t>(part.rows);
  }
  return all;
}

} // namespace llmap
