// Every op of the forward pass as plain loops in double: the oracle for the fast ones, and the place to read what an op
// means. Matrices are row-major vectors; shapes are as in the fast op of the same name.
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace llmap::reference {

/// A vector, or a matrix row by row.
using vector = std::vector<double>;

/// y (M, N) = x (M, K) w (N, K)^T + b (N), b may be empty.
inline vector linear(const vector& x, const vector& w, const vector& b, std::size_t M, std::size_t K, std::size_t N) {
  vector y(M * N);
  for (std::size_t i = 0; i < M; ++i)
    for (std::size_t j = 0; j < N; ++j) {
      double sum = b.empty() ? 0 : b[j];
      for (std::size_t k = 0; k < K; ++k) sum += x[i * K + k] * w[j * K + k];
      y[i * N + j] = sum;
    }
  return y;
}

/// x / sqrt(mean(x^2) + eps) * w, by rows (M, C).
inline vector rms_norm(const vector& x, const vector& w, double epsilon, std::size_t M, std::size_t C) {
  vector y(M * C);
  for (std::size_t i = 0; i < M; ++i) {
    double square = 0;
    for (std::size_t k = 0; k < C; ++k) square += x[i * C + k] * x[i * C + k];
    const double scale = 1 / std::sqrt(square / static_cast<double>(C) + epsilon);
    for (std::size_t k = 0; k < C; ++k) y[i * C + k] = x[i * C + k] * scale * w[k];
  }
  return y;
}

/// Each row of x (M, C) rounded to 8 bits of its largest absolute value.
inline vector round_rows(vector x, std::size_t M, std::size_t C) {
  for (std::size_t i = 0; i < M; ++i) {
    double most = 1e-5;
    for (std::size_t k = 0; k < C; ++k) most = std::fmax(most, std::fabs(x[i * C + k]));
    for (std::size_t k = 0; k < C; ++k) {
      double& v = x[i * C + k];
      v = std::fmin(std::fmax(std::nearbyint(v * (127 / most)), -128.0), 127.0) / (127 / most);
    }
  }
  return x;
}

/// (x - mean) / sqrt(var + eps) * w + b, biased variance, by rows (M, C).
inline vector layer_norm(const vector& x, const vector& w, const vector& b, double epsilon, std::size_t M,
                         std::size_t C) {
  vector y(M * C);
  for (std::size_t i = 0; i < M; ++i) {
    double mean = 0, variance = 0;
    for (std::size_t k = 0; k < C; ++k) mean += x[i * C + k] / static_cast<double>(C);
    for (std::size_t k = 0; k < C; ++k)
      variance += (x[i * C + k] - mean) * (x[i * C + k] - mean) / static_cast<double>(C);
    for (std::size_t k = 0; k < C; ++k)
      y[i * C + k] = (x[i * C + k] - mean) / std::sqrt(variance + epsilon) * w[k] + b[k];
  }
  return y;
}

/// Rotates the pairs (i, i + frequencies.size()) of one head vector at `position`.
inline void rope(double* head, const vector& frequencies, double position) {
  const std::size_t half = frequencies.size();
  for (std::size_t i = 0; i < half; ++i) {
    const double c = std::cos(position * frequencies[i]), s = std::sin(position * frequencies[i]);
    const double a = head[i], b = head[i + half];
    head[i] = a * c - b * s;
    head[i + half] = b * c + a * s;
  }
}

/// The nearest number of 8 significant bits, of two equally near the even one.
inline double to_bf16(double x) {
  if (x == 0) return x;
  const double unit = std::ldexp(1.0, std::ilogb(x) - 7);
  return std::nearbyint(x / unit) * unit;
}

/// The numbers of an attention; defaults leave out what they are for.
struct attention_options {
  std::size_t heads = 1, kv_heads = 1, key_dim = 1, value_dim = 1; ///< H, Hkv, D, Dv
  double scale = 1, softcap = 0;                                   ///< softcap 0: none
  std::size_t window = 0, chunk = 0;                               ///< keys; 0: none
  vector alibi, sinks;        // one slope per head, one further score per head, or empty
  bool rounded_alibi = false; // b(key) - b(query) times the scale instead, b(i) = bf16(bf16(slope) * bf16(i))
};

/// Causal attention of one text: qkv (T, H D + Hkv D + Hkv Dv) -> (T, H Dv).
inline vector attention(const vector& qkv, const attention_options& o, std::size_t T) {
  const std::size_t D = o.key_dim, V = o.value_dim, stride = (o.heads + o.kv_heads) * D + o.kv_heads * V;
  vector out(T * o.heads * V, 0.0);
  for (std::size_t h = 0; h < o.heads; ++h) {
    const std::size_t g = h / (o.heads / o.kv_heads);
    for (std::size_t i = 0; i < T; ++i) {
      std::size_t first = 0;
      while (first < i && ((o.window && i - first >= o.window) || (o.chunk && first / o.chunk != i / o.chunk))) ++first;
      vector score;
      double most = o.sinks.empty() ? -std::numeric_limits<double>::infinity() : o.sinks[h];
      for (std::size_t j = first; j <= i; ++j) {
        double s = 0;
        for (std::size_t d = 0; d < D; ++d) s += qkv[i * stride + h * D + d] * qkv[j * stride + (o.heads + g) * D + d];
        s *= o.scale;
        if (o.softcap != 0) s = o.softcap * std::tanh(s / o.softcap);
        const auto rounded = [&](std::size_t at) {
          return to_bf16(to_bf16(o.alibi[h]) * to_bf16(static_cast<double>(at)));
        };
        if (o.rounded_alibi) s += o.scale * (rounded(j) - rounded(i));
        else if (!o.alibi.empty()) s += o.alibi[h] * static_cast<double>(j) - o.alibi[h] * static_cast<double>(i);
        score.push_back(s);
        most = std::max(most, s);
      }
      double sum = o.sinks.empty() ? 0 : std::exp(o.sinks[h] - most);
      for (double& s : score) sum += s = std::exp(s - most);
      for (std::size_t j = first; j <= i; ++j)
        for (std::size_t d = 0; d < V; ++d)
          out[(i * o.heads + h) * V + d] +=
              score[j - first] / sum * qkv[j * stride + (o.heads + o.kv_heads) * D + g * V + d];
    }
  }
  return out;
}

/// log p(target) of one row of logits.
inline double cross_entropy(const vector& logits, std::size_t target) {
  double most = -std::numeric_limits<double>::infinity(), sum = 0;
  for (double z : logits) most = std::max(most, z);
  for (double z : logits) sum += std::exp(z - most);
  return logits[target] - most - std::log(sum);
}

/// x times the normal distribution function of x.
inline double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
/// Its approximation by tanh.
inline double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}
/// x times its sigmoid.
inline double silu(double x) { return x / (1 + std::exp(-x)); }
/// Parameters alpha_p, alpha_n, beta, eps.
inline double xielu(double x, const vector& p) {
  const double ap = std::log(1 + std::exp(p[0])), an = p[2] + std::log(1 + std::exp(p[1]));
  return x > 0 ? ap * x * x + p[2] * x : (std::expm1(std::fmin(x, p[3])) - x) * an + p[2] * x;
}

} // namespace llmap::reference
