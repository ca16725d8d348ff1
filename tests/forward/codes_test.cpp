// Matrices that stay in codes: every product has the bits of that of the decoded weights.
#include "llmap/forward/cpu/linear.hpp"
#include "llmap/likelihood/cpu/linear_cross_entropy.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {

/// Matrices in codes, which can be read as plain ones too.
class coded_tensors {
  struct matrix {
    std::int64_t rows, cols;
    coded_rows codes;
    dtype type;
  };
  std::map<std::string, matrix> all_;

public:
  /// Random codes and numbers that the types of the coding hold.
  void add(const std::string& name, std::int64_t rows, std::int64_t cols, coding how, dtype type,
           std::uint64_t stream = 1) {
    const counter_random random{stream};
    const auto integer = [=](std::uint64_t of, std::int64_t row, std::int64_t i) {
      return static_cast<double>(random.below(of, static_cast<std::uint64_t>(row * cols + i), 16));
    };
    const auto number = [=](std::uint64_t of, const std::optional<dtype>& t, std::int64_t row, std::int64_t i) {
      if (t == dtype::u8 || t == dtype::i8) return integer(of, row, i);
      const double x = random.normal(of, static_cast<std::uint64_t>(row * cols + i));
      if (t == dtype::f16) return static_cast<double>(static_cast<float>(f16(static_cast<float>(x))));
      if (t == dtype::bf16) return static_cast<double>(static_cast<float>(bf16(static_cast<float>(x))));
      return t == dtype::f32 ? static_cast<double>(static_cast<float>(x)) : x;
    };
    coded_rows opened{how, cols,
                      [=](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                        for (std::int64_t i = first * cols; i < (first + count) * cols; ++i)
                          *codes++ = static_cast<std::uint8_t>(
                              random.below(0, static_cast<std::uint64_t>(i), std::uint64_t{1} << how.bits));
                      },
                      [=](std::int64_t row, std::int64_t g) {
                        return group_numbers{how.scale ? number(1, how.scale, row, g) : how.same.scale,
                                             how.zero ? number(2, how.zero, row, g) : how.same.zero,
                                             how.offset ? number(3, how.offset, row, g) : how.same.offset};
                      }};
    if (how.outer_scale || how.outer_divisor || how.outer_shift || how.outer_offset)
      opened.outer = [=](std::int64_t row, std::int64_t s) {
        outer_numbers n;
        if (how.outer_scale) n.scale = number(4, how.outer_scale, row, s);
        if (how.outer_divisor) n.divisor = 1 + integer(5, row, s);
        if (how.outer_shift) n.shift = number(6, how.outer_shift, row, s);
        if (how.outer_offset) n.offset = number(7, how.outer_offset, row, s);
        return n;
      };
    all_[name] = {rows, cols, std::move(opened), type};
  }
  std::vector<std::string> names() const { return {}; }
  std::optional<tensor_info> find(const std::string& name) const {
    const matrix& m = all_.at(name);
    return tensor_info{m.type, {m.rows, m.cols}};
  }
  tensor_data read(const std::string& name) const {
    const matrix& m = all_.at(name);
    const auto values = [&]<class Value>() {
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(m.cols));
      std::vector<double> row(codes.size());
      auto wide = std::make_shared<std::vector<Value>>();
      for (std::int64_t r = 0; r < m.rows; ++r) {
        m.codes.codes(r, 1, codes.data());
        decode_row(m.codes, r, codes.data(), row.data());
        for (const double w : row) wide->push_back(static_cast<Value>(w));
      }
      return tensor_data{*find(name), std::as_bytes(std::span(*wide)), wide};
    };
    return m.type == dtype::f64 ? values.template operator()<double>() : values.template operator()<float>();
  }
  std::optional<coding> coding_of(const std::string& name) const { return all_.at(name).codes.how; }
  coded_rows read_coded(const std::string& name) const { return all_.at(name).codes; }
};
/// The same without the codes.
struct plain_tensors {
  const coded_tensors& of;
  std::vector<std::string> names() const { return of.names(); }
  std::optional<tensor_info> find(const std::string& name) const { return of.find(name); }
  tensor_data read(const std::string& name) const { return of.read(name); }
};

