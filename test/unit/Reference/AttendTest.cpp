// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The Reference against loops written from the formulas.

#include "SpecFixture.h"
#include "lib/Reference/Philox.h"
#include <cmath>

using namespace rapt::reference;
using rapt::support::ElementType;

namespace {

using AttendTest = SpecFixture;

const char *const kCausal = R"(
  %m = arith.cmpi sge, %i, %j : i32
  attn.yield %m : i1)";
bool isCausal(SpecFixture::Pair p) { return p.i >= p.j; }

TEST_F(AttendTest, FullGroupedHeads) {
  makeTensors();
  check({});
}

TEST_F(AttendTest, CausalFewerQueriesThanKeys) {
  makeTensors();
  mask = kCausal;
  check({.mask = isCausal});
}

TEST_F(AttendTest, RowsWithoutPairs) {
  queries = 9; // the first two queries stand before key 0
  keys = 7;
  makeTensors();
  mask = kCausal;
  AttnEvaluator evaluator = create(getSpec());
  for (const Row &row : evaluator.evaluateRows({{0, 0, 0}, {1, 3, 1}})) {
    EXPECT_EQ(row.out, std::vector<double>(vdim, 0.0));
    EXPECT_EQ(row.lse, -std::numeric_limits<double>::infinity());
    EXPECT_EQ(row.keptPairs, 0);
    EXPECT_EQ(row.scale, 0);
  }
  EXPECT_EQ(evaluator.countPairs({{0, 0, 1}, {0, 0, 2}, {0, 0, 8}}),
            (std::vector<int64_t>{0, 1, 7}));
}

TEST_F(AttendTest, WindowWithFirstTokens) {
  queries = 12;
  keys = 12;
  makeTensors();
  mask = R"(
    %c3 = arith.constant 3 : i32
    %c2 = arith.constant 2 : i32
    %d = arith.subi %i, %j : i32
    %near = arith.cmpi slt, %d, %c3 : i32
    %first = arith.cmpi slt, %j, %c2 : i32
    %either = arith.ori %near, %first : i1
    %past = arith.cmpi sge, %i, %j : i32
    %m = arith.andi %either, %past : i1
    attn.yield %m : i1)";
  check({.mask = [](Pair p) {
    return p.i >= p.j && (p.i - p.j < 3 || p.j < 2);
  }});
}

TEST_F(AttendTest, SlopesOfHeads) {
  makeTensors();
  const OwnedTensor slopes =
      addCapture("slopes", R"("heads")", ElementType::F32, {heads});
  score = R"(
    %slope = attn.read %c0[%h] : (tensor<?xf32>, i32) -> f32
    %d = arith.subi %i, %j : i32
    %r = arith.sitofp %d : i32 to f32
    %bias = arith.mulf %slope, %r : f32
    %s = arith.subf %dot, %bias : f32
    attn.yield %s : f32)";
  check({.score = [&](Pair p) {
    return p.dot - slopes.at({p.h}) * static_cast<double>(p.i - p.j);
  }});
}

TEST_F(AttendTest, GroupSlopesThroughShare) {
  makeTensors();
  const OwnedTensor slopes =
      addCapture("slopes", R"("groups")", ElementType::F32, {2});
  score = R"(
    %g = attn.share %h in %c0[0] : tensor<?xf32>
    %slope = attn.read %c0[%g] : (tensor<?xf32>, i32) -> f32
    %s = arith.mulf %dot, %slope : f32
    attn.yield %s : f32)";
  check({.score = [&](Pair p) { return p.dot * slopes.at({p.h / 2}); }});
}

TEST_F(AttendTest, ReadsOutsideAreZero) {
  makeTensors();
  const OwnedTensor bias = addCapture("bias", R"("heads","offsets")",
                                      ElementType::F16, {heads, 4}, 1);
  score = R"(
    %d = arith.subi %i, %j : i32
    %r = attn.read %c0[%h, %d] : (tensor<?x4xf16>, i32, i32) -> f32
    %s = arith.addf %dot, %r : f32
    attn.yield %s : f32)";
  check({.score = [&](Pair p) {
    int64_t d = p.i - p.j;
    return p.dot + (d >= 0 && d < 4 ? bias.at({p.h, d}) : 0);
  }});
}

