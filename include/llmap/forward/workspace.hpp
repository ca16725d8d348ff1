// What a forward pass needs besides its weights. Buffers are kept between batches and grow to the largest one seen.
#pragma once
#include "llmap/forward/batch.hpp"
#include "llmap/forward/decoder.hpp"
#include <algorithm>
#include <vector>

namespace llmap {

/// Buffers of one pass at a time: threads that run passes side by side need one each. T tokens and S rows of a slab;
/// other letters as in decoder_plan.
template <class Exec, class T> struct forward_workspace {
  using buffer = typename Exec::template buffer<T>; ///< kept from use to use
  using rows = typename Exec::template rows<T>;     ///< in the form that linear reads

  /// What one branch of a layer keeps of a text from slab to slab.
  struct branch_memory {
    typename Exec::template keys_values<T> keys_values; ///< attention
    buffer carry;                                       ///< the last rows: convolutions, token shift
    buffer state;                                       ///< of a recurrence
  };

  buffer embedded, hidden, projected;                       // of a batch: (T, E), (T, C), (T, E)
  buffer inputs;                                            // (T, P): of layers with an input of their own
  std::vector<buffer> angles;                               // (T, r) for each of decoder::ropes: cosines, then sines
  std::vector<branch_memory> memory;                        // for each branch of a layer
  std::vector<typename Exec::template keys_values<T>> kept; // that later layers use, by number (from 1 on)

  buffer sum, branch, plain;          // (S, C): sum of branches side by side; output of one; its input as plain rows
  rows input, activated, gathered;    // packed for linear
  buffer guess, active, stream_gates; // of streams: (S, n C), (S, C), (S, n + n^2)
  buffer wide, mixed, low, gates;     // of a mixer, see mixers.hpp
  typename Exec::template routing<T> routing; ///< of a mixture of experts
  typename Exec::template scratch<T> scratch; ///< of ops

  std::size_t slab_rows = 0; // rows that a layer works on at a time; 0: the executor's choice

  /// Prepares for a model's layers: a table of angles per rotation, a memory per branch, rows packed for its products.
  void prepare(const decoder<Exec, T>& model) {
    angles.resize(std::max(angles.size(), model.ropes.size()));
    for (const layer_plan& layer : model.plan.layers) {
      memory.resize(std::max(memory.size(), layer.branches.size()));
      for (const branch_plan& b : layer.branches)
        if (const auto* a = std::get_if<attention_plan>(&b.mixer))
          kept.resize(std::max(kept.size(), static_cast<std::size_t>(a->kept_as)));
    }
    input.compute = activated.compute = gathered.compute = model.compute;
  }
  /// Cuts `rows` rows, of a batch or of the part that the head takes, into slabs.
  template <class Body>
  void for_slabs(const Exec& exec, const decoder_plan& plan, std::size_t rows, const Body& body) const {
    llmap::for_slabs(rows, slab_rows ? slab_rows : rows_of_slab<T>(exec, plan), slab_unit, body);
  }
};

} // namespace llmap
