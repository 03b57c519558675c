// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Tile/IR/FetchedTiles.h"

using namespace mlir;

namespace rapt::tile {

bool isOperandOfProducts(LoadOp load) {
  Value tile = load.getResult();
  auto isOperand = [&](OpOperand &use) {
    auto product = dyn_cast<MmaOp>(use.getOwner());
    return product &&
           (use.get() == product.getLhs() || use.get() == product.getRhs()) &&
           use.get() != product.getAccumulator();
  };
  return !tile.use_empty() && llvm::all_of(tile.getUses(), isOperand);
}

std::optional<FetchedTile> findFetched(LoadOp load) {
  constexpr int64_t mostRows = 256, mostRank = 5;
  ViewType type = load.getView().getType();
  auto tile = cast<TileType>(load.getResult().getType());
  Type element = type.getElementType();
  if (type.getRank() != 2 || tile.getRank() != 2 ||
      tile.getShape()[0] > mostRows || (!element.isF16() && !element.isBF16()))
    return std::nullopt;
  FetchedTile found;
  Value view = load.getView();
  while (auto window = view.getDefiningOp<WindowOp>()) {
    found.outer.insert(found.outer.begin(), window.getIndices().begin(),
                       window.getIndices().end());
    view = window.getSource();
  }
  auto argument = dyn_cast<BlockArgument>(view);
  constexpr unsigned itemArguments = 3;
  if (!argument || !isa<KernelOp>(argument.getOwner()->getParentOp()) ||
      argument.getArgNumber() < itemArguments ||
      cast<ViewType>(view.getType()).getRank() > mostRank)
    return std::nullopt;
  found.tensor = {argument.getArgNumber() - itemArguments, tile.getShape()[0]};
  return found;
}

SmallVector<FetchedTensor> getFetchedTensors(KernelOp kernel) {
  SmallVector<FetchedTensor> tensors;
  std::optional<GpuPlanAttr> plan = kernel.getGpuPlan();
  if (!plan || !plan->getWarpgroups())
    return tensors;
  kernel.walk([&](LoadOp load) {
    if (!isOperandOfProducts(load))
      return;
    std::optional<FetchedTile> tile = findFetched(load);
    if (tile && !llvm::is_contained(tensors, tile->tensor))
      tensors.push_back(tile->tensor);
  });
  return tensors;
}

} // namespace rapt::tile
