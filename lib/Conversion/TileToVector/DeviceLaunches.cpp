// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What the host tells kernels of a GPU. Views of arguments have addresses of
// the GPU's memory already; what lies in the workspace has the same place in
// the copy that the GPU has of it.

#include "lib/Conversion/TileToVector/Pointers.h"
#include "lib/Conversion/TileToVector/ProgramLowering.h"
#include "lib/Support/LaunchWords.h"

using namespace mlir;

namespace rapt::conversion {

/// Writes the words of one launch. `moved` is how far the GPU's workspace is
/// from the host's, in bytes.
LogicalResult ProgramLowering::packLaunch(tile::LaunchOp launch, Value args,
                                          Value memory, Value moved,
                                          Value words) {
  if (failed(copyProgram(args, memory, launch)))
    return failure();
  int64_t next = 0;
  auto put = [&](Value word) { storeWord(words, next++, emit().toI64(word)); };
  auto addressOf = [&](Value memref) {
    return emit().toI64(memref::ExtractAlignedPointerAsIndexOp::create(
        builder, location, memref));
  };
  for (Value extent : {launch.getX(), launch.getY(), launch.getZ()})
    put(values.at(extent));
  auto putArray = [&](Value array, Value count) {
    put(emit().add(addressOf(array), moved));
    put(count);
    put(i64(1));
  };
  for (Value argument : launch.getArgs()) {
    if (isa<tile::RunTableType>(argument.getType())) {
      const RunTable &table = tables.at(argument);
      Value places = emit().multiply(
          emit().multiply(table.batches, table.heads), table.blocks);
      putArray(table.offsets, emit().add(places, index(1)));
      putArray(table.order, places);
      // All tables of a program have one array of runs; this one's last.
      putArray(table.runs, emit().load(table.offsets, places));
      put(table.heads);
      put(table.blocks);
      put(table.columns);
      continue;
    }
    Value value = values.at(argument);
    if (!isa<tile::ViewType>(argument.getType())) {
      put(value);
      continue;
    }
    auto metadata =
        memref::ExtractStridedMetadataOp::create(builder, location, value);
    Value address = addressOf(value);
    if (!isa<BlockArgument>(argument))
      address = emit().add(address, moved);
    put(address);
    for (Value size : metadata.getSizes())
      put(size);
    for (Value stride : metadata.getStrides())
      put(stride);
  }
  func::ReturnOp::create(builder, location, i64(8 * next));
  return success();
}

LogicalResult ProgramLowering::emitDeviceLaunches() {
  Type i64Type = builder.getI64Type();
  SmallVector<std::string> names;
  for (auto [n, launch] : llvm::enumerate(launches)) {
    std::string suffix = ("_launch" + Twine(n)).str();
    names.push_back((program.getSymName() + suffix).str());
    func::FuncOp function =
        createFunction(suffix, {pointer, pointer, i64Type, pointer}, i64Type,
                       /*isPrivate=*/true);
    Value memory = function.getArgument(1);
    Value own = LLVM::PtrToIntOp::create(builder, location, i64Type, memory);
    Value moved = emit().subtract(function.getArgument(2), own);
    if (failed(packLaunch(launch, function.getArgument(0), memory, moved,
                          function.getArgument(3))))
      return failure();
  }
  func::FuncOp function =
      createFunction("_launch", {pointer, pointer, i64Type, i64Type, pointer},
                     i64Type, /*isPrivate=*/false);
  SmallVector<Value> arguments{function.getArgument(0), function.getArgument(1),
                               function.getArgument(2),
                               function.getArgument(4)};
  Value bytes = i64(0);
  for (auto [n, name] : llvm::enumerate(names)) {
    Value isThis =
        emit().equal(function.getArgument(3), i64(static_cast<int64_t>(n)));
    bytes = emit()
                .choose(
                    isThis, i64Type,
                    [&]() -> ScalarBuilder::Values {
                      return {func::CallOp::create(builder, location, name,
                                                   i64Type, arguments)
                                  .getResult(0)};
                    },
                    [&]() -> ScalarBuilder::Values { return {bytes}; })
                .front();
  }
  func::ReturnOp::create(builder, location, bytes);
  return success();
}

} // namespace rapt::conversion
