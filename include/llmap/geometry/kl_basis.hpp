// What an estimated KL rests on. KL = V / 2 is the second order of the divergence in the difference d of two models'
// log-likelihoods. It holds where the models are near, and where many texts carry V = mean d^2. Two marks say where it
// does not.
//
// far: the estimate exceeds the mean of what the two models spend on the texts. The divergence of i from j is j's
// cross-entropy on texts of i less i's entropy, so half the Jeffreys divergence is at most the mean of the two
// cross-entropies; what the models spend on the texts stands for these. A number above says "farther than can be
// measured so" and no more: among such numbers the order means little.
//
// few: the texts that carry the estimate weigh like fewer than least_effective_texts of equal share. Their number is
// N V^2 / mean d^4 = 1 / (sum of squared shares). The standard error, about KL / sqrt(that), is then itself unreliable.
#pragma once
#include "llmap/geometry/kl.hpp"

namespace llmap {

/// Below so many effective texts an estimate is marked.
inline constexpr double least_effective_texts = 10;

/// The marks of an estimate.
struct kl_basis {
  bool far = false, few = false; ///< as the head of this file says
};

/// `kl` and `spent`, the mean of what the two models spend, in one unit; `effective` texts.
inline kl_basis kl_basis_of(double kl, double spent, double effective) {
  return {kl > spent, effective < least_effective_texts};
}

/// "", "far", "few texts" or "far, few texts".
inline std::string name_of(const kl_basis& basis) {
  return std::string(basis.far ? "far" : "") + (basis.far && basis.few ? ", " : "") + (basis.few ? "few texts" : "");
}

/// The number of texts of equal share that would carry the distance as well; N for equal models.
inline double effective_texts(double variance, double fourth_moment, std::size_t texts) {
  const double n = static_cast<double>(texts);
  return fourth_moment > 0 ? std::min(n, n * variance * variance / fourth_moment) : n;
}
/// The same for each pair of a table.
inline matrix<double> effective_texts(const kl_table& t, const kl_error_table& errors) {
  matrix<double> out(t.nats.rows(), t.nats.cols());
  for (std::size_t i = 0; i < out.rows(); ++i)
    for (std::size_t j = 0; j < out.cols(); ++j)
      out(i, j) = effective_texts(2 * t.nats(i, j), errors.fourth_moment(i, j), t.texts);
  return out;
}

} // namespace llmap
