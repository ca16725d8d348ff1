#include "llmap/core/matrix.hpp"
#include "support/message_of.hpp"
#include <gtest/gtest.h>

using namespace llmap;

TEST(matrix, is_a_value) {
  matrix<double> a{{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(a.rows(), 2u);
  EXPECT_EQ(a.cols(), 3u);
  EXPECT_EQ(a(1, 0), 4);
  matrix<double> b = a;
  b(1, 0) = 7;
  EXPECT_EQ(a(1, 0), 4);
  EXPECT_FALSE(a == b);
  a = b;
  EXPECT_EQ(a, b);
  const double* place = a.data();
  const matrix<double> c = std::move(a);
  EXPECT_EQ(c.data(), place);
  EXPECT_EQ(c, b);
  EXPECT_TRUE(a.empty() && a.rows() == 0 && a.cols() == 0);
  EXPECT_FALSE(matrix<double>(1, 6, 0) == matrix<double>(6, 1, 0)); // equal numbers, another shape
}

TEST(matrix, copies_views_with_their_stride_and_rounds_to_narrower_types) {
  const matrix<double> a{{1, 2, 1.0 / 3}, {4, 5, 6}};
  EXPECT_EQ(matrix<double>(a.view().column_range(1, 2)), (matrix<double>{{2, 1.0 / 3}, {5, 6}}));
  EXPECT_EQ(matrix<float>(a.view())(0, 2), 1.0f / 3);
  EXPECT_EQ(transposed(a.view().column_range(1, 2)), (matrix<double>{{2, 5}, {1.0 / 3, 6}}));
}

TEST(matrix, refuses_shapes_that_no_memory_holds) {
  EXPECT_MESSAGE(matrix<double>(static_cast<std::size_t>(1) << 40, static_cast<std::size_t>(1) << 40), "out of memory");
  EXPECT_THROW((matrix<double>{{1, 2}, {3}}), contract_error);
}