TEST_F(AttendTest, DocumentIds) {
  makeTensors();
  OwnedTensor &doc =
      addCapture("doc", R"("batch","keys")", ElementType::I32, {batch, keys});
  for (int64_t n = 0; n < batch * keys; ++n)
    doc.set(n, (n * 5) % 3);
  mask = R"(
    %x = attn.read %c0[%b, %i] : (tensor<?x?xi32>, i32, i32) -> i32
    %y = attn.read %c0[%b, %j] : (tensor<?x?xi32>, i32, i32) -> i32
    %m = arith.cmpi eq, %x, %y : i32
    attn.yield %m : i1)";
  check({.mask = [&](Pair p) {
    return doc.at({p.b, p.i}) == doc.at({p.b, p.j});
  }});
}

TEST_F(AttendTest, BooleanCaptureAndNarrowIntegers) {
  makeTensors();
  addCapture("full", R"("heads")", ElementType::Boolean, {heads});
  addCapture("low", R"("heads")", ElementType::I8, {heads});
  OwnedTensor &full = tensors[3], &low = tensors[4];
  full.data = {1, 0, 0, 1};
  low.data = {-1, 2, 3, -128};
  mask = R"(
    %f = attn.read %c0[%h] : (tensor<?xi1>, i32) -> i1
    %n = attn.read %c1[%h] : (tensor<?xi8>, i32) -> i32
    %near = arith.cmpi sge, %j, %n : i32
    %m = arith.ori %f, %near : i1
    attn.yield %m : i1)";
  check(
      {.mask = [&](Pair p) { return full.at({p.h}) || p.j >= low.at({p.h}); }});
}

TEST_F(AttendTest, Dropout) {
  makeTensors();
  OwnedTensor &seed = addCapture("seed", "", ElementType::I64, {});
  int64_t seedValue = 0x123456789abcdef;
  std::memcpy(seed.data.data(), &seedValue, 8);
  factor = R"(
    %key = attn.read %c0[] : (tensor<i64>) -> i64
    %u = attn.uniform %key at %b, %h, %i, %j
    %p = arith.constant 2.500000e-01 : f32
    %zero = arith.constant 0.000000e+00 : f32
    %keep = arith.constant 2.000000e+00 : f32
    %drop = arith.cmpf olt, %u, %p : f32
    %f = arith.select %drop, %zero, %keep : f32
    attn.yield %f : f32)";
  check({.factor = [&](Pair p) {
    auto word = [](int64_t x) { return static_cast<uint32_t>(x); };
    uint32_t w = philox4x32({word(p.b), word(p.h), word(p.i), word(p.j)},
                            {0x89abcdef, 0x01234567})[0];
    return (w >> 8) / 16777216.0 < 0.25 ? 0.0 : 2.0;
  }});
}

TEST_F(AttendTest, SinkOfHeads) {
  makeTensors();
  const OwnedTensor logits =
      addCapture("logits", R"("heads")", ElementType::F32, {heads});
  mask = kCausal;
  sink = R"(
    %s = attn.read %c0[%h] : (tensor<?xf32>, i32) -> f32
    attn.yield %s : f32)";
  check({.mask = isCausal, .sink = [&](Pair p) { return logits.at({p.h}); }});

  queries = 8; // a row without pairs: 0, and lse is the sink
  makeTensors();
  captureFeatures.clear();
  addCapture("logits", R"("heads")", ElementType::F32, {heads});
  Row row = create(getSpec()).evaluateRows({{0, 2, 0}})[0];
  EXPECT_EQ(row.out, std::vector<double>(vdim, 0.0));
  EXPECT_EQ(row.lse, tensors[3].at({2}));
}

TEST_F(AttendTest, PointwiseSum) {
  makeTensors();
  reduction = "sum";
  score = R"(
    %n = attn.length keys
    %r = arith.sitofp %n : i32 to f32
    %s = arith.divf %dot, %r : f32
    attn.yield %s : f32)";
  mask = kCausal;
  check({.score = [&](Pair p) { return p.dot / static_cast<double>(keys); },
         .mask = isCausal});
}

TEST_F(AttendTest, RatioWithEpsilon) {
  makeTensors();
  reduction = "ratio epsilon 1.250000e-01";
  score = R"(
    %s = arith.mulf %dot, %dot : f32
    attn.yield %s : f32)";
  mask = kCausal;
  check({.score = [](Pair p) { return p.dot * p.dot; },
         .mask = isCausal,
         .epsilon = 0.125});
}

TEST_F(AttendTest, MaskThatReadsTheProduct) {
  makeTensors();
  mask = R"(
    %zero = arith.constant 0.000000e+00 : f32
    %m = arith.cmpf ogt, %dot, %zero : f32
    attn.yield %m : i1)";
  check({.mask = [](Pair p) { return p.dot > 0; }});
}

