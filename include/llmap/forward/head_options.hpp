// What the head does to a product before it is a logit: z = cap(scale * x . w + b), cap(z) = softcap * tanh(z /
// softcap).
#pragma once

namespace llmap {

/// Numbers of the head that are not weights.
struct head_options {
  double scale = 1, softcap = 0; ///< softcap 0: none
};

} // namespace llmap
