// KL of a matrix with holes, each pair over the texts that both models have (usable() in both).
// A pair that shares fewer than 2 texts has no distance, one that shares 2 has no error: they are NaN.
// Means, variances (divisor n of that pair) and bytes are those of exactly these texts, so two entries of the
// table may rest on different texts: it need not be Euclidean, and MDS of it may have negative eigenvalues.
// For the map prefer complete_texts(); this one is for tables in which no text is shared by all.
#pragma once
#include "llmap/geometry/kl.hpp"

namespace llmap {

struct pairwise_kl_table {
  row_matrix nats, bits_per_byte, standard_error, mean_difference; // (K, K)
  Eigen::MatrixXi texts; // (K, K) texts of each pair; diagonal: of the model itself
};

/// `m.log_likelihood` already clipped (clip leaves NaN alone).
inline pairwise_kl_table pairwise_kl(const score_matrix& m, const kl_options& options = {}) {
  check(m);
  const Eigen::Index K = m.log_likelihood.rows(), N = m.log_likelihood.cols();
  const row_matrix zero = row_matrix::Zero(K, K);
  pairwise_kl_table out{zero, zero, zero, zero, Eigen::MatrixXi::Zero(K, K)};
  parallel_for(options.threads, static_cast<std::size_t>(K), [&](std::size_t k) {
    const auto i = static_cast<Eigen::Index>(k);
    std::vector<double> a, b;
    std::vector<std::int64_t> bytes;
    for (Eigen::Index j = i; j < K; ++j) {
      a.clear(), b.clear(), bytes.clear();
      for (Eigen::Index s = 0; s < N; ++s)
        if (usable(m, i, s) && usable(m, j, s)) {
          a.push_back(m.log_likelihood(i, s));
          b.push_back(m.log_likelihood(j, s));
          bytes.push_back(m.bytes[static_cast<std::size_t>(s)]);
        }
      out.texts(i, j) = out.texts(j, i) = static_cast<int>(a.size());
      if (i == j) continue;
      const auto both = [&](row_matrix& table, double v) { table(i, j) = table(j, i) = v; };
      if (a.size() < static_cast<std::size_t>(least_texts)) {
        for (row_matrix* t : {&out.nats, &out.bits_per_byte, &out.standard_error, &out.mean_difference})
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
