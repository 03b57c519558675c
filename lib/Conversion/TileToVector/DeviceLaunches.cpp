// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What the host tells kernels of a GPU. Views of arguments have addresses of
// the GPU's memory already; what lies in the workspace has the same place in
// the copy that the GPU has of it.

#include "dialects/Tile/IR/FetchedTiles.h"
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
  auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
      module, launch.getKernelAttr());
  for (const tile::FetchedTensor &tensor : tile::getFetchedTensors(kernel)) {
    next = llvm::alignTo(next, support::kMapAlignment);
    packMap(launch.getArgs()[tensor.argument], tensor.rows, moved, words, next);
    next += support::kMapWords;
  }
  func::ReturnOp::create(builder, location, i64(8 * next));
  return success();
}

/// What the driver encodes to a map of boxes of a tensor, at word `first`.
void ProgramLowering::packMap(Value argument, int64_t rows, Value moved,
                              Value words, int64_t first) {
  auto type = cast<tile::ViewType>(argument.getType());
  auto metadata = memref::ExtractStridedMetadataOp::create(builder, location,
                                                           values.at(argument));
  Value address = emit().toI64(memref::ExtractAlignedPointerAsIndexOp::create(
      builder, location, values.at(argument)));
  if (!isa<BlockArgument>(argument))
    address = emit().add(address, moved);
  SmallVector<Value> record(support::kMapWords, i64(0));
  record[support::kMapAddress] = address;
  constexpr int64_t bytes = 2, unit = 16;
  Value isAligned = emit().equal(emit().both(address, i64(unit - 1)), i64(0));
  auto require = [&](Value condition) {
    isAligned = emit().both(isAligned, condition);
  };
  const int64_t rank = type.getRank();
  for (int64_t d = 0; d < rank; ++d) {
    Value extent = emit().toI64(metadata.getSizes()[rank - 1 - d]);
    Value stride = emit().toI64(metadata.getStrides()[rank - 1 - d]);
    record[support::kMapExtents + d] = extent;
    constexpr int64_t mostExtent = int64_t(1) << 31;
    require(emit().less(i64(0), extent));
    require(emit().less(extent, i64(mostExtent)));
    if (d == 0) {
      require(emit().equal(stride, i64(1)));
      continue;
    }
    // A dimension of one element has any stride.
    Value isOne = emit().equal(extent, i64(1));
    stride =
        emit().select(isOne, i64(unit), emit().multiply(stride, i64(bytes)));
    record[support::kMapStrides + d - 1] = stride;
    constexpr int64_t mostStride = int64_t(1) << 40;
    require(emit().equal(emit().both(stride, i64(unit - 1)), i64(0)));
    require(emit().less(i64(0), stride));
    require(emit().less(stride, i64(mostStride)));
  }
  record[support::kMapColumns] = i64(tile::kFetchedColumns);
  record[support::kMapRows] = i64(rows);
  record[support::kMapElement] =
      i64(type.getElementType().isF16() ? support::kMapElementF16
                                        : support::kMapElementBF16);
  record[support::kMapSwizzle] = i64(support::kMapSwizzle128);
  record[support::kMapRank] = emit().select(isAligned, i64(rank), i64(0));
  for (auto [n, word] : llvm::enumerate(record))
    storeWord(words, first + static_cast<int64_t>(n), word);
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
