// The value behind every log-probability of llmap: log(sum of exp(x)), kept as {m, s} that stands for m + log(s).
// It takes one number at a time, two of them merge into one, and a new one is the identity. So the vocabulary can be
// cut into pieces that are summed separately, in any order, and no piece overflows, however large the numbers.
// Usage: 02_log_sum_exp
#include "llmap/likelihood/log_sum_exp.hpp"
#include <algorithm>
#include <cstdio>
#include <vector>

namespace {

llmap::log_sum_exp<double> sum_of(const std::vector<double>& logits) {
  llmap::log_sum_exp<double> sum;
  for (double x : logits) sum.push(x);
  return sum;
}

} // namespace

int main() {
  // 1. Numbers whose exponentials no double can hold
  const std::vector<double> logits = {1001, 1000, 998.5, -1e6};
  double plain = 0;
  for (double x : logits) plain += std::exp(x);
  const llmap::log_sum_exp<double> whole = sum_of(logits);
  std::printf("plain sum        %g\n", std::log(plain));
  std::printf("log_sum_exp      %.6f   (m = %g, s = %.6f)\n", whole.value(), whole.m, whole.s);

  // 2. The same from two pieces, merged in either order
  const auto left = sum_of({1001, 1000}), right = sum_of({998.5, -1e6});
  auto a = left, b = right;
  a.merge(right);
  b.merge(left);
  std::printf("left + right     %.6f\n", a.value());
  std::printf("right + left     %.6f\n", b.value());

  // 3. Every order of the four numbers: the largest deviation from the sum above
  std::vector<double> order = logits;
  std::sort(order.begin(), order.end());
  double largest = 0;
  int orders = 0;
  do {
    largest = std::max(largest, std::abs(sum_of(order).value() - whole.value()));
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  std::printf("%d orders        differ by %s\n", orders, largest < 1e-12 ? "less than 1e-12" : "1e-12 or more");

  // 4. The identity: the sum of nothing, which changes nothing and makes no NaN
  const llmap::log_sum_exp<double> nothing;
  a.merge(nothing);
  std::printf("+ nothing        %.6f\n", a.value());
  std::printf("nothing          %g\n", nothing.value());

  // 5. What it is for: probabilities that sum to one
  double total = 0;
  for (double x : logits) total += std::exp(x - whole.value());
  std::printf("probabilities    %.4f %.4f %.4f %.4f, sum %.6f\n", std::exp(logits[0] - whole.value()),
              std::exp(logits[1] - whole.value()), std::exp(logits[2] - whole.value()),
              std::exp(logits[3] - whole.value()), total);
}
