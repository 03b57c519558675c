// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToNv/SideAnalysis.h"

using namespace mlir;

namespace rapt::conversion {

static bool isLine(Value value) {
  auto type = dyn_cast<tile::TileType>(value.getType());
  return type && type.getRank() == 1;
}

bool SideAnalysis::isMadeAnew(Value tile) {
  Operation *op = tile.getDefiningOp();
  return op &&
         isa<tile::SplatOp, tile::PositionsOp, tile::ConstantOp, tile::LoadOp>(
             op);
}

unsigned SideAnalysis::number(Value tile) {
  auto [entry, isNew] = numbers.try_emplace(tile, numbers.size());
  if (isNew)
    classes.insert(entry->second);
  return entry->second;
}

void SideAnalysis::join(Value a, Value b) {
  if (isLine(a) && isLine(b) && !isMadeAnew(a) && !isMadeAnew(b))
    classes.unionSets(number(a), number(b));
}

void SideAnalysis::fix(Value tile, nv::Along side) {
  if (isLine(tile) && !isMadeAnew(tile))
    sides[number(tile)] = side;
}

void SideAnalysis::joinLoop(ValueRange inits, ValueRange results,
                            Region &body) {
  Block &block = body.front();
  unsigned first = block.getNumArguments() - inits.size();
  auto yield = cast<tile::YieldOp>(block.back());
  for (unsigned n = 0; n < inits.size(); ++n) {
    join(results[n], inits[n]);
    join(results[n], block.getArgument(first + n));
    join(results[n], yield.getValues()[n]);
  }
}

static nv::Along sideOf(int64_t dimension) {
  return dimension == 0 ? nv::Along::Rows : nv::Along::Columns;
}

void SideAnalysis::visit(Operation *op) {
  if (auto map = dyn_cast<tile::MapOp>(op)) {
    bool isWhole = map.getResultTile().getRank() == 2;
    for (auto [n, operand] : llvm::enumerate(map.getOperands())) {
      if (!isLine(operand))
        continue;
      if (isWhole)
        fix(operand, sideOf(map.getOperandDims(n).front()));
      else
        join(map.getResult(0), operand);
    }
    for (Value result : map.getResults())
      join(map.getResult(0), result);
  } else if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
    fix(reduce.getResult(), sideOf(1 - reduce.getDimension()));
  } else if (auto loop = dyn_cast<tile::ForRunsOp>(op)) {
    joinLoop(loop.getInits(), loop.getResults(), loop.getFull());
    joinLoop(loop.getInits(), loop.getResults(), loop.getPartial());
  }
}

SideAnalysis::SideAnalysis(tile::KernelOp kernel) {
  kernel.walk([&](Operation *op) { visit(op); });
  llvm::DenseMap<unsigned, nv::Along> ofLeaders;
  for (auto [member, side] : sides)
    ofLeaders[classes.getLeaderValue(member)] = side;
  sides = std::move(ofLeaders);
}

nv::Along SideAnalysis::getSide(Value tile) const {
  auto entry = numbers.find(tile);
  if (entry == numbers.end())
    return nv::Along::Rows;
  auto side = sides.find(classes.getLeaderValue(entry->second));
  return side == sides.end() ? nv::Along::Rows : side->second;
}

nv::Along SideAnalysis::getSide(OpOperand &use) const {
  Operation *op = use.getOwner();
  unsigned n = use.getOperandNumber();
  if (auto map = dyn_cast<tile::MapOp>(op)) {
    if (map.getResultTile().getRank() == 2)
      return sideOf(map.getOperandDims(n).front());
    return getSide(map.getResult(0));
  }
  if (auto loop = dyn_cast<tile::ForRunsOp>(op))
    return getSide(loop.getResults()[n - 1]); // after the domain
  if (auto yield = dyn_cast<tile::YieldOp>(op))
    if (auto loop = dyn_cast<tile::ForRunsOp>(yield->getParentOp()))
      return getSide(loop.getResults()[n]);
  if (isa<tile::SliceOp, tile::ConcatOp>(op))
    return nv::Along::Columns;
  return nv::Along::Rows;
}

SmallVector<nv::Along, 2> SideAnalysis::getSides(Value tile) const {
  SmallVector<nv::Along, 2> found;
  for (OpOperand &use : tile.getUses()) {
    nv::Along side = getSide(use);
    if (!llvm::is_contained(found, side))
      found.push_back(side);
  }
  return found;
}

} // namespace rapt::conversion
