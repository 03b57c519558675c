// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The error rule: what passes and, more important, what does not.

#include "lib/Reference/Check.h"
#include "SpecFixture.h"
#include <cmath>
#include <set>

using namespace rapt::reference;
using rapt::support::ElementType;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

TEST(SelectRowsTest, AllAndNone) {
  EXPECT_TRUE(selectRows(RowSelection::None, 2, 3, 100, 1).empty());
  EXPECT_EQ(selectRows(RowSelection::All, 2, 3, 1000, 1).size(), 6000u);
  EXPECT_EQ(selectRows(RowSelection::Sample, 2, 3, 256, 1).size(), 6 * 256u);
  EXPECT_TRUE(selectRows(RowSelection::Sample, 2, 3, 0, 1).empty());
}

TEST(SelectRowsTest, Sample) {
  std::vector<RowIndex> rows = selectRows(RowSelection::Sample, 2, 3, 5000, 7);
  ASSERT_EQ(rows.size(), 6 * 256u);
  for (int64_t head = 0; head < 6; ++head) {
    std::set<int64_t> chosen;
    for (int64_t r = 0; r < 256; ++r) {
      RowIndex row = rows[head * 256 + r];
      EXPECT_EQ(row.b * 3 + row.h, head);
      chosen.insert(row.i);
    }
    EXPECT_EQ(chosen.size(), 256u);
    for (int64_t k = 0; k < 64; ++k) {
      EXPECT_TRUE(chosen.count(k));
      EXPECT_TRUE(chosen.count(4999 - k));
    }
  }
  EXPECT_NE(rows[100].i, rows[356].i); // heads have their own random rows
  std::vector<RowIndex> again = selectRows(RowSelection::Sample, 2, 3, 5000, 7);
  std::vector<RowIndex> other = selectRows(RowSelection::Sample, 2, 3, 5000, 8);
  int same = 0;
  for (size_t r = 0; r < rows.size(); ++r) {
    EXPECT_EQ(rows[r].i, again[r].i);
    same += rows[r].i == other[r].i;
  }
  EXPECT_LT(same, 6 * 256);
}

TEST(ErrorOfRowTest, IsRelativeToTheScale) {
  Row reference{{1, -2, 0}, 0, 4, 3};
  EXPECT_EQ(errorOfRow({1, -2, 0}, reference, ElementType::F32), 0);
  EXPECT_NEAR(errorOfRow({1, -2, 0.5}, reference, ElementType::F32), 0.125,
              1e-9);
  EXPECT_NEAR(errorOfRow({2, -1, 0}, reference, ElementType::F32), 0.25, 1e-9);
}

TEST(ErrorOfRowTest, EmptyRowsAreExactlyZero) {
  Row empty{{0, 0}, -kInfinity, 0, 0};
  EXPECT_EQ(errorOfRow({0, -0.0}, empty, ElementType::F16), 0);
  EXPECT_EQ(errorOfRow({0, 0x1p-24}, empty, ElementType::F16), kInfinity);
  EXPECT_EQ(errorOfRow({0, 1e-30}, empty, ElementType::F32), kInfinity);
  EXPECT_EQ(errorOfRow({kNaN, 0}, empty, ElementType::F32), kInfinity);
}

TEST(ErrorOfRowTest, NotFinite) {
  Row finite{{1, 2}, 0, 4, 3};
  EXPECT_EQ(errorOfRow({kNaN, 2}, finite, ElementType::F32), kInfinity);
  EXPECT_EQ(errorOfRow({kInfinity, 2}, finite, ElementType::F32), kInfinity);
  Row nan{{kNaN, 2}, 0, 4, 3};
  EXPECT_EQ(errorOfRow({kNaN, 2}, nan, ElementType::F32), 0);
  EXPECT_EQ(errorOfRow({1, 2}, nan, ElementType::F32), kInfinity);
  Row large{{1e5, 2}, 0, 1e5, 3}; // too large for f16
  EXPECT_EQ(errorOfRow({kInfinity, 2}, large, ElementType::F16), 0);
  EXPECT_EQ(errorOfRow({-kInfinity, 2}, large, ElementType::F16), kInfinity);
  EXPECT_EQ(errorOfRow({kInfinity, 2}, large, ElementType::F32), kInfinity);
}

