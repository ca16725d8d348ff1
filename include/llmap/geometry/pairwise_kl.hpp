// KL of a matrix with holes, each pair over the texts that both models have (usable() in both).
// A pair that shares fewer than 2 texts has no distance, one that shares 2 has no error: they are NaN.
// Means, variances (divisor n of that pair) and bytes are those of exactly these texts, so two entries of the
// table may rest on different texts: it need not be Euclidean, and MDS of it may have negative eigenvalues.
// For the map prefer complete_texts(); this one is for tables in which no text is shared by all.
#pragma once
#include "llmap/geometry/kl.hpp"

namespace llmap {

/// KL of every pair, each on all texts that the two have.
struct pairwise_kl_table {
  matrix<double> nats, bits_per_byte, standard_error, mean_difference; // (K, K)
  matrix<std::size_t> texts; // (K, K) texts of each pair; diagonal: of the model itself
};

/// `m.log_likelihood` already clipped (clip leaves NaN alone).
inline pairwise_kl_table pairwise_kl(const cpu_executor& exec, const score_matrix& m) {
  check_score_matrix(m);
  const std::size_t K = m.log_likelihood.rows(), N = m.log_likelihood.cols();
  const matrix<double> zero(K, K, 0);
  pairwise_kl_table out{zero, zero, zero, zero, matrix<std::size_t>(K, K, 0)};
  parallel_for(exec.threads, K, [&](std::size_t i) {
    std::vector<double> a, b;
    std::vector<std::int64_t> bytes;
    for (std::size_t j = i; j < K; ++j) {
      a.clear(), b.clear(), bytes.clear();
      for (std::size_t s = 0; s < N; ++s)
        if (usable(m, i, s) && usable(m, j, s)) {
          a.push_back(m.log_likelihood(i, s));
          b.push_back(m.log_likelihood(j, s));
          if (!m.bytes.empty()) bytes.push_back(m.bytes[s]);
        }
      out.texts(i, j) = out.texts(j, i) = a.size();
      if (i == j) continue;
      const auto both = [&](matrix<double>& table, double v) { table(i, j) = table(j, i) = v; };
      if (a.size() < least_texts) {
        for (matrix<double>* t : {&out.nats, &out.bits_per_byte, &out.standard_error, &out.mean_difference})
          both(*t, std::nan(""));
        continue;
      }
      const double n = static_cast<double>(a.size());
      const double guess = detail::ordered_sum(a.size(), [&](std::size_t s) { return a[s] - b[s]; }) / n;
      const auto d = moments_of_difference(a.data(), b.data(), a.size(), guess);
      both(out.nats, d.variance / 2);
      both(out.bits_per_byte, nats_to_bits_per_byte(d.variance / 2, mean_bytes(bytes)));
      both(out.standard_error, kl_standard_error(d.spread, a.size()));
      out.mean_difference(i, j) = d.mean;
      out.mean_difference(j, i) = -d.mean;
    }
  });
  return out;
}

} // namespace llmap
