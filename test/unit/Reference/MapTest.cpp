// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Maps, computed captures and whole specs of several operations; and the errors
// of binding tensors.

#include "SpecFixture.h"
#include <cmath>

using namespace rapt::reference;
using rapt::support::ElementType;

namespace {

struct MapTest : SpecFixture {
  /// A map over queries or keys of one row operand, without captures.
  static std::string getMap(std::string result, std::string side,
                            std::string heads, std::string row,
                            std::string rowType, std::string insideType,
                            std::string body, std::string resultType) {
    return "%" + result + " = attn.map " + side + " shape(%B, %" + heads +
           ", %M, %N) rows(%" + row + ") : (index, index, index, index, " +
           rowType + ") -> " + resultType +
           " {\n^bb0(%b: i32, %h: i32, %n: i32, %position: i32, %x: " +
           insideType + "):\n" + body + "\n}\n";
  }
};

/// Rotary embedding of rows of 4 features: pairs (d, d + 2), angle position /
/// 10^d.
const char *const kRope = R"(
  %a = attn.slice %x from 0 : tensor<4xf32> -> tensor<2xf32>
  %c = attn.slice %x from 2 : tensor<4xf32> -> tensor<2xf32>
  %d = attn.feature : tensor<2xf32>
  %ten = arith.constant dense<1.000000e+01> : tensor<2xf32>
  %base = math.powf %ten, %d : tensor<2xf32>
  %p = arith.sitofp %position : i32 to f32
  %ps = attn.splat %p : f32 -> tensor<2xf32>
  %angle = arith.divf %ps, %base : tensor<2xf32>
  %cos = math.cos %angle : tensor<2xf32>
  %sin = math.sin %angle : tensor<2xf32>
  %ac = arith.mulf %a, %cos : tensor<2xf32>
  %cs = arith.mulf %c, %sin : tensor<2xf32>
  %as = arith.mulf %a, %sin : tensor<2xf32>
  %cc = arith.mulf %c, %cos : tensor<2xf32>
  %low = arith.subf %ac, %cs : tensor<2xf32>
  %high = arith.addf %as, %cc : tensor<2xf32>
  %y = attn.concat %low, %high : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  attn.yield %y : tensor<4xf32>)";

TEST_F(MapTest, RopeOnQueriesAndKeys) {
  dim = 4;
  makeTensors();
  mask = R"(
    %m = arith.cmpi sge, %i, %j : i32
    attn.yield %m : i1)";
  std::string type = "tensor<?x?x?x4xf32>";
  std::string text = getSpec(
      getExtents() + "%G = attn.axis \"kv_heads\"\n" +
          getMap("rq", "queries", "H", "q", type, "tensor<4xf32>", kRope,
                 type) +
          getMap("rk", "keys", "G", "k", type, "tensor<4xf32>", kRope, type) +
          getAttend("%rq", "%rk") + "return %o, %l : " + getResultType() +
          ", tensor<?x?x?xf32>",
      getResultType() + ", tensor<?x?x?xf32>");
  std::vector<Row> found = create(text).evaluateRows(allRows());

  // The same rotation on the tensors themselves, then plain attention.
  auto rotate = [&](OwnedTensor &tensor, int64_t rows, int64_t shift) {
    OwnedTensor wide(tensor.name, tensor.axes, ElementType::F64, tensor.sizes);
    for (int64_t r = 0; r < tensor.count() / 4; ++r)
      for (int64_t d = 0; d < 2; ++d) {
        double angle = static_cast<double>(r % rows + shift) / std::pow(10, d);
        double a =
            rapt::support::loadReal(tensor.type, tensor.data.data(), r * 4 + d);
        double c = rapt::support::loadReal(tensor.type, tensor.data.data(),
                                           r * 4 + d + 2);
        wide.set(r * 4 + d, a * std::cos(angle) - c * std::sin(angle));
        wide.set(r * 4 + d + 2, a * std::sin(angle) + c * std::cos(angle));
      }
    tensor = wide;
  };
  rotate(tensors[0], queries, keys - queries);
  rotate(tensors[1], keys, 0);
  std::vector<RowIndex> rows = allRows();
  for (size_t r = 0; r < rows.size(); ++r)
    expectRow(found[r],
              bruteForce({.mask = [](Pair p) { return p.i >= p.j; }}, rows[r]),
              rows[r], 1e-6); // the angles of the f32 constant 10 are exact
}

