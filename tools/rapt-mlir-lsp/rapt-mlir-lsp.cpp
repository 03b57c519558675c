// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// rapt-mlir-lsp: the language server for MLIR files with our dialects.

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "tools/LadderDialects.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  rapt::registerLadderDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
