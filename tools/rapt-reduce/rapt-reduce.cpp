// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// rapt-reduce: makes an MLIR file smaller while a test script still finds it
/// interesting.

#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "mlir/Transforms/Passes.h"
#include "tools/LadderDialects.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  rapt::registerLadderDialects(registry);
  mlir::registerTransformsPasses();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