linear_plan whole(std::int64_t rows, std::int64_t cols) { return {cols, {{"w", "", rows, rows, 0, rows, rows}}}; }

template <class T> std::vector<T> product(const packed_matrix<T>& w, std::size_t M, int threads) {
  std::vector<T> x, y(M * w.rows);
  for (const double v : golden::normals(M * w.cols, 3)) x.push_back(static_cast<T>(v));
  linear(cpu_executor{threads}, {x.data(), M, w.cols}, w, {y.data(), M, w.rows});
  return y;
}
template <class T> std::vector<double> heads(const packed_matrix<T>& w, std::size_t M) {
  std::vector<T> x;
  for (const double v : golden::normals(M * w.cols, 4, 0.01)) x.push_back(static_cast<T>(v));
  std::vector<std::int32_t> targets;
  for (std::size_t r = 0; r < M; ++r) targets.push_back(static_cast<std::int32_t>(r * 7 % w.rows));
  std::vector<double> result(M);
  linear_cross_entropy(cpu_executor{2}, {x.data(), M, w.cols}, w, targets, {}, std::span(result));
  return result;
}

/// The forms that schemes have.
std::map<std::string, coding> codings(std::int64_t group) {
  std::map<std::string, coding> all;
  all["integers with zero points"] = {.bits = 4, .group = group, .scale = dtype::f16, .zero = dtype::u8};
  all["integers with offsets"] = {.bits = 8, .group = group, .scale = dtype::bf16, .offset = dtype::bf16};
  all["a table"] = {.bits = 4, .group = group, .scale = dtype::f32, .table = golden::normals(16, 9)};
  all["a large table"] = {.bits = 8, .group = group, .scale = dtype::f64, .table = golden::normals(256, 9)};
  all["divided"] = {.bits = 8, .group = group, .scale = dtype::f32, .divisor = 127, .same = {.zero = 128}};
  all["scaled twice"] = {.bits = 4,
                         .group = group,
                         .scale = dtype::i8,
                         .offset = dtype::i8,
                         .span = 3,
                         .outer_scale = dtype::f16,
                         .outer_offset = dtype::f16};
  all["divided and shifted"] = {.bits = 4,
                                .group = group,
                                .scale = dtype::bf16,
                                .span = 2,
                                .outer_scale = dtype::f32,
                                .outer_divisor = dtype::f32,
                                .outer_shift = dtype::f64};
  return all;
}

template <class T> void has_the_bits_of_decoded_weights(std::int64_t rows, std::int64_t cols, std::int64_t group) {
  for (const auto& [name, how] : codings(group))
    for (const dtype type : {dtype::f32, dtype::f64}) {
      coded_tensors source;
      source.add("w", rows, cols, how, type);
      for (const compute_type compute : {compute_type::working, compute_type::bf16}) {
        if (compute == compute_type::bf16 && !(std::is_same_v<T, float> && simd::has_bf16_products())) continue;
        const auto held = pack<T>(cpu_executor{2}, source, whole(rows, cols), compute),
                   wide = pack<T>(cpu_executor{2}, plain_tensors{source}, whole(rows, cols), compute);
        const std::string where = name + ", " + std::to_string(rows) + " x " + std::to_string(cols) + " in groups of " +
                                  std::to_string(group) + " as " + std::string(name_of(type));
        ASSERT_FALSE(held.in_codes.empty()) << where;
        ASSERT_TRUE(wide.in_codes.empty());
        EXPECT_LT(held.size_bytes(), wide.size_bytes()) << where;
        for (const std::size_t M : {1, 5, 29}) ASSERT_EQ(product(held, M, 2), product(wide, M, 1)) << where;
        ASSERT_EQ(heads(held, 14), heads(wide, 14)) << where;
        std::vector<T> row(held.cols), expected(held.cols);
        for (std::size_t r = 0; r < held.rows; r += 5) {
          held.read_row(r, row.data()), wide.read_row(r, expected.data());
          ASSERT_EQ(row, expected) << where;
        }
      }
    }
}

} // namespace