TEST(ErrorOfRowTest, SubnormalResults) {
  // 0x1.8p-25 lies between 0x1p-25... and the smallest f16 numbers 0 and 2^-24.
  Row tiny{{0x1.8p-25}, 0, 0x1.8p-25, 1};
  EXPECT_EQ(errorOfRow({0x1p-24}, tiny, ElementType::F16), 0);
  EXPECT_GT(errorOfRow({0}, tiny, ElementType::F16), 0.3);
}

TEST(ErrorOfLseTest, AbsoluteBelowOneThenRelative) {
  EXPECT_DOUBLE_EQ(errorOfLse(0.25, 0.5), 0.25);
  EXPECT_DOUBLE_EQ(errorOfLse(12, 8), 0.5);
  EXPECT_EQ(errorOfLse(-kInfinity, -kInfinity), 0);
  EXPECT_EQ(errorOfLse(-1e30, -kInfinity), kInfinity);
  EXPECT_EQ(errorOfLse(-kInfinity, 0), kInfinity);
  EXPECT_EQ(errorOfLse(kNaN, kNaN), 0);
}

struct CheckResultTest : SpecFixture {
  std::vector<char> out, lse;

  void SetUp() override {
    queries = 9; // rows 0 and 1 of the causal mask are empty
    keys = 7;
    makeTensors();
    mask = R"(
      %m = arith.cmpi sge, %i, %j : i32
      attn.yield %m : i1)";
  }
  TensorView getOut() {
    return TensorView::getDense(out.data(), type,
                                {batch, heads, queries, vdim});
  }
  TensorView getLse() {
    return TensorView::getDense(lse.data(), ElementType::F32,
                                {batch, heads, queries});
  }
  int64_t place(RowIndex row) {
    return (row.b * heads + row.h) * queries + row.i;
  }
  /// A result as the exact evaluation rounds to it.
  void makeResult() {
    out.assign(batch * heads * queries * vdim *
                   rapt::support::getElementSize(type),
               0);
    lse.assign(batch * heads * queries * 4, 0);
    std::vector<RowIndex> rows = allRows();
    std::vector<Row> values = create(getSpec()).evaluateRows(rows);
    for (size_t r = 0; r < rows.size(); ++r) {
      for (int64_t e = 0; e < vdim; ++e)
        rapt::support::storeReal(type, out.data(), place(rows[r]) * vdim + e,
                                 values[r].out[e]);
      rapt::support::storeReal(ElementType::F32, lse.data(), place(rows[r]),
                               values[r].lse);
    }
  }
  double getElement(RowIndex row, int64_t e) {
    return rapt::support::loadReal(type, out.data(), place(row) * vdim + e);
  }
  void setElement(RowIndex row, int64_t e, double value) {
    rapt::support::storeReal(type, out.data(), place(row) * vdim + e, value);
  }
  CheckReport check() {
    AttnEvaluator exact = create(getSpec());
    AttnEvaluator plain = create(getSpec(), Precision::Rounded);
    TensorView lseView = getLse();
    return llvm::cantFail(
        checkResult(exact, plain, getOut(), &lseView, allRows()));
  }
};

TEST_F(CheckResultTest, GoodResultsPass) {
  for (ElementType narrow :
       {ElementType::F32, ElementType::BF16, ElementType::F16}) {
    type = narrow;
    makeTensors();
    makeResult();
    CheckReport report = check();
    EXPECT_TRUE(report.passed) << report.message;
    EXPECT_EQ(report.rowsChecked, batch * heads * queries);
    EXPECT_EQ(report.rowsSkipped, 0);
    EXPECT_GT(report.maxError, 0);
    EXPECT_LE(report.maxError, report.bound);
    // Not so loose that a wrong result could hide.
    EXPECT_GE(report.bound, getErrorFloor(narrow));
    EXPECT_LT(report.bound,
              64 * 0x1p-24 + 3.01 * rapt::support::getUnitRoundoff(narrow));
    EXPECT_EQ(report.message, "");
  }
}

