// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tile programs as text over tensors, and kernels of one item.

#ifndef RAPT_TEST_UNIT_REFERENCE_TILEFIXTURE_H
#define RAPT_TEST_UNIT_REFERENCE_TILEFIXTURE_H

#include "SpecFixture.h"
#include "lib/Reference/TileEvaluator.h"

namespace rapt::reference {

using support::ElementType;

inline std::string replaceAll(std::string text, const std::string &from,
                              const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

struct TileFixture : SpecFixture {
  TileFixture() { context.loadDialect<tile::TileDialect>(); }

  llvm::Error run(const std::string &text, llvm::ArrayRef<TensorView> arguments,
                  llvm::ArrayRef<ResultView> results,
                  Precision precision = Precision::Exact) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return llvm::createStringError("the text does not parse:\n" + text);
    return evaluateTileProgram(*module->getOps<tile::ProgramOp>().begin(),
                               arguments, results, precision);
  }

  /// Runs operations in a kernel of one item, with the views %in and %out of
  /// rank 2 and the indices %c0 .. %c4; the result is [rows, columns].
  std::vector<double> runKernel(const std::string &body, int64_t rows,
                                int64_t columns,
                                llvm::ArrayRef<double> input = {},
                                int64_t inputColumns = 1,
                                Precision precision = Precision::Exact) {
    std::string constants;
    for (int k = 0; k < 5; ++k)
      constants += "%c" + std::to_string(k) + " = arith.constant " +
                   std::to_string(k) + " : index\n";
    std::string text = R"(
      tile.program @p {
      ^bb0(%in: !tile.view<f64, 2>, %out: !tile.view<f64, 2>):
        %one = arith.constant 1 : index
        tile.launch @k items(%one, %one, %one) args(%in, %out) : !tile.view<f64, 2>, !tile.view<f64, 2>
      }
      tile.kernel @k {
      ^bb0(%item0: index, %item1: index, %item2: index, %in: !tile.view<f64, 2>, %out: !tile.view<f64, 2>):
    )" + constants + body +
                       "\ntile.return\n}";
    std::vector<double> output(rows * columns, 99);
    int64_t inputRows = static_cast<int64_t>(input.size()) / inputColumns;
    llvm::Error error =
        run(text,
            TensorView::getDense(input.data(), ElementType::F64,
                                 {inputRows, inputColumns}),
            ResultView{
                output.data(), ElementType::F64, {rows, columns}, {columns, 1}},
            precision);
    EXPECT_FALSE(static_cast<bool>(error)) << toString(std::move(error));
    return output;
  }
};

} // namespace rapt::reference

#endif // RAPT_TEST_UNIT_REFERENCE_TILEFIXTURE_H
