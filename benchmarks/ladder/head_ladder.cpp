// From stored logits to llmap::linear_cross_entropy: log p(target) of M hidden states over V words, one idea per step.
//   ladder_head
// The product is llmap::linear in all steps, on all threads; what changes is where the logits lie and how their
// log-sum-exp is made. The last step is the library's fused head; the product alone is printed after it.
#include "ladder.hpp"
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu/linear.hpp"
#include "llmap/likelihood/cpu/linear_cross_entropy.hpp"

namespace {

using llmap::simd::load;
using llmap::simd::vec;

struct problem {
  std::size_t M, E, V;
  std::vector<float> x, w, no_bias;  // (M, E), (V, E), (V)
  std::vector<std::int32_t> targets; // (M)
  std::vector<double> result;        // (M): log p(target) in nats
  int threads = llmap::default_threads();

  problem(std::size_t m, std::size_t e, std::size_t v)
      : M(m), E(e), V(v), x(ladder::random_values(1, m * e)), w(ladder::random_values(2, v * e)), no_bias(v),
        targets(m), result(m) {
    for (std::size_t r = 0; r < M; ++r) targets[r] = static_cast<std::int32_t>(llmap::counter_random{3}.below(0, r, V));
  }

  /// The largest error of a few rows in units of 1e-4 nats.
  double error() const {
    double worst = 0;
    for (std::size_t r = 0; r < M; r += M / 4) {
      llmap::log_sum_exp<double> all;
      double target = 0;
      for (std::size_t v = 0; v < V; ++v) {
        double z = 0;
        for (std::size_t e = 0; e < E; ++e) z += static_cast<double>(x[r * E + e]) * w[v * E + e];
        all.push(z);
        if (v == static_cast<std::size_t>(targets[r])) target = z;
      }
      worst = std::max(worst, std::abs(result[r] - (target - all.value())) / 1e-4);
    }
    return worst;
  }
};

// 1. Row by row over stored logits, with std::exp: one exponential at a time.
void scalar_rows(problem& p, const float* logits) {
  llmap::parallel_for(p.threads, p.M, [&](std::size_t r) {
    const float* z = logits + r * p.V;
    const float largest = *std::max_element(z, z + p.V);
    double sum = 0;
    for (std::size_t v = 0; v < p.V; ++v) sum += std::exp(z[v] - largest);
    p.result[r] = z[p.targets[r]] - (largest + std::log(sum));
  });
}

/// The log-sum-exp of n logits, n a multiple of the vector width: first the largest, then the exponentials in vectors.
struct vector_row {
  const float* z;
  std::size_t n;
  llmap::log_sum_exp<double>* out;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = llmap::simd::width<Isa, float>;
    vec<float, W> most = load<float, W>(z), sum{};
    for (std::size_t v = W; v < n; v += W) most = llmap::simd::maximum<float, W>(most, load<float, W>(z + v));
    const float largest = llmap::simd::maximum<float, W>(most);
    for (std::size_t v = 0; v < n; v += W) sum += llmap::simd::exp<float, W>(load<float, W>(z + v) - largest);
    out->merge({largest, llmap::simd::sum<float, W>(sum)});
  }
};

// 2. The same with exponentials in vectors. Still M x V logits go to memory and come back twice.
void vector_rows(problem& p, const float* logits) {
  llmap::parallel_for(p.threads, p.M, [&](std::size_t r) {
    llmap::log_sum_exp<double> all;
    llmap::simd::run(vector_row{logits + r * p.V, p.V, &all});
    p.result[r] = logits[r * p.V + static_cast<std::size_t>(p.targets[r])] - all.value();
  });
}

// 3. A few rows and a few hundred words at a time: their logits never leave the cache, and a running log-sum-exp takes
//    them in. Only one small value is stored for each row and chunk of words.
inline constexpr std::size_t rows = 96, chunk = 512;
void online(problem& p, const std::vector<llmap::packed_matrix<float>>& w) {
  const std::size_t blocks = (p.M + rows - 1) / rows, chunks = w.size();
  std::vector<llmap::log_sum_exp<double>> partial(chunks * p.M);
  std::vector<double> target(p.M);
  llmap::parallel_for(p.threads, blocks * chunks, [&](std::size_t task) {
    alignas(64) static thread_local float logits[rows * chunk];
    const std::size_t first = task % blocks * rows, m = std::min(rows, p.M - first), c = task / blocks;
    llmap::linear(llmap::cpu_executor{1}, {&p.x[first * p.E], m, p.E}, w[c], {logits, m, chunk});
    for (std::size_t r = first; r < first + m; ++r) {
      const float* z = logits + (r - first) * chunk;
      llmap::simd::run(vector_row{z, chunk, &partial[c * p.M + r]});
      if (const std::size_t t = static_cast<std::size_t>(p.targets[r]); t / chunk == c) target[r] = z[t % chunk];
    }
  });
  for (std::size_t r = 0; r < p.M; ++r) {
    llmap::log_sum_exp<double> all;
    for (std::size_t c = 0; c < chunks; ++c) all.merge(partial[c * p.M + r]);
    p.result[r] = target[r] - all.value();
  }
}

bool climb(std::size_t M, std::size_t E, std::size_t V) {
  problem p(M, E, V);
  const auto whole = ladder::pack(p.w, p.no_bias, V, E);
  std::vector<llmap::packed_matrix<float>> chunks;
  for (std::size_t v = 0; v < V; v += chunk)
    chunks.push_back(
        ladder::pack(std::span(p.w).subspan(v * E, chunk * E), std::span(p.no_bias).first(chunk), chunk, E));
  llmap::aligned_buffer<float> logits(M * V);
  llmap::cpu_head_room<float> room;
  llmap::cpu_scratch<float> scratch;
  const auto store_logits = [&] {
    llmap::linear(llmap::cpu_executor{p.threads}, {p.x.data(), M, E}, whole, {logits.data(), M, V});
  };

  char title[96];
  std::snprintf(title, sizeof title, "head %zu x %zu x %zu (M x E x V); all logits are %.0f MB", M, E, V,
                4e-6 * static_cast<double>(M * V));
  ladder::printer print(title, 2.0 * static_cast<double>(M) * static_cast<double>(E) * static_cast<double>(V));
  const auto step = [&](const char* idea, const auto& body) {
    std::fill(p.result.begin(), p.result.end(), 0.0);
    print.rung(idea, p.threads, body, [&] { return p.error(); });
  };
  step("1 logits stored, std::exp", [&] { store_logits(), scalar_rows(p, logits.data()); });
  step("2 logits stored, exponentials in vectors", [&] { store_logits(), vector_rows(p, logits.data()); });
  step("3 logits in the cache, online log-sum-exp", [&] { online(p, chunks); });
  step("llmap::linear_cross_entropy", [&] {
    const llmap::cpu_executor exec{p.threads};
    room.rows.fill(exec, {p.x.data(), M, E}, scratch.threads);
    llmap::linear_cross_entropy(exec, room.rows, whole, p.targets, {}, p.result, room, scratch);
  });
  print.rung("(the product alone)", p.threads, store_logits, [] { return 0.0; });
  return !print.failed();
}

} // namespace

int main() {
  std::printf("%s, %d threads; probe: multiply-adds in registers\n",
              std::string(llmap::simd::name_of(llmap::simd::active_isa())).c_str(), llmap::default_threads());
  const bool small = climb(512, 576, 49152),
             large = climb(256, 2048, 128 * 1024); // SmolLM2-135M's head, about Llama-3.2-1B's
  return small && large ? 0 : 1;
}
