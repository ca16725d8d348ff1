// The zoo's expected likelihoods -> the facts of its README: an end-to-end check of the algebra on real
// models.
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/linkage.hpp"
#include "llmap/geometry/make_map.hpp"
#include "llmap/geometry/pca.hpp"
#include "support/dense.hpp"
#include "support/golden_tensors.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {
const cpu_executor exec;

struct zoo {
  const std::string folder = std::string(LLMAP_SOURCE_DIR) + "/examples/zoo/";
  std::map<std::string, golden::tensor> given = golden::read_safetensors(folder + "expected/likelihood.safetensors");
  std::map<std::string, golden::tensor> wanted = golden::read_safetensors(folder + "expected/map.safetensors");
  nlohmann::json facts = nlohmann::json::parse(golden::read_bytes(folder + "expected/map.json"));
  std::vector<std::string> models = facts["models"];
  clipped_matrix<double> x;
  centered_matrix<double> q;
  kl_table t;
  zoo() {
    const matrix<double> l = given.at("log_likelihood").matrix();
    x = clip(exec, l.view(), clip_threshold(exec, l.view()));
    q = center(exec, x.values.view());
    t = kl(exec, x.values.view(), given.at("bytes").integers());
  }
  std::size_t id(const std::string& name) const {
    return static_cast<std::size_t>(std::find(models.begin(), models.end(), name) - models.begin());
  }
  double between(const std::string& a, const std::string& b) const { return t.nats(id(a), id(b)); }
  std::string nearest(std::size_t i) const {
    std::size_t best = i == 0 ? 1 : 0;
    for (std::size_t j = 0; j < t.nats.rows(); ++j)
      if (j != i && t.nats(i, j) < t.nats(i, best)) best = j;
    return models[best];
  }
};
double largest_error(const matrix<double>& found, const matrix<double>& wanted) {
  return (as_eigen(found) - as_eigen(wanted)).cwiseAbs().maxCoeff() / as_eigen(wanted).cwiseAbs().maxCoeff();
}
} // namespace

TEST(zoo, tables) {
  const zoo z;
  EXPECT_NEAR(z.x.threshold, z.facts["clip_threshold"].get<double>(), 1e-9);
  EXPECT_EQ(z.x.raised, z.facts["clipped_entries"].get<std::size_t>());
  EXPECT_LT(largest_error(z.q.q, z.wanted.at("double_centred").matrix()), 1e-12);
  EXPECT_LT(largest_error(z.t.nats, z.wanted.at("kl_nats").matrix()), 1e-12);
  EXPECT_LT(largest_error(kl_bits_per_byte(z.t), z.wanted.at("kl_bits_per_byte").matrix()), 1e-12);
  const pca_result p = pca(exec, z.q.q.view(), 4);
  EXPECT_LT(largest_error(p.scores, matrix<double>(z.wanted.at("pca_scores").matrix().view().column_range(0, 4))),
            1e-8);
  for (std::size_t k = 0; k < 4; ++k)
    EXPECT_NEAR(p.explained_variance_ratio[k], z.facts["pca_explained_variance_ratio"][k].get<double>(), 1e-12);
  const auto heights = [&](const matrix<double>& d, linkage_kind kind, const char* key) {
    const model_tree tree = linkage(exec, d.view(), kind);
    ASSERT_EQ(tree.merges.size(), z.facts[key].size());
    for (std::size_t m = 0; m < tree.merges.size(); ++m)
      EXPECT_NEAR(tree.merges[m].height, z.facts[key][m].get<double>(), 1e-9 * tree.merges.back().height) << key << m;
  };
  heights(z.t.nats, linkage_kind::average, "average_heights");
  heights(as_matrix(as_eigen(squared_distances(z.t)).cwiseSqrt()), linkage_kind::ward, "ward_heights");
}

