// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Tuning/WarpgroupPlans.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Analysis/MaskStructure.h"
#include "lib/Target/WarpRoles.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace rapt::tuning {

static int64_t getWidth(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getDimSize(3);
}

/// Whether wgmma takes the operands, and what it does not take.
static llvm::Error checkOperands(attn::AttendOp op) {
  if (op.getQueries().empty())
    return llvm::createStringError(
        "scores without a product have none for warpgroups");
  for (unsigned n = 0; n < op.getQueries().size(); ++n) {
    auto reads = [&](Region &region) {
      return !region.empty() &&
             !region.getArgument(attn::AttendOp::kPairPositions + n)
                  .use_empty();
    };
    if (!reads(op.getScore()) && !reads(op.getFactor()))
      return llvm::createStringError(llvm::formatv(
          "product {0} of {1} is read by the mask alone, steps without a mask "
          "have none for warpgroups",
          n + 1, op.getQueries().size()));
  }
  Type element =
      cast<RankedTensorType>(op.getValues().getType()).getElementType();
  if (!element.isF16() && !element.isBF16())
    return llvm::createStringError(
        "products of warpgroups take f16 and bf16 alone");
  auto check = [&](Value tensor) -> llvm::Error {
    if (cast<RankedTensorType>(tensor.getType()).getElementType() != element)
      return llvm::createStringError(
          "products of warpgroups take one element type");
    int64_t width = getWidth(tensor);
    if (width % 16 != 0 || width > 256)
      return llvm::createStringError(llvm::formatv(
          "rows of {0} elements, products of warpgroups take multiples of 16 "
          "up to 256",
          width));
    return llvm::Error::success();
  };
  for (auto tensors : {op.getQueries(), op.getKeys()})
    for (Value tensor : tensors)
      if (llvm::Error error = check(tensor))
        return error;
  return check(op.getValues());
}

/// Registers that code needs beside the tiles: addresses, masks, the numbers of
/// each row. Tiles of 208 of 240 registers ran without a spill, of 220 not.
static constexpr int64_t kOtherRegisters = 36;

/// A loop with a mask may be walked twice, so that where it begins is kept.
static constexpr int64_t kMaskRegisters = 8;

/// Registers of a thread of the `warps` warps that compute.
static int64_t getOwnRegisters(int64_t warps) {
  return target::getConsumerRegisters(warps, target::kLeastProducerRegisters);
}

/// Registers of what regions compute for a pair, its columns and its rows
/// beside the score: a read that depends on the key has an address and a value
/// for each column of a thread.
static int64_t countRegionRegisters(attn::AttendOp op, int64_t keys) {
  // Where rows are listed, the number of each key.
  bool isListed = analysis::findEqualClasses(op) ||
                  analysis::findMarkedKeys(op) ||
                  analysis::findNeighbourhood(op);
  int64_t count = isListed ? keys / 4 : 0;
  for (Region *region : {&op.getScore(), &op.getMask(), &op.getFactor()}) {
    if (region->empty())
      continue;
    constexpr unsigned keyArgument = 4; // after b, h, row, i
    llvm::DenseSet<Value> ofKey{region->getArgument(keyArgument)};
    for (Operation &inner : region->front()) {
      if (!llvm::any_of(inner.getOperands(),
                        [&](Value value) { return ofKey.contains(value); }))
        continue;
      ofKey.insert(inner.getResults().begin(), inner.getResults().end());
      // What the mask reads of a key that is listed is used at once: its
      // number is there already.
      bool isOfListed = isListed && region == &op.getMask();
      constexpr int64_t readRegisters = 72, listedRegisters = 20,
                        randomRegisters = 110;
      if (isa<attn::ReadOp>(inner))
        count += isOfListed ? listedRegisters : keys / 4 + readRegisters;
      else if (isa<attn::UniformOp>(inner))
        count += randomRegisters;
    }
  }
  return count;
}

