// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Tuning/GpuPlans.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Analysis/Remarks.h"
#include "lib/Tuning/WarpgroupPlans.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace rapt::tuning {

static int64_t getWidth(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getDimSize(3);
}

/// Registers that code needs beside the tiles: addresses, masks, operands on
/// their way.
static constexpr int64_t kOtherRegisters = 48;

llvm::Expected<GpuBudget> fits(tile::PlanAttr plan, Operation *op,
                               const target::GpuTarget &target) {
  tile::GpuPlanAttr gpu = plan.getGpu();
  if (!gpu)
    return llvm::createStringError("the plan says nothing for a GPU");
  if (gpu.getWarpgroups())
    return fitsWarpgroups(plan, op, target);
  int64_t rows = plan.getQueries(), warps = gpu.getWarps();
  if (rows % (16 * warps) != 0)
    return llvm::createStringError(llvm::formatv(
        "{0} warps cannot share {1} queries, expected a multiple of {2}", warps,
        rows, 16 * warps));
  GpuBudget budget;
  auto attend = dyn_cast<attn::AttendOp>(op);
  if (!attend)
    return budget;
  if (plan.getKeys() % 16 != 0)
    return llvm::createStringError(llvm::formatv(
        "runs of {0} keys, expected a multiple of 16", plan.getKeys()));
  constexpr int64_t bytes = 2;
  auto pitch = [&](int64_t columns) {
    return (llvm::alignTo(columns, 16) * bytes / 16 | 1) * 16;
  };
  for (auto [query, key] : llvm::zip(attend.getQueries(), attend.getKeys())) {
    budget.sharedBytes += rows * pitch(getWidth(query));
    budget.sharedBytes +=
        gpu.getStages() * plan.getKeys() * pitch(getWidth(key));
  }
  int64_t width = getWidth(attend.getValues());
  budget.sharedBytes += gpu.getStages() * plan.getKeys() * pitch(width);
  // The output, one tile of scores for each product, rounded weights.
  int64_t threads = 32 * warps;
  // Without products a region computes the scores.
  auto products =
      std::max<int64_t>(static_cast<int64_t>(attend.getQueries().size()), 1);
  budget.registers =
      rows * (width + products * plan.getKeys() + plan.getKeys() / 2) /
          threads +
      kOtherRegisters;
  if (budget.sharedBytes > target.sharedBytes)
    return llvm::createStringError(llvm::formatv(
        "tiles of {0} queries and {1} keys need {2} bytes of shared memory, "
        "{3} has {4}",
        rows, plan.getKeys(), budget.sharedBytes, target.name,
        target.sharedBytes));
  if (budget.registers > target.threadRegisters)
    return llvm::createStringError(llvm::formatv(
        "tiles of {0} queries and {1} keys need {2} registers a thread, {3} "
        "has {4}",
        rows, plan.getKeys(), budget.registers, target.name,
        target.threadRegisters));
  return budget;
}

static tile::PlanAttr makePlan(MLIRContext *context, int64_t queries,
                               int64_t keys, int64_t warps, int64_t stages) {
  return tile::PlanAttr::get(context, queries, keys, tile::CpuPlanAttr(),
                             /*edge=*/0, /*grain=*/0, /*in_order=*/false,
                             /*group=*/false, /*split=*/0,
                             tile::GpuPlanAttr::get(context, warps, stages));
}

/// About how many registers a thread needs for the values of the regions, when
/// it has `elements` of a tile. The weights are what ptxas needed for the
/// examples: it computes several elements at a time, and keeps the addresses of
/// what it reads. Regions past a size are loops over the elements, where the
/// number does not grow but results lie apart from operands.
static int64_t countRegionRegisters(Operation *op, int64_t elements) {
  constexpr int64_t perOperation = 4, perRead = 10, perUniform = 100,
                    most = 128, mostInLoop = 192;
  int64_t wanted = 0;
  for (Region &region : op->getRegions())
    region.walk([&](Operation *inner) {
      wanted += isa<attn::UniformOp>(inner) ? perUniform
                : isa<attn::ReadOp>(inner)  ? perRead
                                            : perOperation;
    });
  constexpr int64_t together = 32, always = 16;
  bool isLoop = wanted > 2 * most;
  int64_t kept = std::min(wanted, isLoop ? mostInLoop : most) *
                 (elements + always) / (together + always);
  return isLoop ? kept + elements : kept;
}

/// The largest tiles that fit, from those that were fast.
static tile::PlanAttr choosePlan(Operation *op,
                                 const target::GpuTarget &target) {
  MLIRContext *context = op->getContext();
  auto attend = dyn_cast<attn::AttendOp>(op);
  if (!attend)
    return makePlan(context, /*queries=*/64, /*keys=*/64, /*warps=*/4,
                    /*stages=*/1);
  if (target.hasWarpgroups) {
    auto plan = chooseWarpgroupPlan(attend, target);
    if (plan)
      return *plan;
    analysis::remarkMissed(op, "products of warps (mma) instead of warpgroups "
                               "(wgmma): " +
                                   llvm::toString(plan.takeError()));
  }
  struct Tiles {
    int64_t queries, keys, warps, stages;
  };
  constexpr Tiles candidates[] = {
      {128, 64, 8, 2}, {128, 32, 8, 2}, {64, 64, 4, 2}, {64, 32, 4, 2},
      {64, 16, 4, 2},  {64, 32, 4, 1},  {64, 16, 4, 1}};
  // The largest that leave registers to the values of the regions; if none do,
  // the smallest that can be at all.
  tile::PlanAttr plan;
  for (const Tiles &tiles : candidates) {
    plan =
        makePlan(context, tiles.queries, tiles.keys, tiles.warps, tiles.stages);
    auto budget = fits(plan, op, target);
    if (!budget)
      llvm::consumeError(budget.takeError()); // assignPlans says what is left
    else if (budget->registers +
                 countRegionRegisters(op, tiles.queries * tiles.keys /
                                              (32 * tiles.warps)) <=
             target.threadRegisters)
      return plan;
  }
  return plan;
}

llvm::Error assignPlans(ModuleOp module, const target::GpuTarget &target) {
  llvm::Error error = llvm::Error::success();
  module.walk([&](Operation *op) {
    if (!isa<attn::AttendOp, attn::MapOp>(op))
      return WalkResult::advance();
    auto plan = op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr);
    if (!plan)
      op->setAttr(tile::kPlanAttr, plan = choosePlan(op, target));
    auto budget = fits(plan, op, target);
    if (budget)
      return WalkResult::advance();
    error = llvm::joinErrors(std::move(error), budget.takeError());
    return WalkResult::interrupt();
  });
  return error;
}

} // namespace rapt::tuning
