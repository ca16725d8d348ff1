// Which stored tensors are the matrices, vectors and norms of a plan.
#pragma once
#include "llmap/weights/tensor_table.hpp"
#include <cstdint>
#include <string>
#include <vector>

namespace llmap {

/// Numbers that are used one by one rather than in a product of matrices: whole stored tensors, one after another.
/// Without tensors the vector is absent.
struct vector_plan {
  std::vector<tensor_spec> tensors; ///< shapes as stored

  bool present() const { return !tensors.empty(); } ///< whether it has tensors
  /// Numbers in all tensors.
  std::int64_t size() const {
    std::int64_t n = 0;
    for (const tensor_spec& t : tensors) n += t.elements();
    return n;
  }
  bool operator==(const vector_plan&) const = default;
};

/// `rows` output rows of a stored matrix. Output row r is stored row first + (r / group) * stride + r % group; where
/// `transposed`, stored columns are meant. A stored tensor of three dimensions is a stack of `slices` matrices, of
/// which `slice` is meant. The bias, if named, is picked by the same rules.
struct matrix_part {
  std::string weight, bias;                      ///< names of tensors; an empty bias: none
  std::int64_t rows = 0;                         ///< of the part
  std::int64_t stored_rows = 0;                  // of the whole stored matrix
  std::int64_t first = 0, group = 1, stride = 1; ///< which stored rows, see above
  bool transposed = false;                       ///< the file has (in, out)
  std::int64_t slices = 0, slice = 0;            // slices 0: a plain matrix

  bool operator==(const matrix_part&) const = default;
};

/// y = x W^T + b with the parts' rows below one another. (rows, cols). Without parts the matrix is absent.
struct linear_plan {
  std::int64_t cols = 0;          ///< of every part
  std::vector<matrix_part> parts; ///< from the first row to the last

  bool present() const { return !parts.empty(); } ///< whether it has parts
  /// N, of all parts
  std::int64_t rows() const {
    std::int64_t n = 0;
    for (const matrix_part& part : parts) n += part.rows;
    return n;
  }
  bool operator==(const linear_plan&) const = default;
};

/// The two norms, see norm_plan.
enum class norm_kind { rms, layer };

/// rms:   y = scale * x / sqrt(mean(x^2) + eps) * (w + weight_offset)
/// layer: y = scale * ((x - mean) / sqrt(var + eps) * (w + weight_offset) + b), biased variance
/// Rounded, each row of it is clamp(round(y s), -128, 127) / s, s = 127 / max(max |y|, 1e-5), half to even (BitNet).
/// The mean is taken over each `width` channels of a row. Rows of several such groups share the weight (width), or it
/// has one number a channel. An absent vector leaves out the factor or the term.
struct norm_plan {
  norm_kind kind = norm_kind::rms; ///< which formula
  std::int64_t width = 0;          ///< channels of a group
  double epsilon = 1e-6;           ///< added to the variance or mean square
  double weight_offset = 0;        ///< 1 where files hold w - 1
  vector_plan weight, bias;        ///< (width) or (channels), or absent
  double scale = 1;                ///< of the result
  bool rounded = false;            // to 8 bits

  bool operator==(const norm_plan&) const = default;
};

} // namespace llmap