TEST_F(CheckResultTest, OneWrongElementFails) {
  makeResult();
  RowIndex row{1, 2, 5};
  setElement(row, 4, getElement(row, 4) + 1e-4);
  CheckReport report = check();
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.worst.b, 1);
  EXPECT_EQ(report.worst.h, 2);
  EXPECT_EQ(report.worst.i, 5);
  EXPECT_EQ(report.message.rfind("row (b 1, h 2, i 5): error of out is ", 0),
            0u)
      << report.message;
}

TEST_F(CheckResultTest, NotANumberFails) {
  makeResult();
  setElement({0, 3, 8}, 0, kNaN);
  CheckReport report = check();
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.maxError, kInfinity);
  EXPECT_EQ(report.message,
            "row (b 0, h 3, i 8): out is not finite, or not zero, where the "
            "reference is, or the reverse");
}

TEST_F(CheckResultTest, EmptyRowsMustBeZero) {
  makeResult();
  setElement({0, 0, 1}, 2, 1e-20);
  EXPECT_FALSE(check().passed);
}

TEST_F(CheckResultTest, WrongLseFails) {
  makeResult();
  int64_t wrong = place({1, 1, 6});
  double value = rapt::support::loadReal(ElementType::F32, lse.data(), wrong);
  rapt::support::storeReal(ElementType::F32, lse.data(), wrong, value + 1e-4);
  CheckReport report = check();
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.message.rfind("row (b 1, h 1, i 6): error of lse is ", 0),
            0u)
      << report.message;
  makeResult(); // an empty row has lse -inf
  rapt::support::storeReal(ElementType::F32, lse.data(), 0, -1e38);
  EXPECT_FALSE(check().passed);
}

TEST_F(CheckResultTest, WrongShapesAndRows) {
  makeResult();
  AttnEvaluator exact = create(getSpec());
  AttnEvaluator plain = create(getSpec(), Precision::Rounded);
  TensorView view = getOut();
  view.sizes[3] = 4;
  EXPECT_EQ(toString(checkResult(exact, plain, view, nullptr, {}).takeError()),
            "out has extents [2, 4, 9, 4], expected [2, 4, 9, 5]");
  view = getOut();
  EXPECT_EQ(toString(checkResult(exact, plain, view, &view, {}).takeError()),
            "lse has extents [2, 4, 9, 5], expected [2, 4, 9]");
  EXPECT_EQ(toString(checkResult(exact, plain, view, nullptr,
                                 llvm::ArrayRef<RowIndex>{{0, 0, 9}})
                         .takeError()),
            "row (b 0, h 0, i 9) lies outside the result");
}

/// Where f32 overflows and double does not, nothing can be said.
TEST_F(CheckResultTest, RowsThatThePlainImplementationCannotDo) {
  reduction = "sum";
  score = R"(
    %c = arith.constant 3.000000e+38 : f32
    %a = arith.mulf %dot, %c : f32
    %s = arith.divf %a, %c : f32
    attn.yield %s : f32)";
  makeResult();
  CheckReport report = check();
  EXPECT_TRUE(report.passed) << report.message;
  EXPECT_GT(report.rowsSkipped, 0);
  EXPECT_EQ(report.rowsChecked + report.rowsSkipped, batch * heads * queries);

  // Without any row that can be compared nothing has been checked.
  mask = R"(
    %m = arith.constant true
    attn.yield %m : i1)";
  score = R"(
    %c = arith.constant 3.000000e+38 : f32
    %m = arith.maximumf %dot, %c : f32
    %a = arith.mulf %m, %c : f32
    %s = arith.divf %a, %c : f32
    %t = arith.divf %s, %c : f32
    attn.yield %t : f32)";
  makeResult();
  report = check();
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.rowsChecked, 0);
  EXPECT_EQ(report.message, "no row is compared: in each of the " +
                                std::to_string(batch * heads * queries) +
                                ", plain evaluation in f32 overflows");
}

} // namespace