TEST(zoo, a_map_of_floats_stands_beside_that_of_doubles) {
  const zoo z;
  score_matrix m;
  m.models = z.models;
  m.log_likelihood = z.given.at("log_likelihood").matrix();
  m.bytes = z.given.at("bytes").integers();
  for (std::size_t s = 0; s < m.bytes.size(); ++s) m.texts.push_back(std::to_string(s));
  const map_data wide = make_map(exec, m), narrow = make_map<float>(exec, m);
  double largest = 0, difference = 0, relative = 0;
  for (const double l : z.x.values.span()) largest = std::max(largest, std::abs(l));
  const double nats = wide.mean_bytes * std::numbers::ln2; // of a bit per byte
  for (std::size_t i = 0; i < m.models.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double a = wide.kl(i, j), b = narrow.kl(i, j);
      EXPECT_LE(std::abs(std::sqrt(b * nats) - std::sqrt(a * nats)),
                float_map_error * largest + 1e-12 * std::sqrt(a * nats))
          << i << " " << j;
      difference = std::max(difference, std::abs(b - a)), relative = std::max(relative, std::abs(b / a - 1));
    }
    EXPECT_EQ(nearest_models(narrow, i).front(), nearest_models(wide, i).front()) << i;
  }
  EXPECT_GT(difference, 0);
  EXPECT_LT(largest_error(narrow.pca_scores, wide.pca_scores), 1e-6);
  std::cout << "float beside double: KL differs by at most " << difference << " bits/byte, relative " << relative
            << "\n";
}

TEST(zoo, neighbors_are_relatives) {
  const zoo z;
  for (std::size_t i = 0; i < z.models.size(); ++i)
    EXPECT_EQ(z.nearest(i), z.facts["nearest"][z.models[i]].get<std::string>());
  // Quantised twins stand beside their originals, int8 nearer than int4.
  EXPECT_EQ(z.nearest(z.id("gpt2")), "gpt2-int4");
  EXPECT_EQ(z.nearest(z.id("neox")), "neox-int8");
  EXPECT_LT(z.between("llama-m", "llama-m-int8"), z.between("llama-m", "llama-m-int4"));
  // A fine-tune is nearer to its parent than to any other family.
  const auto meta = nlohmann::json::parse(golden::read_bytes(z.folder + "zoo.json"));
  int fine_tunes = 0;
  for (const auto& m : meta["models"]) {
    if (m["kind"] != "fine-tune") continue;
    ++fine_tunes;
    for (const auto& other : meta["models"])
      if (other["family"] != m["family"]) {
        EXPECT_LT(z.between(m["name"], m["parent"]), z.between(m["name"], other["name"])) << m["name"] << other["name"];
      }
  }
  EXPECT_EQ(fine_tunes, 6);
  // A merge is nearer to each parent than they are to each other.
  const double apart = z.between("llama-m-scripture", "llama-m-code");
  EXPECT_LT(z.between("llama-m-merge", "llama-m-scripture"), apart);
  EXPECT_LT(z.between("llama-m-merge", "llama-m-code"), apart);
  // Two seeds are nearer than any other family.
  for (const auto& m : meta["models"])
    if (m["family"] != "neox") {
      EXPECT_LT(z.between("neox", "neox-seed2"), z.between("neox", m["name"]));
    }
}

TEST(zoo, checkpoints_lie_in_the_order_of_training) {
  const zoo z;
  const std::vector<std::string> run = {"neox-step0000", "neox-step0004", "neox-step0016", "neox-step0064",
                                        "neox-step0256", "neox-step1024", "neox"};
  for (std::size_t k = 1; k < run.size(); ++k) {
    EXPECT_GT(z.between(run[0], run[k]), k > 1 ? z.between(run[0], run[k - 1]) : 0) << run[k];
    if (k + 1 < run.size()) {
      EXPECT_GT(z.between(run[k], run.back()), z.between(run[k + 1], run.back())) << run[k];
    }
  }
}
