// Plain loops in double for the recurrences and the routing of experts: the oracle for forward/cpu/convolution.hpp,
// state_scans.hpp, channel_scans.hpp, delta_scan.hpp and route.hpp. One text at a time; matrices are row-major, rows
// are tokens.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace llmap::reference {

using vector = std::vector<double>;

/// 1 / (1 + exp(-x)).
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
/// log(1 + exp(x)).
inline double softplus(double x) { return std::log(1 + std::exp(x)); }

/// y (T, C): y_t = bias + sum_j weight[c, j] x_{t - (taps - 1) + j}
inline vector causal_convolution(const vector& x, const vector& weight, const vector& bias, std::size_t T,
                                 std::size_t C, std::size_t taps) {
  vector y(T * C);
  for (std::size_t t = 0; t < T; ++t)
    for (std::size_t c = 0; c < C; ++c) {
      y[t * C + c] = bias.empty() ? 0 : bias[c];
      for (std::size_t j = 0; j < taps; ++j)
        if (t + j >= taps - 1) y[t * C + c] += weight[c * taps + j] * x[(t + j - (taps - 1)) * C + c];
    }
  return y;
}

/// x_t mix + x_{t-1} (1 - mix)
inline vector token_shift(const vector& x, const vector& mix, std::size_t T, std::size_t C) {
  vector y(T * C);
  for (std::size_t t = 0; t < T; ++t)
    for (std::size_t c = 0; c < C; ++c)
      y[t * C + c] = x[t * C + c] * mix[c] + (t ? x[(t - 1) * C + c] : 0) * (1 - mix[c]);
  return y;
}

/// Mamba: x, step (T, M), B, C (T, N), a_log (M, N), d (M) -> y (T, M)
inline vector selective_scan(const vector& x, const vector& step, const vector& B, const vector& C, const vector& a_log,
                             const vector& d, std::size_t T, std::size_t M, std::size_t N) {
  vector y(T * M), s(M * N, 0);
  for (std::size_t t = 0; t < T; ++t)
    for (std::size_t m = 0; m < M; ++m) {
      const double dt = softplus(step[t * M + m]);
      y[t * M + m] = d[m] * x[t * M + m];
      for (std::size_t n = 0; n < N; ++n) {
        double& state = s[m * N + n];
        state = std::exp(-dt * std::exp(a_log[m * N + n])) * state + dt * B[t * N + n] * x[t * M + m];
        y[t * M + m] += C[t * N + n] * state;
      }
    }
  return y;
}

/// Mamba-2: x (T, H P), B, C (T, G N), dt (T, H) -> y (T, H P)
inline vector head_scan(const vector& x, const vector& B, const vector& C, const vector& dt, const vector& dt_bias,
                        const vector& a_log, const vector& d, double least, double most, std::size_t T, std::size_t H,
                        std::size_t P, std::size_t G, std::size_t N) {
  vector y(T * H * P), s(H * P * N, 0);
  for (std::size_t t = 0; t < T; ++t)
    for (std::size_t h = 0; h < H; ++h) {
      const double step = std::min(std::max(softplus(dt[t * H + h] + dt_bias[h]), least), most),
                   keep = std::exp(-step * std::exp(a_log[h]));
      for (std::size_t p = 0; p < P; ++p) {
        const double value = x[(t * H + h) * P + p];
        double& out = y[(t * H + h) * P + p];
        out = d[h] * value;
        for (std::size_t n = 0; n < N; ++n) {
          const std::size_t group = h / (H / G);
          double& state = s[(h * P + p) * N + n];
          state = keep * state + step * value * B[(t * G + group) * N + n];
          out += C[(t * G + group) * N + n] * state;
        }
      }
    }
  return y;
}

/// RWKV-4, as a weighted mean over all tokens so far: weights exp(k_j - (t - 1 - j) exp(decay)) for those before, and
/// exp(first + k_t) for the token itself.
inline vector wkv(const vector& k, const vector& v, const vector& decay, const vector& first, std::size_t T,
                  std::size_t A) {
  vector y(T * A);
  for (std::size_t t = 0; t < T; ++t)
    for (std::size_t a = 0; a < A; ++a) {
      double most = first[a] + k[t * A + a];
      const auto exponent = [&](std::size_t j) {
        return k[j * A + a] - static_cast<double>(t - 1 - j) * std::exp(decay[a]);
      };
      for (std::size_t j = 0; j < t; ++j) most = std::max(most, exponent(j));
      double num = std::exp(first[a] + k[t * A + a] - most) * v[t * A + a],
             den = std::exp(first[a] + k[t * A + a] - most);
      for (std::size_t j = 0; j < t; ++j)
        num += std::exp(exponent(j) - most) * v[j * A + a], den += std::exp(exponent(j) - most);
      y[t * A + a] = num / den;
    }
  return y;
}

