// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToVector/LaneAnalysis.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::conversion {
namespace {

/// Numbers the dimensions of tiles and joins those that are one.
class DimensionClasses {
public:
  void visit(Operation *op);

  /// In the order in which tiles were met, so that the choice does not depend
  /// on addresses.
  std::vector<std::pair<Value, unsigned>> dimensions;
  llvm::EquivalenceClasses<unsigned> classes;

  unsigned number(Value tile, unsigned dim) {
    auto [entry, isNew] = numbers.try_emplace({tile, dim}, dimensions.size());
    if (isNew) {
      dimensions.push_back({tile, dim});
      classes.insert(entry->second);
    }
    return entry->second;
  }

private:
  void join(Value a, unsigned dimA, Value b, unsigned dimB) {
    classes.unionSets(number(a, dimA), number(b, dimB));
  }
  void joinAll(Value a, Value b) {
    auto type = dyn_cast<tile::TileType>(a.getType());
    for (unsigned d = 0; type && d < type.getRank(); ++d)
      join(a, d, b, d);
  }
  template <typename Loop> void joinLoop(Loop loop, Region &body) {
    Block &block = body.front();
    unsigned first = block.getNumArguments() - loop.getInits().size();
    auto yield = cast<tile::YieldOp>(block.back());
    for (unsigned n = 0; n < loop.getInits().size(); ++n) {
      joinAll(loop.getInits()[n], loop.getResults()[n]);
      joinAll(loop.getInits()[n], block.getArgument(first + n));
      joinAll(loop.getInits()[n], yield.getValues()[n]);
    }
  }
  void joinProduct(tile::MmaOp op) {
    unsigned lhsM = op.getLhsTransposed(), rhsN = !op.getRhsTransposed();
    join(op.getResult(), 0, op.getLhs(), lhsM);
    join(op.getResult(), 1, op.getRhs(), rhsN);
    join(op.getLhs(), 1 - lhsM, op.getRhs(), 1 - rhsN);
    if (op.getAccumulator())
      joinAll(op.getResult(), op.getAccumulator());
  }

  llvm::DenseMap<std::pair<Value, unsigned>, unsigned> numbers;
};

} // namespace

void DimensionClasses::visit(Operation *op) {
  for (Value result : op->getResults())
    if (auto type = dyn_cast<tile::TileType>(result.getType()))
      for (unsigned d = 0; d < type.getRank(); ++d)
        number(result, d);
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](tile::MapOp op) {
        for (auto [n, operand] : llvm::enumerate(op.getOperands()))
          for (auto [d, dim] : llvm::enumerate(op.getOperandDims(n)))
            join(operand, d, op.getResult(0), dim);
        for (Value result : op.getResults().drop_front())
          joinAll(op.getResult(0), result);
      })
      .Case([&](tile::MmaOp op) { joinProduct(op); })
      .Case<tile::ReduceOp>([&](tile::ReduceOp op) {
        auto type = cast<tile::TileType>(op.getSource().getType());
        unsigned result = 0;
        for (unsigned d = 0; d < type.getRank(); ++d)
          if (d != op.getDimension())
            join(op.getSource(), d, op.getResult(), result++);
      })
      .Case([&](tile::TransposeOp op) {
        join(op.getSource(), 0, op.getResult(), 1);
        join(op.getSource(), 1, op.getResult(), 0);
      })
      .Case([&](tile::SliceOp op) {
        auto type = cast<tile::TileType>(op.getSource().getType());
        for (unsigned d = 0; d < type.getRank(); ++d)
          if (d != op.getDimension())
            join(op.getSource(), d, op.getResult(), d);
      })
      .Case(
          [&](tile::SkewOp op) { join(op.getSource(), 0, op.getResult(), 0); })
      .Case([&](tile::ConcatOp op) {
        auto type = cast<tile::TileType>(op.getResult().getType());
        for (Value source : op.getSources())
          for (unsigned d = 0; d < type.getRank(); ++d)
            if (d != op.getDimension())
              join(source, d, op.getResult(), d);
      })
      .Case([&](tile::PackOp op) { joinAll(op.getSource(), op.getResult()); })
      .Case([&](tile::ForOp op) { joinLoop(op, op.getBody()); })
      .Case([&](tile::ForRunsOp op) {
        joinLoop(op, op.getFull());
        joinLoop(op, op.getPartial());
      });
}

FailureOr<LaneAnalysis> LaneAnalysis::compute(tile::KernelOp kernel) {
  DimensionClasses all;
  kernel.walk([&](Operation *op) { all.visit(op); });
  LaneAnalysis result;
  // The rows of what the kernel writes are what a work item has many of,
  // whatever the number of features.
  tile::StoreOp widest;
  kernel.walk([&](tile::StoreOp store) {
    auto rank = [](tile::StoreOp op) {
      return op.getTile().getType().getRank();
    };
    if (rank(store) > (widest ? rank(widest) : 0))
      widest = store;
  });
  std::optional<unsigned> best;
  if (widest)
    best = all.classes.getLeaderValue(all.number(widest.getTile(), 0));
  // Without a result: the class that most tiles have.
  llvm::DenseMap<unsigned, unsigned> sizes;
  for (unsigned n = 0; n < all.dimensions.size(); ++n)
    ++sizes[all.classes.getLeaderValue(n)];
  for (unsigned n = 0; !widest && n < all.dimensions.size(); ++n) {
    unsigned leader = all.classes.getLeaderValue(n);
    if (!best || sizes[leader] > sizes[*best])
      best = leader;
  }
  result.columns = kernel.getPlan() && kernel.getPlan()->getColumns();
  for (unsigned n = 0; best && n < all.dimensions.size(); ++n) {
    bool isRow = all.classes.getLeaderValue(n) == *best;
    auto [value, dim] = all.dimensions[n];
    auto type = cast<tile::TileType>(value.getType());
    if (isRow)
      result.rows = type.getShape()[dim];
    if (result.columns ? isRow || dim + 1 != type.getRank() : !isRow)
      continue;
    auto [entry, isNew] = result.laneDims.try_emplace(value, dim);
    if (!isNew && entry->second != dim)
      return kernel.emitError()
             << "a tile has two dimensions that would run along the lanes: "
             << type;
  }
  return result;
}

std::optional<unsigned> LaneAnalysis::getLaneDim(Value tile) const {
  auto entry = laneDims.find(tile);
  if (entry == laneDims.end())
    return std::nullopt;
  return entry->second;
}

} // namespace rapt::conversion
