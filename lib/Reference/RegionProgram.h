// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A region of scalar and row operations as a flat list of instructions over
/// numbered cells, compiled once and interpreted for every pair or row.

#ifndef RAPT_LIB_REFERENCE_REGIONPROGRAM_H
#define RAPT_LIB_REFERENCE_REGIONPROGRAM_H

#include "lib/Reference/Instructions.h"
#include "mlir/IR/Region.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace rapt::reference {

class RegionProgram {
public:
  /// Compiles a region of one block whose first `levels.size()` arguments are
  /// numbers or rows, changing as often as given, and whose other arguments are
  /// the captured tensors. Fails on an operation that has no meaning here.
  static llvm::Expected<RegionProgram> compile(mlir::Region &region,
                                               llvm::ArrayRef<Level> levels);

  /// The first cell of an argument.
  int32_t getArgument(unsigned index) const { return arguments[index]; }
  /// Whether anything in the region reads the argument.
  bool readsArgument(unsigned index) const { return argumentRead[index]; }
  /// The cells of a value that the region yields.
  struct Result {
    int32_t cell = 0, count = 1;
    bool isInteger = false;
  };
  llvm::ArrayRef<Result> getResults() const { return results; }
  /// Of a region that yields one value.
  int32_t getResult() const { return results.front().cell; }
  int32_t getResultCount() const { return results.front().count; }
  bool isResultInteger() const { return results.front().isInteger; }

  /// Cells for one thread, with the constants in place.
  template <typename Real> std::vector<Cell<Real>> makeCells() const;

  /// Runs the instructions of one level on cells whose arguments are set.
  /// Levels run in ascending order.
  template <typename Real>
  void run(Level level, Cell<Real> *cells, const Surroundings &around) const;

private:
  friend class RegionCompiler;

  struct Constant {
    int32_t cell;
    bool isInteger;
    double real;
    int64_t integer;
  };

  std::vector<Instruction> instructions[4]; // by level
  std::vector<Constant> constants;
  llvm::SmallVector<int32_t> arguments;
  llvm::SmallVector<bool> argumentRead;
  llvm::SmallVector<Result, 1> results;
  int32_t cellCount = 0;
};

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_REGIONPROGRAM_H
