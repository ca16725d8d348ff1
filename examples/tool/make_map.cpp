#include "make_map.hpp"
#include "llmap/geometry/make_map.hpp"
#include "llmap/store/export.hpp"

llmap::map_data make_map(const map_arguments& a) {
  if (a.store.empty() == a.matrix.empty()) llmap::fail("map: give either a store or --matrix FILE");
  llmap::map_options options;
  options.clip_quantile = a.clip;
  options.perplexity = a.perplexity;
  options.affinity =
      a.affinity == "sqeuclidean" ? llmap::affinity_kind::sqeuclidean : llmap::affinity_kind::euclidean;
  if (a.threads > 0) options.threads = a.threads;
  return make_map(llmap::load_score_matrix(a.store.empty() ? a.matrix : a.store), options);
}