llvm::Expected<GpuBudget> fitsWarpgroups(tile::PlanAttr plan, Operation *op,
                                         const target::GpuTarget &target) {
  if (!target.hasWarpgroups)
    return llvm::createStringError(llvm::formatv(
        "{0} has no products of warpgroups, sm_90a has", target.name));
  auto attend = dyn_cast<attn::AttendOp>(op);
  if (!attend)
    return llvm::createStringError("only attention has products of warpgroups");
  if (llvm::Error error = checkOperands(attend))
    return std::move(error);
  tile::GpuPlanAttr gpu = plan.getGpu();
  int64_t rows = plan.getQueries(), keys = plan.getKeys();
  int64_t warps = gpu.getWarps();
  constexpr int64_t mostKeys = 256;
  if (warps % 4 != 0 || rows != 16 * warps || rows > 256)
    return llvm::createStringError(llvm::formatv(
        "{0} warps for {1} queries, expected a multiple of 4 up to 16 and 16 "
        "queries for each",
        warps, rows));
  if (gpu.getStages() < 2)
    return llvm::createStringError(llvm::formatv(
        "{0} stage for warpgroups, expected 2 or more", gpu.getStages()));
  if (keys % 16 != 0 || keys > mostKeys || plan.getEdgeKeys() != keys)
    return llvm::createStringError(llvm::formatv(
        "runs of {0} keys, expected a multiple of 16 up to {1}, the same at "
        "edges",
        keys, mostKeys));
  constexpr int64_t pieceBytes = 128, pieceColumns = 64;
  auto bytesOf = [&](int64_t count, int64_t width) {
    return llvm::divideCeil(width, pieceColumns) * count * pieceBytes;
  };
  GpuBudget budget;
  auto stages = static_cast<int64_t>(gpu.getStages());
  for (auto [query, key] : llvm::zip(attend.getQueries(), attend.getKeys()))
    budget.sharedBytes +=
        bytesOf(rows, getWidth(query)) + stages * bytesOf(keys, getWidth(key));
  int64_t width = getWidth(attend.getValues());
  budget.sharedBytes += stages * bytesOf(keys, width);
  constexpr int64_t barrierBytes = 512;
  budget.sharedBytes += barrierBytes;
  // A thread has two rows and a quarter of their columns: the output, one tile
  // of scores for each product, rounded weights.
  auto products = static_cast<int64_t>(attend.getQueries().size());
  budget.registers = width / 2 + products * keys / 2 + keys / 4 +
                     kOtherRegisters + countRegionRegisters(attend, keys) +
                     (attend.getMask().empty() ? 0 : kMaskRegisters);
  if (budget.sharedBytes > target.sharedBytes)
    return llvm::createStringError(llvm::formatv(
        "tiles of {0} queries and {1} keys need {2} bytes of shared memory, "
        "{3} has {4}",
        rows, keys, budget.sharedBytes, target.name, target.sharedBytes));
  int64_t own = getOwnRegisters(warps);
  if (budget.registers > own)
    return llvm::createStringError(llvm::formatv(
        "tiles of {0} queries and {1} keys need {2} registers a thread, {3} "
        "warps leave {4}",
        rows, keys, budget.registers, warps, own));
  return budget;
}

llvm::Expected<tile::PlanAttr>
chooseWarpgroupPlan(attn::AttendOp op, const target::GpuTarget &target) {
  if (llvm::Error error = checkOperands(op))
    return std::move(error);
  // Rows that are listed are copied by threads into the memory of one block,
  // which alone has a multiprocessor: their loops are short, and what begins
  // and ends them is as long. Several blocks of the generic form were as fast
  // on an H100, or up to a fifth faster.
  if (analysis::findEqualClasses(op) || analysis::findMarkedKeys(op) ||
      analysis::findNeighbourhood(op))
    return llvm::createStringError(
        "the keys of a tile are listed, which several small blocks of threads "
        "read faster");
  // A step is in a kernel three times, and each element is code of its own:
  // regions of many operations are better in fewer elements.
  constexpr int64_t mostOperations = 60;
  int64_t operations = 0;
  for (Region &region : op->getRegions())
    region.walk([&](Operation *) { ++operations; });
  if (operations > mostOperations)
    return llvm::createStringError(llvm::formatv(
        "scores and mask have {0} operations, more than {1} are faster in "
        "smaller tiles",
        operations, mostOperations));
  MLIRContext *context = op->getContext();
  struct Tiles {
    int64_t warps, keys;
  };
  // Beside what is counted for reads, values of a region's operations need
  // registers. Those of a causal mask are in what tiles leave; more spilled.
  constexpr int64_t leftFor = 5, perOperation = 4;
  int64_t wanted = perOperation * std::max<int64_t>(operations - leftFor, 0);
  // Three warpgroups where outputs are narrow: more products for what is
  // fetched.
  constexpr Tiles candidates[] = {{12, 112}, {12, 96}, {8, 128},
                                  {8, 112},  {8, 96},  {8, 80},
                                  {8, 64},   {8, 48},  {8, 32}};
  std::string reason;
  for (const Tiles &tiles : candidates) {
    auto plan = tile::PlanAttr::get(
        context, 16 * tiles.warps, tiles.keys, tile::CpuPlanAttr(), /*edge=*/0,
        /*grain=*/0, /*in_order=*/false, /*group=*/false, /*split=*/0,
        tile::GpuPlanAttr::get(context, tiles.warps, /*stages=*/2,
                               /*warpgroups=*/true));
    auto budget = fitsWarpgroups(plan, op, target);
    int64_t own = getOwnRegisters(tiles.warps);
    if (!budget)
      reason = llvm::toString(budget.takeError());
    else if (budget->registers + wanted <= own)
      return plan;
    else
      reason = llvm::formatv("tiles of {0} queries and {1} keys need {2} "
                             "registers a thread, {3} warps leave {4}",
                             16 * tiles.warps, tiles.keys,
                             budget->registers + wanted, tiles.warps, own)
                   .str();
  }
  return llvm::createStringError(reason);
}

} // namespace rapt::tuning