TEST_F(AttendTest, MaskedPairsContributeNothing) {
  makeTensors();
  mask = kCausal;
  double nan = std::numeric_limits<double>::quiet_NaN();
  // Key 5 of every head is a NaN; queries see it from position 5 on.
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t g = 0; g < kvHeads; ++g)
      tensors[1].set(((b * kvHeads + g) * keys + 5) * dim, nan);
  AttnEvaluator evaluator = create(getSpec());
  for (const Row &row : evaluator.evaluateRows({{0, 0, 0}, {1, 2, 2}})) {
    for (double x : row.out)
      EXPECT_TRUE(std::isfinite(x));
    EXPECT_TRUE(std::isfinite(row.lse));
  }
  for (const Row &row : evaluator.evaluateRows({{0, 0, 3}, {1, 2, 4}})) {
    for (double x : row.out)
      EXPECT_TRUE(std::isnan(x));
    EXPECT_TRUE(std::isnan(row.lse));
  }
}

TEST_F(AttendTest, LargeScoresDoNotOverflow) {
  makeTensors();
  score = R"(
    %c = arith.constant 5.000000e+02 : f32
    %s = arith.mulf %dot, %c : f32
    attn.yield %s : f32)";
  Row row = create(getSpec()).evaluateRows({{0, 1, 2}})[0];
  for (double x : row.out)
    EXPECT_TRUE(std::isfinite(x));
}

TEST_F(AttendTest, StridedViews) {
  makeTensors();
  mask = kCausal;
  std::vector<RowIndex> rows = allRows();
  std::vector<Row> expected = create(getSpec()).evaluateRows(rows);
  // The same k as [batch, keys, kv_heads, dim] in memory, seen through strides.
  OwnedTensor swapped("k", "", type, {batch, keys, kvHeads, dim});
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t n = 0; n < keys; ++n)
      for (int64_t g = 0; g < kvHeads; ++g)
        for (int64_t d = 0; d < dim; ++d)
          swapped.set(((b * keys + n) * kvHeads + g) * dim + d,
                      tensors[1].at({b, g, n, d}));
  std::vector<NamedTensor> named = getNamed();
  named[1].view = {swapped.data.data(),
                   type,
                   {batch, kvHeads, keys, dim},
                   {keys * kvHeads * dim, dim, kvHeads * dim, 1}};
  auto module = mlir::parseSourceString<mlir::ModuleOp>(getSpec(), &context);
  ASSERT_TRUE(module);
  auto evaluator = llvm::cantFail(
      AttnEvaluator::create(*module->getOps<mlir::func::FuncOp>().begin(),
                            named, Precision::Exact, 1));
  std::vector<Row> found = evaluator.evaluateRows(rows);
  for (size_t r = 0; r < rows.size(); ++r)
    EXPECT_EQ(found[r].out, expected[r].out);
}

TEST_F(AttendTest, ThreadsDoNotChangeResults) {
  queries = keys = 100;
  makeTensors();
  mask = kCausal;
  std::vector<RowIndex> rows = allRows();
  std::vector<Row> one =
      create(getSpec(), Precision::Exact, 1).evaluateRows(rows);
  std::vector<Row> four =
      create(getSpec(), Precision::Exact, 4).evaluateRows(rows);
  for (size_t r = 0; r < rows.size(); ++r) {
    EXPECT_EQ(one[r].out, four[r].out);
    EXPECT_EQ(one[r].lse, four[r].lse);
  }
}

/// The plain implementation differs from the exact one by what its types allow,
/// and its results can be written in the result's type.
TEST_F(AttendTest, RoundedResults) {
  for (ElementType narrow :
       {ElementType::F32, ElementType::BF16, ElementType::F16}) {
    type = narrow;
    queries = keys = 40;
    dim = 16;
    makeTensors();
    mask = kCausal;
    std::vector<RowIndex> rows = allRows();
    std::vector<Row> exact = create(getSpec()).evaluateRows(rows);
    std::vector<Row> plain =
        create(getSpec(), Precision::Rounded).evaluateRows(rows);
    double largest = 0;
    for (size_t r = 0; r < rows.size(); ++r)
      for (int64_t e = 0; e < vdim; ++e) {
        double value = plain[r].out[e];
        EXPECT_EQ(value, rapt::support::roundTo(narrow, value));
        largest = std::max(largest,
                           std::abs(value - exact[r].out[e]) / exact[r].scale);
      }
    EXPECT_GT(largest, 0);
    EXPECT_LT(largest, 32 * 0x1p-24 + rapt::support::getUnitRoundoff(narrow));
  }
}

} // namespace