/// Queries that are fewer than keys take positions at the end; a map over
/// queries gets its own number and that position.
TEST_F(MapTest, NumbersAndPositions) {
  makeTensors();
  std::string text =
      getSpec(getExtents() +
                  getMap("o", "queries", "H", "q", "tensor<?x?x?x3xf32>",
                         "tensor<3xf32>", R"(
        %0 = arith.sitofp %b : i32 to f32
        %1 = arith.sitofp %h : i32 to f32
        %2 = arith.sitofp %n : i32 to f32
        %3 = arith.sitofp %position : i32 to f32
        %r0 = attn.splat %0 : f32 -> tensor<1xf32>
        %r1 = attn.splat %1 : f32 -> tensor<1xf32>
        %r2 = attn.splat %2 : f32 -> tensor<1xf32>
        %r3 = attn.splat %3 : f32 -> tensor<1xf32>
        %sum = attn.reduce add %x : (tensor<3xf32>) -> f32
        %r4 = attn.splat %sum : f32 -> tensor<1xf32>
        %y = attn.concat %r0, %r1, %r2, %r3, %r4 : (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<5xf32>
        attn.yield %y : tensor<5xf32>)",
                         "tensor<?x?x?x5xf32>") +
                  "return %o : tensor<?x?x?x5xf32>",
              "tensor<?x?x?x5xf32>");
  AttnEvaluator evaluator = create(text);
  EXPECT_FALSE(evaluator.hasLse());
  Row row = evaluator.evaluateRows({{1, 3, 2}})[0];
  const OwnedTensor &q = tensors[0];
  EXPECT_EQ(row.out,
            (std::vector<double>{1, 3, 2, 4,
                                 q.at({1, 3, 2, 0}) + q.at({1, 3, 2, 1}) +
                                     q.at({1, 3, 2, 2})}));
}

/// out = gate * attend: the gate carries over to the scale.
TEST_F(MapTest, MapAfterAttend) {
  makeTensors();
  std::string result = getResultType();
  std::string body = R"(
      %c = arith.constant dense<-8.000000e+00> : tensor<5xf32>
      %y = arith.mulf %x, %c : tensor<5xf32>
      attn.yield %y : tensor<5xf32>)";
  std::string text =
      getSpec(getExtents() + getAttend() +
                  getMap("p", "queries", "H", "o", result, "tensor<5xf32>",
                         body, result) +
                  "return %p, %l : " + result + ", tensor<?x?x?xf32>",
              result + ", tensor<?x?x?xf32>");
  std::vector<Row> found = create(text).evaluateRows(allRows());
  std::vector<RowIndex> rows = allRows();
  for (size_t r = 0; r < rows.size(); ++r) {
    Row expected = bruteForce({}, rows[r]);
    for (double &value : expected.out)
      value *= -8;
    expectRow(found[r], expected, rows[r]);
    EXPECT_NEAR(found[r].scale, 8 * expected.scale, 1e-9);
  }
}

