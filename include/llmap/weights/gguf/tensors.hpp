// The tensors of a GGUF file under the names of transformers. Quantized ones are read as F32, others as stored; a
// tensor without a counterpart is refused.
//
// llama.cpp rotates neighboring pairs (2i, 2i + 1) of a llama's head, transformers the pairs (i, i + D/2). Its
// converter therefore reorders the rows of q and k within each head; reading undoes that: row i + s D/2 is stored as
// 2i + s.
#pragma once
#include "llmap/weights/gguf/config.hpp"
#include "llmap/weights/tensor_source.hpp"

namespace llmap::gguf {

/// The name of a tensor in transformers, or nothing.
inline std::optional<std::string> transformers_name(const architecture& a, std::string_view name) {
  struct in_block {
    std::string_view from, to;
    bool there = true;
  };
  const in_block matrices[] = {{"attn_norm.weight", "input_layernorm.weight"},
                               {"attn_q.weight", "self_attn.q_proj.weight"},
                               {"attn_k.weight", "self_attn.k_proj.weight"},
                               {"attn_v.weight", "self_attn.v_proj.weight"},
                               {"attn_output.weight", "self_attn.o_proj.weight"},
                               {"ffn_norm.weight", "post_attention_layernorm.weight"},
                               {"ffn_gate.weight", "mlp.gate_proj.weight"},
                               {"ffn_up.weight", "mlp.up_proj.weight"},
                               {"ffn_down.weight", "mlp.down_proj.weight"},
                               {"attn_q.bias", "self_attn.q_proj.bias", a.has_bias},
                               {"attn_k.bias", "self_attn.k_proj.bias", a.has_bias},
                               {"attn_v.bias", "self_attn.v_proj.bias", a.has_bias},
                               {"attn_q_norm.weight", "self_attn.q_norm.weight", a.has_norms},
                               {"attn_k_norm.weight", "self_attn.k_norm.weight", a.has_norms}};
  static constexpr std::pair<std::string_view, std::string_view> whole[] = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"}};
  for (const auto& [from, to] : whole)
    if (name == from) return std::string(to);
  if (!name.starts_with("blk.")) return std::nullopt;
  name.remove_prefix(4);
  const auto dot = name.find('.');
  if (dot == 0 || dot > 4 || name.substr(0, dot).find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  for (const in_block& m : matrices)
    if (m.there && name.substr(dot + 1) == m.from)
      return "model.layers." + std::string(name.substr(0, dot)) + "." + std::string(m.to);
  return std::nullopt;
}

/// Rows of `heads` heads from llama.cpp's order into that of transformers. rows: (H D, bytes of a row)
inline std::vector<std::byte> unpermute_rows(std::span<const std::byte> rows, std::size_t count, std::size_t heads) {
  LLMAP_EXPECTS(heads > 0 && count % (2 * heads) == 0 && rows.size() % count == 0,
                "unpermute_rows: rows of whole heads");
  const std::size_t row_bytes = rows.size() / count, D = count / heads;
  std::vector<std::byte> out(rows.size());
  for (std::size_t h = 0; h < heads; ++h)
    for (std::size_t i = 0; i < D / 2; ++i)
      for (std::size_t s = 0; s < 2; ++s)
        std::memcpy(out.data() + (h * D + s * (D / 2) + i) * row_bytes, rows.data() + (h * D + 2 * i + s) * row_bytes,
                    row_bytes);
  return out;
}

/// A tensor source, for load_decoder.
class tensors {
public:
  /// An architecture or a tensor that is not known is an llmap::error.
  explicit tensors(std::shared_ptr<const file> f) : file_(std::move(f)) {
    const architecture& a = architecture_of(*file_);
    for (const auto& [name, tensor] : file_->tensors()) {
      if (name == "rope_freqs.weight") continue; // config_of reads it
      const auto known = transformers_name(a, name);
      if (!known) file_->refuse("tensor " + name, "not understood; the model may compute something else with it");
      stored_name_[*known] = name;
    }
    if (!a.reordered_heads) return;
    const config c = config_of(*file_);
    query_heads_ = c.integer("num_attention_heads", 1), key_heads_ = c.integer("num_key_value_heads", 1);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, stored] : stored_name_) all.push_back(name);
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const {
    const auto it = stored_name_.find(name);
    if (it == stored_name_.end()) return std::nullopt;
    const tensor_entry& t = file_->tensors().at(it->second);
    return tensor_info{t.format->read_as, t.shape};
  }
  tensor_data read(const std::string& name) const {
    const auto it = stored_name_.find(name);
    if (it == stored_name_.end()) file_->refuse("tensor " + name, "missing");
    const tensor_entry& t = file_->tensors().at(it->second);
    const tensor_info info{t.format->read_as, t.shape};
    // 1. Rows in their order, still quantized: no block reaches over the end of a row
    auto bytes = t.bytes;
    std::shared_ptr<const void> owner(file_->mapping(), bytes.data());
    if (const std::int64_t heads = reordered_heads(name, it->second, t)) {
      auto ordered = std::make_shared<std::vector<std::byte>>(
          unpermute_rows(bytes, static_cast<std::size_t>(t.shape.front()), static_cast<std::size_t>(heads)));
      bytes = *ordered;
      owner = std::move(ordered);
    }
    if (t.format->elements == 1) return {info, bytes, std::move(owner)};
    // 2. Blocks to floats
    auto wide = std::make_shared<std::vector<float>>(static_cast<std::size_t>(info.elements()));
    dequantize(*t.format, bytes, *wide);
    return {info, std::as_bytes(std::span(*wide)), wide};
  }

  std::optional<coding> coding_of(const std::string& name) const {
    const auto it = stored_name_.find(name);
    return it == stored_name_.end() ? std::nullopt : file_->tensors().at(it->second).format->coded();
  }
  /// llama.cpp rounds inputs as the machine's kernels do.
  std::optional<input_rounding> rounding_of(const std::string& name) const {
    if (coding_of(name))
      file_->refuse("tensor " + name, "inputs as deployed depend on the machine that llama.cpp runs on");
    return std::nullopt;
  }
  coded_rows read_coded(const std::string& name) const {
    const std::string& stored = stored_name_.at(name);
    const tensor_entry& t = file_->tensors().at(stored);
    const block_format& format = *t.format;
    const coding how = *format.coded();
    const std::int64_t cols = t.shape.back(), heads = reordered_heads(name, stored, t),
                       head = heads ? t.shape.front() / heads : 1;
    const auto block = [=, file = file_, first = t.bytes.data(), &format](std::int64_t row, std::int64_t column) {
      if (heads) row = row / head * head + row % (head / 2) * 2 + row % head / (head / 2);
      const auto number = (row * cols + column) / static_cast<std::int64_t>(format.elements);
      return reinterpret_cast<const std::uint8_t*>(first) + number * static_cast<std::int64_t>(format.bytes);
    };
    coded_rows opened{how, cols,
                      [=, &format](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                        for (std::int64_t r = first; r < first + count; ++r)
                          for (std::int64_t i = 0; i < cols; i += static_cast<std::int64_t>(format.elements)) {
                            format.codes(block(r, i), codes);
                            codes += format.elements;
                          }
                      },
                      [=, &format](std::int64_t row, std::int64_t group) {
                        group_numbers n =
                            format.numbers(block(row, group * how.group), static_cast<int>(group % how.span));
                        n.zero = how.same.zero;
                        return n;
                      }};
    if (format.outer)
      opened.outer = [=, &format](std::int64_t row, std::int64_t span) {
        return format.outer(block(row, span * how.span * how.group));
      };
    return opened;
  }

  /// The most frequent type of the quantized tensors, or "".
  std::string quantization() const {
    std::map<std::string_view, std::int64_t> elements;
    for (const auto& [name, stored] : stored_name_) {
      const tensor_entry& t = file_->tensors().at(stored);
      if (t.format->elements > 1) elements[t.format->name] += tensor_info{t.format->read_as, t.shape}.elements();
    }
    const auto most =
        std::max_element(elements.begin(), elements.end(), [](auto& x, auto& y) { return x.second < y.second; });
    return most == elements.end() ? "" : "GGUF " + std::string(most->first);
  }

private:
  /// The heads whose rows are reordered; 0: none are.
  std::int64_t reordered_heads(const std::string& name, const std::string& stored, const tensor_entry& t) const {
    const std::int64_t heads = name.ends_with("q_proj.weight")   ? query_heads_
                               : name.ends_with("k_proj.weight") ? key_heads_
                                                                 : 0;
    if (heads && t.shape.front() % (2 * heads) != 0)
      file_->refuse("tensor " + stored, "expected rows of ", heads, " heads of even width, got ", t.shape.front());
    return heads;
  }

  std::shared_ptr<const file> file_;
  std::map<std::string, std::string> stored_name_; // by the name that transformers gives it
  std::int64_t query_heads_ = 0, key_heads_ = 0;   // whose rows are reordered; 0: none
};
static_assert(tensor_source<tensors>);

} // namespace llmap::gguf
