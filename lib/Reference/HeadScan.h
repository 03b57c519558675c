// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// One head of a loop over time. Internal to the Reference.

#ifndef RAPT_LIB_REFERENCE_HEADSCAN_H
#define RAPT_LIB_REFERENCE_HEADSCAN_H

#include "lib/Reference/AttnGraph.h"

namespace rapt::reference {

/// Runs the steps of one batch and head after the other.
template <typename Real> class HeadScan {
public:
  HeadScan(const ScanNode &node, llvm::ArrayRef<Real *> outputs,
           llvm::ArrayRef<Real *> finals)
      : node(node), outputs(outputs), finals(finals) {}

  void run(int64_t b, int64_t h);

private:
  using Cells = std::vector<Cell<Real>>;

  void start(const RegionProgram &program, Cells &cells, int64_t b, int64_t h);
  void load(const RegionProgram &program, Cells &cells, unsigned argument,
            const TensorView &view, int64_t b, int64_t h, int64_t n);
  void setStates(const RegionProgram &program, Cells &cells, unsigned argument,
                 const Cells &values);
  void store(const Cells &cells, llvm::ArrayRef<RegionProgram::Result> rows,
             int64_t b, int64_t h, int64_t row);
  void step(int64_t b, int64_t h, int64_t j);
  // In normal form (AffineScanEvaluator.cpp).
  void affineStep(int64_t b, int64_t h, int64_t j);
  void apply(unsigned state, llvm::ArrayRef<RegionProgram::Result> values,
             Cell<Real> *after);
  size_t getOffset(unsigned state) const;
  size_t getCount(unsigned state) const;

  const ScanNode &node;
  llvm::ArrayRef<Real *> outputs, finals;
  Cells states; ///< All states, one after the other.
  Cells bodyCells, stepCells, readCells;
};

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_HEADSCAN_H
