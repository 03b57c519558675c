// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// rapt-opt: runs passes on MLIR files, for tests and for debugging.

#include "dialects/Attn/Transforms/Passes.h"
#include "lib/Compiler/LowerToLLVM.h"
#include "lib/Conversion/AttnToTile/AttnToTile.h"
#include "lib/Conversion/NvToNVVM/NvToNVVM.h"
#include "lib/Conversion/TileToNv/TileToNv.h"
#include "lib/Conversion/TileToVector/TileToVector.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "tools/LadderDialects.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  rapt::registerLadderDialects(registry);
  // Passes: upstream's general ones, then ours by edge of the ladder.
  mlir::registerTransformsPasses();
  rapt::attn::registerAttnPasses();
  rapt::registerAttnToTilePass();
  rapt::registerTileToNvPass();
  rapt::registerNvToNVVMPass();
  rapt::registerTileToVectorPass();
  rapt::registerLowerToLLVMPass();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Rapt's passes on MLIR files\n", registry));
}