TEST(codes, have_the_bits_of_decoded_weights) {
  has_the_bits_of_decoded_weights<float>(37, 131, 16);
  has_the_bits_of_decoded_weights<double>(33, 131, 16);
}
TEST(codes, of_groups_that_end_within_a_block_of_columns) {
  has_the_bits_of_decoded_weights<float>(70, 2500, 96); // blocks of 834
  has_the_bits_of_decoded_weights<float>(3, 1027, 1027);
  has_the_bits_of_decoded_weights<double>(20, 1100, 33);
}
// Parts with codings of their own, rows in groups, and matrices of a stack.
TEST(codes, of_fused_matrices) {
  const auto NR = static_cast<std::int64_t>(simd::panel_width<float>());
  coded_tensors source;
  source.add("q", 3 * NR, 160, codings(32)["integers with zero points"], dtype::f32, 1);
  source.add("k", 2 * NR, 160, codings(16)["scaled twice"], dtype::f32, 2);
  source.add("v", 2 * NR + 5, 160, codings(16)["scaled twice"], dtype::f32, 3);
  const std::int64_t q = 3 * NR, k = 2 * NR, v = 2 * NR + 5;
  const linear_plan turned{160,
                           {{"q", "", q - 4, q, 4, q, q},
                            {"q", "", 4, q, 0, 4, 4},
                            {"k", "", k / 2, k, 1, 1, 2},
                            {"k", "", k / 2, k, 0, 1, 2},
                            {"v", "", v - 1, v, 1, v, v}}};
  const auto held = pack<float>(cpu_executor{2}, source, turned),
             wide = pack<float>(cpu_executor{2}, plain_tensors{source}, turned);
  EXPECT_EQ(held.in_codes.size(), 2u);
  EXPECT_EQ(product(held, 13, 2), product(wide, 13, 2));

  const linear_plan apart{160, {{"q", "", q - 4, q, 4, q, q}, {"k", "", k, k, 0, k, k}}};
  EXPECT_TRUE(pack<float>(cpu_executor{2}, source, apart).in_codes.empty()) << "codings share a panel";
  EXPECT_EQ(product(pack<float>(cpu_executor{2}, source, apart), 13, 2),
            product(pack<float>(cpu_executor{2}, plain_tensors{source}, apart), 13, 2));

  linear_plan expert{160, {{"q", "", NR, NR, 0, NR, NR}}};
  expert.parts[0].slices = 3, expert.parts[0].slice = 2;
  const linear_plan rows{160, {{"q", "", NR, q, 2 * NR, NR, NR}}};
  const auto third = pack<float>(cpu_executor{2}, source, expert);
  EXPECT_EQ(third.in_codes.size(), 1u);
  EXPECT_EQ(product(third, 7, 1), product(pack<float>(cpu_executor{1}, plain_tensors{source}, rows), 7, 1));
}
TEST(codes, that_save_little_are_decoded) {
  coded_tensors source; // 28 bits a weight, then 16
  source.add("w", 64, 64, codings(1)["integers with zero points"], dtype::f32);
  EXPECT_TRUE(pack<float>(cpu_executor{1}, source, whole(64, 64)).in_codes.empty());
  source.add("w", 64, 64, codings(2)["integers with zero points"], dtype::f32);
  EXPECT_FALSE(pack<float>(cpu_executor{1}, source, whole(64, 64)).in_codes.empty());
}
TEST(codes, that_are_no_number_are_refused) {
  coding how = codings(16)["a large table"];
  how.table[77] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(how, how) << "a table with NaN is the same table";
  coded_tensors source;
  source.add("w", 40, 64, how, dtype::f32);
  std::vector<std::uint8_t> codes(40 * 64);
  source.read_coded("w").codes(0, 40, codes.data());
  const auto first = std::find(codes.begin(), codes.end(), 77) - codes.begin();
  ASSERT_LT(first, 40 * 64);
  EXPECT_MESSAGE(pack<float>(cpu_executor{1}, source, whole(40, 64)),
                 "tensor w: expected finite weights, got NaN or infinity at element " + std::to_string(first));
}
TEST(codes, numbers_that_a_type_does_not_hold_are_no_rounding) {
  coded_panels panels({.bits = 4, .group = 8, .scale = dtype::f16}, 8, 4, 1);
  arena room;
  panels.take_memory(room);
  panels.write_numbers(0, 0, 0, {.scale = 0.5});
  EXPECT_THROW(panels.write_numbers(0, 0, 0, {.scale = 0.1}), contract_error);
}
