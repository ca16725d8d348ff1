// The forward pass: a decoder_plan executed on a ragged batch. Read this file first.
//
// decoder<T> holds the weights of a plan at working precision T (linears packed in their stored dtype);
// forward(...) takes ids to hidden states, the head's input. The head itself, which turns hidden states into
// log-probabilities without storing logits, is likelihood/linear_cross_entropy.hpp.
#pragma once
#include "llmap/core/memory.hpp"
#include "llmap/forward/attention.hpp"
#include "llmap/forward/linear.hpp"
#include "llmap/forward/memory.hpp"
#include "llmap/forward/mlp.hpp"
#include "llmap/forward/norm.hpp"
#include "llmap/forward/rope.hpp"
#include <optional>

namespace llmap {

template <class T> struct decoder_layer {
  norm_weights<T> attention_norm, mlp_norm;
  std::optional<norm_weights<T>> attention_out_norm, mlp_out_norm;
  attention_options<T> attention;
  std::optional<std::size_t> rope; // which of decoder::ropes
  packed_matrix<T> qkv, out, mlp_in, mlp_out;
};

template <class T> struct decoder {
  decoder_plan plan;
  std::optional<packed_matrix<T>> embedding; // (V, E); empty where the head is tied
  aligned_buffer<T> positions;               // (position_rows, C)
  std::optional<packed_matrix<T>> embedding_projection;
  std::optional<norm_weights<T>> embedding_norm;
  std::vector<decoder_layer<T>> layers;
  std::optional<norm_weights<T>> head_norm;
  std::optional<packed_matrix<T>> head_projection;
  packed_matrix<T> head; // (V, E)
  std::vector<rope_plan> ropes;
  arithmetic math = arithmetic::working; // of all linears and the head

  const packed_matrix<T>& embedding_table() const { return embedding ? *embedding : head; }
};

/// Buffers of a forward pass, kept between batches; they grow to the largest batch seen.
template <class T> struct forward_workspace {
  matrix_buffer<T> embedded, hidden, qkv, mixed, branch, inner, projected;
  packed_rows<T> normed, activated;
  std::vector<rope_table<T>> ropes;
  attention_workspace<T> attention;
  std::size_t slab_rows = 0; // rows that a layer works on at a time; 0: llmap::slab_rows of the plan

  /// Cuts `rows` rows of a batch, or of those that the head takes of it, into slabs.
  template <class Body> void for_slabs(const decoder_plan& plan, std::size_t rows, const Body& body) const {
    llmap::for_slabs(rows, slab_rows ? slab_rows : llmap::slab_rows<T>(plan), slab_unit, body);
  }
};

struct load_options {
  /// bf16: products in bf16, faster and less accurate (docs/numerics.md); an error where the machine has no such instructions.
  arithmetic math = arithmetic::working;
  /// A model that needs more bytes than these, with the activations of a small batch, is refused before anything is allocated.
  std::uint64_t available = available_memory();
};

/// Loads the weights that the plan names. All missing, misshapen and wrongly typed tensors are listed in one error;
/// `where` (a file or folder) starts every message.
template <class T, tensor_source Source>
decoder<T> load_decoder(const cpu_executor& exec, decoder_plan plan, const Source& source, const std::string& where,
                        const load_options& options = {}) {
  if (options.math == arithmetic::bf16 && !(std::is_same_v<T, float> && simd::has_bf16_products()))
    fail(where, ": bf16 arithmetic: expected a processor with AVX512_BF16 and float sums; this one runs ", name_of(simd::active_isa()),
         " without it (float32 reads bf16 weights as well)");
  const auto name_in_source = source_naming(source, plan.prefix);
  std::vector<tensor_spec> table = tensor_table(plan);
  for (tensor_spec& spec : table) spec.name = name_in_source(spec.name);
  check_tensors(source, table, where);
  check_memory(memory_needed<T>(plan, source, options.math), options.available, where);

  decoder<T> model;
  model.math = options.math;
  const auto vector = [&](const std::string& name) { return widen_tensor<T>(source.read(name_in_source(name)), name); };
  arena room(weight_bytes<T>(plan, source));
  const auto matrix = [&](const linear_plan& linear) {
    if constexpr (std::is_same_v<T, float>)
      if (options.math == arithmetic::bf16) {
        arena own; // of what is stored in more than two bytes
        const bool narrow = bits_of(packed_dtype<T>(source, linear, name_in_source)) == 16;
        return in_bf16(pack_matrix<T>(source, linear, name_in_source, exec.threads, narrow ? room : own), exec.threads, room);
      }
    return pack_matrix<T>(source, linear, name_in_source, exec.threads, room);
  };
  const auto norm_of = [&](const norm_plan& n) {
    norm_weights<T> w{n.kind, n.epsilon, {}, {}};
    if (!n.weight.empty()) {
      w.weight = vector(n.weight);
      for (T& x : w.weight.span()) x += static_cast<T>(n.weight_offset);
    }
    if (!n.bias.empty()) w.bias = vector(n.bias);
    return w;
  };
  const auto table_of = [&](const std::string& name) { return matrix(plan.table(name)); };
  try {
    if (!plan.head.tied) model.embedding = table_of(plan.embedding.weight);
    if (!plan.embedding.positions.empty()) model.positions = vector(plan.embedding.positions);
    if (plan.embedding.projection) model.embedding_projection = matrix(*plan.embedding.projection);
    if (plan.embedding.norm) model.embedding_norm = norm_of(*plan.embedding.norm);
    for (const layer_plan& l : plan.layers) {
      decoder_layer<T> layer;
      layer.attention_norm = norm_of(l.attention_norm);
      layer.mlp_norm = norm_of(l.mlp_norm);
      if (l.attention_out_norm) layer.attention_out_norm = norm_of(*l.attention_out_norm);
      if (l.mlp_out_norm) layer.mlp_out_norm = norm_of(*l.mlp_out_norm);
      const attention_plan& a = l.attention;
      layer.attention = {static_cast<std::size_t>(a.heads), static_cast<std::size_t>(a.kv_heads), static_cast<std::size_t>(a.head_dim),
                         static_cast<T>(a.scale), static_cast<T>(a.softcap), static_cast<std::size_t>(a.window), {}};
      if (a.alibi)
        for (double slope : alibi_slopes(layer.attention.heads)) layer.attention.alibi.push_back(static_cast<T>(slope));
      if (a.rope) {
        // The plans of a model's layers repeat; each distinct one gets one table a batch.
        std::size_t i = 0;
        while (i < model.ropes.size() && !(model.ropes[i] == *a.rope)) ++i;
        if (i == model.ropes.size()) model.ropes.push_back(*a.rope);
        layer.rope = i;
      }
      layer.qkv = matrix(a.qkv);
      layer.out = matrix(a.out);
      layer.mlp_in = matrix(l.mlp.in);
      layer.mlp_out = matrix(l.mlp.out);
      model.layers.push_back(std::move(layer));
    }
    if (plan.head.norm) model.head_norm = norm_of(*plan.head.norm);
    if (plan.head.projection) model.head_projection = matrix(*plan.head.projection);
    model.head = table_of(plan.head.weight);
  } catch (const error& problem) {
    fail(where, ": ", problem.what());
  }
  model.plan = std::move(plan);
  return model;
}

/// h (T, C) = scale * E[ids] (projected) + P[position], normed where the plan says so.
template <class T>
matrix_view<T> embed(const cpu_executor& exec, const decoder<T>& model, const ragged_batch& batch, forward_workspace<T>& work) {
  const embedding_plan& plan = model.plan.embedding;
  const packed_matrix<T>& table = model.embedding_table();
  const auto C = static_cast<std::size_t>(model.plan.width);
  matrix_view<T> h = work.hidden.reshape(batch.rows(), C);
  const matrix_view<T> embedded = model.embedding_projection ? work.embedded.reshape(batch.rows(), table.cols) : h;
  const T scale = static_cast<T>(plan.scale);
  for_row_blocks(exec, batch.rows(), 16, [&](std::size_t first, std::size_t count) {
    for (std::size_t r = first; r < first + count; ++r) {
      table.read_row(static_cast<std::size_t>(batch.ids[r]), embedded.row(r));
      for (std::size_t k = 0; k < table.cols; ++k) embedded(r, k) *= scale;
    }
  });
  if (model.embedding_projection) linear<T>(exec, embedded, *model.embedding_projection, h);
  if (model.positions.size() != 0)
    for (std::size_t t = 0; t < batch.texts(); ++t)
      for (std::size_t p = 0; p < batch.length(t); ++p) {
        const T* position = model.positions.data() + (p + static_cast<std::size_t>(plan.position_offset)) * C;
        T* row = h.row(batch.offsets[t] + p);
        for (std::size_t k = 0; k < C; ++k) row[k] += position[k];
      }
  if (model.embedding_norm) norm<T>(exec, h, *model.embedding_norm, h);
  return h;
}

/// y (S, C) += or = attention branch of x (S, C), a view or packed: the rows of a slab.
template <class T, class Rows>
void attention_branch(const cpu_executor& exec, const decoder_layer<T>& layer, const ragged_batch& batch, slab rows, const Rows& x,
                      matrix_view<T> y, store_mode mode, forward_workspace<T>& work) {
  const attention_options<T>& a = layer.attention;
  matrix_view<T> qkv = work.qkv.reshape(x.rows, layer.qkv.rows), mixed = work.mixed.reshape(x.rows, a.heads * a.head_dim);
  linear<T>(exec, x, layer.qkv, qkv);
  if (layer.rope) rope<T>(exec, qkv, a.heads + a.kv_heads, a.head_dim, work.ropes[*layer.rope].angles.row_range(rows.first, rows.count));
  attention<T>(exec, a, batch, rows, qkv, mixed, work.attention);
  linear<T>(exec, mixed, layer.out, y, mode);
}

/// y (S, C) += or = MLP branch of x (S, C), a view or packed.
template <class T, class Rows>
void mlp_branch(const cpu_executor& exec, const decoder_layer<T>& layer, const mlp_plan& plan, const Rows& x, matrix_view<T> y,
                store_mode mode, forward_workspace<T>& work) {
  matrix_view<T> inner = work.inner.reshape(x.rows, layer.mlp_in.rows);
  linear<T>(exec, x, layer.mlp_in, inner);
  activate<T>(exec, plan.act, plan.gated, inner, work.activated);
  linear<T>(exec, work.activated, layer.mlp_out, y, mode);
}

template <class T> void add_rows(const cpu_executor& exec, matrix_view<const T> x, matrix_view<T> y) {
  for_row_blocks(exec, x.rows, 64, [&](std::size_t first, std::size_t count) {
    for (std::size_t r = first; r < first + count; ++r)
      for (std::size_t k = 0; k < x.cols; ++k) y(r, k) += x(r, k);
  });
}

/// One block of the decoder on the rows of a slab: h (S, C) in place. Slabs in order.
template <class T>
void decoder_block(const cpu_executor& exec, const decoder_layer<T>& layer, const layer_plan& plan, const ragged_batch& batch, slab rows,
                   matrix_view<T> h, forward_workspace<T>& work) {
  packed_rows<T>& x = work.normed;
  // Adds a branch to h, through its own norm where it has one.
  const auto add_branch = [&](const auto& branch, const std::optional<norm_weights<T>>& out_norm) {
    if (!out_norm) return branch(h, store_mode::add);
    matrix_view<T> y = work.branch.reshape(h.rows, h.cols);
    branch(y, store_mode::overwrite);
    norm<T>(exec, y, *out_norm, y);
    add_rows<T>(exec, y, h);
  };
  const auto attend = [&](matrix_view<T> y, store_mode mode) { attention_branch<T>(exec, layer, batch, rows, x, y, mode, work); };
  const auto transform = [&](matrix_view<T> y, store_mode mode) { mlp_branch<T>(exec, layer, plan.mlp, x, y, mode, work); };
  switch (plan.topology) {
  case residual::pre_norm:
    norm<T>(exec, h, layer.attention_norm, x);
    add_branch(attend, layer.attention_out_norm);
    norm<T>(exec, h, layer.mlp_norm, x);
    add_branch(transform, layer.mlp_out_norm);
    break;
  case residual::post_norm:
    attention_branch<T>(exec, layer, batch, rows, h, h, store_mode::add, work);
    norm<T>(exec, h, layer.attention_norm, h);
    mlp_branch<T>(exec, layer, plan.mlp, h, h, store_mode::add, work);
    norm<T>(exec, h, layer.mlp_norm, h);
    break;
  case residual::parallel: {
    matrix_view<T> y = work.branch.reshape(h.rows, h.cols);
    norm<T>(exec, h, layer.attention_norm, x);
    attention_branch<T>(exec, layer, batch, rows, x, y, store_mode::overwrite, work);
    norm<T>(exec, h, layer.mlp_norm, x);
    mlp_branch<T>(exec, layer, plan.mlp, x, y, store_mode::add, work);
    add_rows<T>(exec, y, h);
    break;
  }
  case residual::norm_residual:
    norm<T>(exec, h, layer.attention_norm, h);
    attention_branch<T>(exec, layer, batch, rows, h, h, store_mode::add, work);
    norm<T>(exec, h, layer.mlp_norm, h);
    mlp_branch<T>(exec, layer, plan.mlp, h, h, store_mode::add, work);
    break;
  }
}

/// Hidden states (T, E) that enter the head. `observe(name, rows)` is called with "input", after each layer and with
/// "head_input"; the view it gets is valid during the call, the result until the next forward with this workspace.
template <class T, class Observe>
matrix_view<const T> forward(const cpu_executor& exec, const decoder<T>& model, const ragged_batch& batch, forward_workspace<T>& work,
                             const Observe& observe) {
  work.normed.math = work.activated.math = model.math;
  // 1. Embedding (T, C)
  matrix_view<T> h = embed<T>(exec, model, batch, work);
  work.ropes.resize(model.ropes.size());
  for (std::size_t i = 0; i < model.ropes.size(); ++i) work.ropes[i].fill(exec, model.ropes[i], batch);
  observe("input", matrix_view<const T>(h));
  // 2. Blocks (T, C), a slab (S, C) at a time
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    work.for_slabs(model.plan, h.rows, [&](slab rows) {
      decoder_block<T>(exec, model.layers[i], model.plan.layers[i], batch, rows, h.row_range(rows.first, rows.count), work);
    });
    observe("layer", matrix_view<const T>(h));
  }
  // 3. Final norm (T, C) and projection (T, E)
  if (model.head_norm) norm<T>(exec, h, *model.head_norm, h);
  matrix_view<T> y = h;
  if (model.head_projection) {
    y = work.projected.reshape(h.rows, model.head_projection->rows);
    linear<T>(exec, h, *model.head_projection, y);
  }
  observe("head_input", matrix_view<const T>(y));
  return y;
}
template <class T>
matrix_view<const T> forward(const cpu_executor& exec, const decoder<T>& model, const ragged_batch& batch, forward_workspace<T>& work) {
  return forward<T>(exec, model, batch, work, [](const char*, matrix_view<const T>) {});
}

} // namespace llmap