/// Griffin's gated recurrence: s_t = a s_{t-1} + sqrt(1 - a^2) sigmoid(input gate) x; the first token enters unscaled.
inline vector gated_scan(const vector& x, const vector& input_gate, const vector& recurrent_gate, const vector& decay,
                         std::size_t T, std::size_t L) {
  vector y(T * L);
  for (std::size_t c = 0; c < L; ++c) {
    double s = 0;
    for (std::size_t t = 0; t < T; ++t) {
      const std::size_t i = t * L + c;
      const double a = std::exp(-8 * sigmoid(recurrent_gate[i]) * softplus(decay[c]));
      s = a * s + (t ? std::sqrt(1 - a * a) : 1) * sigmoid(input_gate[i]) * x[i];
      y[i] = s;
    }
  }
  return y;
}

/// The delta rule: q, k (T, Hk Dk), v (T, H Dv), b, a (T, H) -> y (T, H Dv)
inline vector delta_scan(const vector& q, const vector& k, const vector& v, const vector& b, const vector& a,
                         const vector& dt_bias, const vector& a_log, double beta_scale, std::size_t T, std::size_t Hk,
                         std::size_t H, std::size_t Dk, std::size_t Dv) {
  vector y(T * H * Dv);
  for (std::size_t h = 0; h < H; ++h) {
    vector S(Dk * Dv, 0);
    for (std::size_t t = 0; t < T; ++t) {
      const double *query = &q[(t * Hk + h / (H / Hk)) * Dk], *key = &k[(t * Hk + h / (H / Hk)) * Dk];
      double qq = 1e-6, kk = 1e-6;
      for (std::size_t i = 0; i < Dk; ++i) qq += query[i] * query[i], kk += key[i] * key[i];
      for (double& s : S) s *= std::exp(-std::exp(a_log[h]) * softplus(a[t * H + h] + dt_bias[h]));
      for (std::size_t j = 0; j < Dv; ++j) {
        double held = 0;
        for (std::size_t i = 0; i < Dk; ++i) held += S[i * Dv + j] * key[i] / std::sqrt(kk);
        const double change = beta_scale * sigmoid(b[t * H + h]) * (v[(t * H + h) * Dv + j] - held);
        double& out = y[(t * H + h) * Dv + j] = 0;
        for (std::size_t i = 0; i < Dk; ++i) {
          S[i * Dv + j] += key[i] / std::sqrt(kk) * change;
          out += S[i * Dv + j] * query[i] / std::sqrt(qq * static_cast<double>(Dk));
        }
      }
    }
  }
  return y;
}

/// The sparse mixer's weights (E) of one token: two experts, see router_plan.
inline vector banded_route(vector logits, double band) {
  vector weight(logits.size(), 0);
  for (int i = 0; i < 2; ++i) {
    std::size_t best = 0;
    for (std::size_t e = 0; e < logits.size(); ++e)
      if (logits[e] > logits[best]) best = e;
    double sum = 0;
    for (const double s : logits)
      if (std::isfinite(s) && (logits[best] - s) / std::max(std::abs(s), logits[best]) <= 2 * band)
        sum += std::exp(s - logits[best]);
    weight[best] = 1 / sum;
    logits[best] = -std::numeric_limits<double>::infinity();
  }
  return weight;
}

/// The weights (E) of one token's experts, 0 for those not chosen. Groups are ranked by the sum of their `ranked` best.
inline vector route(const vector& logits, const vector& correction, bool softmax, std::size_t chosen,
                    std::size_t groups, std::size_t chosen_groups, std::size_t ranked, bool normalized, double epsilon,
                    double scale) {
  const std::size_t E = logits.size(), size = E / groups;
  vector score(E), weight(E, 0);
  double sum = 0;
  for (std::size_t e = 0; e < E; ++e) sum += score[e] = softmax ? std::exp(logits[e]) : sigmoid(logits[e]);
  if (softmax)
    for (double& s : score) s /= sum;
  vector rank = score, group(groups, 0);
  for (std::size_t e = 0; e < correction.size(); ++e) rank[e] += correction[e];
  for (std::size_t g = 0; g < groups; ++g) {
    vector in(rank.begin() + static_cast<std::ptrdiff_t>(g * size),
              rank.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
    std::sort(in.rbegin(), in.rend());
    for (std::size_t i = 0; i < ranked && groups > 1; ++i) group[g] += in[i];
  }
  vector sorted = group;
  std::sort(sorted.rbegin(), sorted.rend());
  for (std::size_t e = 0; e < E; ++e)
    if (group[e / size] < sorted[chosen_groups - 1]) rank[e] = -std::numeric_limits<double>::infinity();
  double total = epsilon;
  for (std::size_t i = 0; i < chosen; ++i) {
    const std::size_t best = static_cast<std::size_t>(std::max_element(rank.begin(), rank.end()) - rank.begin());
    weight[best] = score[best];
    total += score[best];
    rank[best] = -std::numeric_limits<double>::infinity();
  }
  for (double& w : weight) w *= normalized ? scale / total : scale;
  return weight;
}

} // namespace llmap::reference
