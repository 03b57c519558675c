// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Masks alone against the formula and against the evaluation of whole rows.

#include "lib/Reference/MaskEvaluator.h"
#include "SpecFixture.h"

using rapt::support::ElementType;

namespace rapt::reference {
namespace {

struct MaskEvaluatorTest : SpecFixture {
  /// Parses the spec; the tensors called `without` have no data.
  llvm::Expected<MaskEvaluator> make(std::vector<std::string> without = {}) {
    module = mlir::parseSourceString<mlir::ModuleOp>(getSpec(), &context);
    if (!module)
      return llvm::createStringError("the text does not parse");
    std::vector<NamedTensor> named = getNamed();
    for (NamedTensor &tensor : named)
      if (llvm::is_contained(without, tensor.name))
        tensor.view.data = nullptr;
    return MaskEvaluator::create(getFunction(), named);
  }
  mlir::func::FuncOp getFunction() {
    return *module->getOps<mlir::func::FuncOp>().begin();
  }
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(MaskEvaluatorTest, CountsRectanglesWithoutQueriesKeysAndValues) {
  makeTensors();
  OwnedTensor &doc =
      addCapture("doc", R"("batch","keys")", ElementType::I32, {batch, keys});
  for (int64_t n = 0; n < batch * keys; ++n)
    doc.set(n, (n * 5) % 3);
  mask = R"(
    %x = attn.read %c0[%b, %i] : (tensor<?x?xi32>, i32, i32) -> i32
    %y = attn.read %c0[%b, %j] : (tensor<?x?xi32>, i32, i32) -> i32
    %same = arith.cmpi eq, %x, %y : i32
    %past = arith.cmpi sge, %i, %j : i32
    %m = arith.andi %same, %past : i1
    attn.yield %m : i1)";
  auto masks = make({"q", "k", "v"});
  ASSERT_TRUE(bool(masks)) << llvm::toString(masks.takeError());
  ASSERT_EQ(masks->getLoops().size(), 1u);
  const MaskedLoop &loop = masks->getLoops().front();
  EXPECT_TRUE(loop.hasMask);
  EXPECT_TRUE(loop.isKnown);
  EXPECT_EQ(loop.getPairs(), double(batch * heads * queries * keys));
  EXPECT_EQ(getMaskArguments(getFunction()), std::vector<std::string>{"doc"});

  auto keeps = [&](int64_t b, int64_t row, int64_t j) {
    int64_t i = row + keys - queries;
    return i >= j && doc.at({b, i}) == doc.at({b, j});
  };
  std::vector<PairRectangle> rectangles;
  std::vector<int64_t> expected;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t r0 = 0; r0 < queries; ++r0)
      for (int64_t r1 = r0; r1 <= queries; ++r1)
        for (int64_t j0 = 0; j0 < keys; j0 += 2) {
          rectangles.push_back({b, 1, r0, r1, j0, keys});
          int64_t count = 0;
          for (int64_t row = r0; row < r1; ++row)
            for (int64_t j = j0; j < keys; ++j)
              count += keeps(b, row, j);
          expected.push_back(count);
        }
  EXPECT_EQ(masks->countPairs(0, rectangles, 2), expected);

  std::vector<bool> pairs = masks->getPairs(0, {1, 0, 1, 4, 2, 5});
  ASSERT_EQ(pairs.size(), 9u);
  for (int64_t n = 0; n < 9; ++n)
    EXPECT_EQ(pairs[n], keeps(1, 1 + n / 3, 2 + n % 3)) << n;

  // The same as the rows say.
  std::vector<PairRectangle> rows;
  for (RowIndex row : allRows())
    rows.push_back({row.b, row.h, row.i, row.i + 1, 0, keys});
  EXPECT_EQ(masks->countPairs(0, rows),
            create(getSpec()).countPairs(allRows()));
}

TEST_F(MaskEvaluatorTest, AMaskOfProductsIsNotKnown) {
  makeTensors();
  mask = R"(
    %zero = arith.constant 0.0 : f32
    %m = arith.cmpf ogt, %dot, %zero : f32
    attn.yield %m : i1)";
  auto masks = make();
  ASSERT_TRUE(bool(masks)) << llvm::toString(masks.takeError());
  EXPECT_FALSE(masks->getLoops().front().isKnown);
  EXPECT_TRUE(getMaskArguments(getFunction()).empty());
}

TEST_F(MaskEvaluatorTest, AMaskOfATensorWithoutDataIsNotKnown) {
  makeTensors();
  addCapture("x", R"("batch","keys")", ElementType::F32, {batch, keys});
  mask = R"(
    %half = arith.constant 0.5 : f32
    %xj = attn.read %c0[%b, %j] : (tensor<?x?xf32>, i32, i32) -> f32
    %m = arith.cmpf ogt, %xj, %half : f32
    attn.yield %m : i1)";
  auto masks = make({"x"});
  ASSERT_TRUE(bool(masks)) << llvm::toString(masks.takeError());
  EXPECT_FALSE(masks->getLoops().front().isKnown);
  masks = make();
  ASSERT_TRUE(bool(masks)) << llvm::toString(masks.takeError());
  EXPECT_TRUE(masks->getLoops().front().isKnown);
  EXPECT_EQ(getMaskArguments(getFunction()), std::vector<std::string>{"x"});
}

TEST_F(MaskEvaluatorTest, WithoutAMaskEveryPairIsKept) {
  makeTensors();
  auto masks = make({"q", "k", "v"});
  ASSERT_TRUE(bool(masks)) << llvm::toString(masks.takeError());
  EXPECT_FALSE(masks->getLoops().front().hasMask);
  EXPECT_EQ(masks->countPairs(0, {{0, 0, 1, 4, 2, 7}}),
            std::vector<int64_t>{15});
  EXPECT_EQ(masks->getPairs(0, {0, 0, 0, 2, 0, 2}), std::vector<bool>(4, true));
}

} // namespace
} // namespace rapt::reference
