// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/Overlap.h"
#include "gtest/gtest.h"
#include <random>
#include <set>
#include <vector>

using namespace rapt;

namespace {

struct View {
  int64_t address, elementBytes;
  std::vector<int64_t> sizes, strides;
  Footprint get() const { return {address, elementBytes, sizes, strides}; }
};

/// Every byte of the view, in order.
std::multiset<int64_t> listBytes(const View &view) {
  std::multiset<int64_t> offsets{view.address};
  for (size_t d = 0; d < view.sizes.size(); ++d) {
    std::multiset<int64_t> next;
    for (int64_t offset : offsets)
      for (int64_t n = 0; n < view.sizes[d]; ++n)
        next.insert(offset + n * view.strides[d] * view.elementBytes);
    offsets = next;
  }
  std::multiset<int64_t> bytes;
  for (int64_t offset : offsets)
    for (int64_t n = 0; n < view.elementBytes; ++n)
      bytes.insert(offset + n);
  return bytes;
}

TEST(Overlap, SpanIsFromTheFirstByteToTheLast) {
  View view{1000, 4, {2, 3}, {10, 2}};
  int64_t bytes = 0;
  ASSERT_TRUE(view.get().getSpan(bytes));
  EXPECT_EQ(bytes, (10 + 4 + 1) * 4);
  View huge{0, 4, {3, 3}, {INT64_MAX / 2, INT64_MAX / 2}};
  EXPECT_FALSE(huge.get().getSpan(bytes));
}

TEST(Overlap, SeparateAndEqual) {
  View a{0, 4, {8}, {1}}, behind{32, 4, {8}, {1}}, within{28, 4, {8}, {1}};
  EXPECT_FALSE(mayOverlap(a.get(), behind.get()));
  EXPECT_FALSE(mayOverlap(behind.get(), a.get()));
  EXPECT_TRUE(mayOverlap(a.get(), within.get()));
  EXPECT_TRUE(mayOverlap(a.get(), a.get()));
}

// q, k and v of one tensor [tokens, 3, heads, dim], and heads of one tensor.
TEST(Overlap, PartsOfAPackedTensor) {
  constexpr int64_t heads = 4, dim = 16, tokens = 10, row = 3 * heads * dim;
  auto part = [&](int64_t which) {
    return View{
        which * heads * dim * 2, 2, {heads, tokens, dim}, {dim, row, 1}};
  };
  EXPECT_FALSE(mayOverlap(part(0).get(), part(1).get()));
  EXPECT_FALSE(mayOverlap(part(2).get(), part(0).get()));
  EXPECT_TRUE(mayOverlap(part(1).get(), part(1).get()));
  View shifted = part(1);
  shifted.address -= 2;
  EXPECT_TRUE(mayOverlap(part(0).get(), shifted.get()));
}

TEST(Overlap, OfItself) {
  EXPECT_FALSE(mayOverlapItself(View{0, 4, {2, 3, 4}, {12, 4, 1}}.get()));
  EXPECT_FALSE(mayOverlapItself(View{0, 4, {3, 2, 4}, {4, 12, 1}}.get()));
  EXPECT_FALSE(mayOverlapItself(View{0, 4, {1, 4}, {0, 1}}.get()));
  EXPECT_TRUE(mayOverlapItself(View{0, 4, {2, 4}, {0, 1}}.get()));
  EXPECT_TRUE(mayOverlapItself(View{0, 4, {2, 4}, {3, 1}}.get()));
}

// Whatever is called apart has no byte in common.
TEST(Overlap, NeverMissesAnOverlap) {
  std::mt19937 random(1);
  auto below = [&](int64_t limit) { return int64_t(random() % limit); };
  int64_t apart = 0;
  for (int round = 0; round < 20000; ++round) {
    View views[2];
    for (View &view : views) {
      view.address = below(40);
      view.elementBytes = int64_t(1) << below(3);
      for (int64_t d = below(4); d-- > 0;) {
        view.sizes.push_back(1 + below(3));
        view.strides.push_back(below(13));
      }
    }
    std::multiset<int64_t> first = listBytes(views[0]),
                           second = listBytes(views[1]);
    if (!mayOverlap(views[0].get(), views[1].get())) {
      ++apart;
      for (int64_t byte : first)
        ASSERT_EQ(second.count(byte), 0u) << "round " << round;
    }
    if (!mayOverlapItself(views[0].get()))
      for (int64_t byte : first)
        ASSERT_EQ(first.count(byte), 1u) << "round " << round;
  }
  EXPECT_GT(apart, 1000);
}

} // namespace