/// k of the previous position, through a captured map: shift(k * k, 1).
TEST_F(MapTest, CapturedMap) {
  makeTensors();
  std::string type = "tensor<?x?x?x3xf32>";
  std::string square = R"(
      %y = arith.mulf %x, %x : tensor<3xf32>
      attn.yield %y : tensor<3xf32>)";
  std::string shift = R"(
    %s = attn.map keys shape(%B, %G, %M, %N) rows(%k) captures(%kk)
      : (index, index, index, index, tensor<?x?x?x3xf32>, tensor<?x?x?x3xf32>) -> tensor<?x?x?x3xf32> {
    ^bb0(%b: i32, %h: i32, %n: i32, %p: i32, %x: tensor<3xf32>, %t: tensor<?x?x?x3xf32>):
      %c1 = arith.constant 1 : i32
      %before = arith.subi %n, %c1 : i32
      %y = attn.read %t[%b, %h, %before] : (tensor<?x?x?x3xf32>, i32, i32, i32) -> tensor<3xf32>
      attn.yield %y : tensor<3xf32>
    }
  )";
  std::string text = getSpec(
      getExtents() + "%G = attn.axis \"kv_heads\"\n" +
          getMap("kk", "keys", "G", "k", type, "tensor<3xf32>", square, type) +
          shift + getAttend("%q", "%s") + "return %o, %l : " + getResultType() +
          ", tensor<?x?x?xf32>",
      getResultType() + ", tensor<?x?x?xf32>");
  std::vector<RowIndex> rows = allRows();
  std::vector<Row> found = create(text).evaluateRows(rows);
  OwnedTensor before = tensors[1];
  for (int64_t r = 0; r < before.count() / 3; ++r)
    for (int64_t d = 0; d < 3; ++d) {
      double k = r % keys == 0
                     ? 0
                     : rapt::support::loadReal(before.type, before.data.data(),
                                               (r - 1) * 3 + d);
      tensors[1].set(r * 3 + d, k * k);
    }
  for (size_t r = 0; r < rows.size(); ++r)
    expectRow(found[r], bruteForce({}, rows[r]), rows[r], 1e-6);
}

/// Keys made by a matrix for each head from rows without a head axis.
TEST_F(MapTest, LatentKeysThroughUnsqueeze) {
  makeTensors();
  const OwnedTensor latent = addCapture("latent", R"("batch","keys","rank")",
                                        ElementType::F32, {batch, keys, 6}, 1);
  const OwnedTensor w = addCapture("w", R"("heads","dim","rank")",
                                   ElementType::F32, {heads, dim, 6}, 2);
  std::string text = getSpec(getExtents() + R"(
      %l4 = attn.unsqueeze %latent at 1 : tensor<?x?x6xf32> -> tensor<?x1x?x6xf32>
      %wk = attn.map keys shape(%B, %H, %M, %N) rows(%l4) captures(%w)
        : (index, index, index, index, tensor<?x1x?x6xf32>, tensor<?x3x6xf32>) -> tensor<?x?x?x3xf32> {
      ^bb0(%b: i32, %h: i32, %n: i32, %p: i32, %x: tensor<6xf32>, %t: tensor<?x3x6xf32>):
        %m = attn.read %t[%h] : (tensor<?x3x6xf32>, i32) -> tensor<3x6xf32>
        %y = attn.matvec %m, %x : (tensor<3x6xf32>, tensor<6xf32>) -> tensor<3xf32>
        attn.yield %y : tensor<3xf32>
      }
      %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%wk) values(%v)
        : (index, index, index, index, tensor<?x?x?x3xf32>, tensor<?x?x?x3xf32>, tensor<?x?x?x5xf32>) -> (tensor<?x?x?x5xf32>, tensor<?x?x?xf32>)
        score {
        ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
          attn.yield %dot : f32
        }
      return %o, %l : tensor<?x?x?x5xf32>, tensor<?x?x?xf32>)",
                             "tensor<?x?x?x5xf32>, tensor<?x?x?xf32>");
  std::vector<RowIndex> rows = allRows();
  std::vector<Row> found = create(text).evaluateRows(rows);
  for (size_t r = 0; r < rows.size(); ++r) {
    auto key = [&](Pair p) {
      double s = 0;
      for (int64_t d = 0; d < dim; ++d) {
        double k = 0;
        for (int64_t c = 0; c < 6; ++c)
          k += w.at({p.h, d, c}) * latent.at({p.b, p.j, c});
        s += tensors[0].at({p.b, p.h, p.row, d}) * k;
      }
      return s;
    };
    expectRow(found[r], bruteForce({.score = key}, rows[r]), rows[r]);
  }
}

/// Attention over the output of attention: the first is computed whole.
TEST_F(MapTest, AttendOfAttend) {
  queries = keys = 6;
  heads = kvHeads = 2;
  vdim = 3;
  makeTensors();
  std::string type = "tensor<?x?x?x3xf32>";
  std::string first = getAttend();
  std::string second = getAttend("%q", "%o");
  second.replace(0, 6, "%o2, %l2");
  ASSERT_EQ(second.rfind("%o2, %l2 = attn.attend", 0), 0u);
  std::string text =
      getSpec(getExtents() + first + second + "return %o2, %l2 : " + type +
                  ", tensor<?x?x?xf32>",
              type + ", tensor<?x?x?xf32>");
  std::vector<RowIndex> rows = allRows();
  std::vector<Row> found = create(text).evaluateRows(rows);
  OwnedTensor k("k", "", ElementType::F64, tensors[1].sizes);
  for (RowIndex row : rows) {
    Row values = bruteForce({}, row);
    for (int64_t e = 0; e < vdim; ++e)
      k.set(((row.b * heads + row.h) * keys + row.i) * vdim + e, values.out[e]);
  }
  tensors[1] = k;
  for (size_t r = 0; r < rows.size(); ++r)
    expectRow(found[r], bruteForce({}, rows[r]), rows[r]);
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

struct BindingTest : SpecFixture {
  std::string getError(const std::string &text) {
    auto evaluator = tryCreate(text);
    return evaluator ? "no error" : toString(evaluator.takeError());
  }
};

TEST_F(BindingTest, Tensors) {
  makeTensors();
  std::string text = getSpec();
  tensors[2].name = "w";
  EXPECT_EQ(getError(text), "no tensor is given for 'v'");

  makeTensors();
  tensors[1].type = ElementType::I32;
  EXPECT_EQ(getError(text), "'k' has element type i32, expected f32");

  makeTensors();
  tensors[0].sizes = {2, 4, 15};
  EXPECT_EQ(getError(text), "'q' has 3 dimensions, expected 4");

  makeTensors();
  tensors[0].sizes = {2, 4, 3, 5};
  EXPECT_EQ(getError(text), "'q' has extent 5 in dimension 3, expected 3");

  makeTensors();
  tensors[2].sizes[2] = 6;
  EXPECT_EQ(getError(text),
            "axis 'keys' has extent 6 in 'v', expected 7 as in 'k'");

  makeTensors();
  tensors[1].sizes[1] = tensors[2].sizes[1] = 8; // more than the heads of q
  EXPECT_EQ(getError(text), "an operand has 2 batches and 8 heads, expected at "
                            "most 2 and 4");
}

TEST_F(BindingTest, EmptyTensors) {
  batch = 0;
  makeTensors();
  EXPECT_EQ(create(getSpec()).getBatch(), 0);
  batch = 1;
  keys = 0; // every row is empty
  makeTensors();
  Row row = create(getSpec()).evaluateRows({{0, 3, 4}})[0];
  EXPECT_EQ(row.out, std::vector<double>(vdim, 0.0));
  EXPECT_EQ(row.lse, -std::numeric_limits<double>::infinity());
}

TEST_F(BindingTest, UnknownOperations) {
  makeTensors();
  score = R"(
    %x = arith.truncf %dot : f32 to bf16
    %s = arith.extf %x : bf16 to f32
    attn.yield %s : f32)";
  EXPECT_EQ(getError(getSpec()),
            "the Reference cannot evaluate arith.truncf: "
            "element type is neither f32, f64 nor an integer");
  std::string text = getSpec(R"(
      %o = arith.negf %q : tensor<?x?x?x3xf32>
      return %o : tensor<?x?x?x3xf32>)",
                             "tensor<?x?x?x3xf32>");
  EXPECT_EQ(getError(text), "operation arith.negf is not part of a spec");
}

} // namespace
