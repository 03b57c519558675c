// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Tuning/CpuPlans.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Analysis/MaskStructure.h"
#include "lib/Tuning/PlanCost.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;

namespace rapt::tuning {

/// The widest row that `op` reads or writes.
static int64_t getWidestRow(Operation *op) {
  int64_t widest = 1;
  auto visit = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && tensor.getRank() == 4 && !tensor.isDynamicDim(3))
      widest = std::max(widest, tensor.getDimSize(3));
  };
  llvm::for_each(op->getOperandTypes(), visit);
  llvm::for_each(op->getResultTypes(), visit);
  return widest;
}

llvm::Expected<CpuBudget> fits(tile::PlanAttr plan, Operation *op,
                               const target::CpuTarget &target) {
  int64_t lanes = target.getLanes32();
  int64_t queries = plan.getQueries();
  if (!plan.getCpu())
    return llvm::createStringError("the plan says nothing for a CPU");
  bool isColumns = plan.getCpu().getColumns();
  if (!isColumns && (!llvm::isPowerOf2_64(queries) || queries < lanes))
    return llvm::createStringError(llvm::formatv(
        "a tile of {0} queries does not fill vectors of {1}: expected a power "
        "of two of at least {1}",
        queries, lanes));
  if (plan.getCpu().getPairs() && (isColumns || !target.bf16Dots.exist()))
    return llvm::createStringError(
        isColumns ? llvm::Twine("no pairs are multiplied where columns are the "
                                "lanes")
                  : target.name + " has no dot products of bf16 for pairs");
  CpuBudget budget;
  int64_t vectors = isColumns ? 1 : queries / lanes;
  // A block of accumulators, one row of the other operand, one broadcast.
  budget.registers = vectors * plan.getCpu().getRows() + vectors + 1;
  if (budget.registers > target.vectorRegisters)
    return llvm::createStringError(llvm::formatv(
        "{0} rows of {1} queries need {2} vector registers, {3} has {4}",
        plan.getCpu().getRows(), queries, budget.registers, target.name,
        target.vectorRegisters));
  // The queries, the accumulator, the scores and, for narrow types, a tile of
  // keys and one of values.
  int64_t widest = getWidestRow(op);
  budget.stackBytes = 4 * (2 * widest * queries + queries * plan.getKeys() +
                           2 * widest * plan.getKeys());
  constexpr int64_t mostBytes = int64_t(2) << 20;
  if (budget.stackBytes > mostBytes)
    return llvm::createStringError(
        llvm::formatv("tiles of {0} queries and {1} keys need {2} bytes of "
                      "stack, at most {3} are allowed",
                      queries, plan.getKeys(), budget.stackBytes, mostBytes));
  return budget;
}

/// A neighbourhood is a few keys of each of several rows around a block of
/// queries: narrow tiles visit the fewest pairs in vain, and one step takes the
/// keys of one row. More rows in registers make up for the narrow tiles.
static tile::PlanAttr chooseBlockPlan(const analysis::Neighbourhood &near,
                                      const target::CpuTarget &target,
                                      MLIRContext *context) {
  constexpr int64_t block = analysis::Neighbourhood::kBlock;
  int64_t lanes = target.getLanes32();
  int64_t vectors = std::max<int64_t>(block / lanes, 1);
  int64_t rows =
      std::min<int64_t>((target.vectorRegisters - 1) / vectors - 1, 22);
  // Along the last coordinate a block has `grain` queries and begins at a
  // multiple of it; so do the keys on both sides.
  // Where the plan need not look for both ends, no key is visited in vain.
  int64_t extent = near.getBlockExtents().back();
  int64_t grain = near.hasPlainKeys ? 1 : extent;
  int64_t radius = std::max<int64_t>(near.coordinates.back().radius, 0);
  int64_t keys = 2 * llvm::alignTo(radius, grain) + extent;
  auto cpu = tile::CpuPlanAttr::get(context, rows / 2 * 2, /*depth=*/4,
                                    /*sweep=*/4);
  return tile::PlanAttr::get(context, vectors * lanes, keys, cpu, /*edge=*/0,
                             grain, /*in_order=*/false);
}

/// Few rows cannot fill the lanes: columns do, and half of the registers are
/// accumulators. From about 16 rows on, a product in which each row is a lane
/// is as fast as memory. Keys are split so that there is an item for each of
/// many cores; a part is small beside the keys of its split. Where columns are
/// the lanes, a tile is only as long as that its values follow its keys
/// closely: memory is then asked for both all the time.
static tile::PlanAttr chooseFewRowsPlan(Operation *op, int64_t rows,
                                        const target::CpuTarget &target) {
  MLIRContext *context = op->getContext();
  constexpr int64_t keys = 128, edge = 32, mostColumnRows = 8, columnKeys = 16;
  int64_t lanes = target.getLanes32();
  if (rows <= mostColumnRows) {
    auto cpu = tile::CpuPlanAttr::get(context, target.vectorRegisters / 2,
                                      /*depth=*/4, /*sweep=*/1,
                                      /*columns=*/true);
    return tile::PlanAttr::get(context, rows <= 4 ? 4 : mostColumnRows,
                               columnKeys, cpu, /*edge=*/0, /*grain=*/0,
                               /*in_order=*/true, /*group=*/true,
                               /*split=*/1024);
  }
  int64_t most = (target.vectorRegisters >= 32 ? 4 : 2) * lanes;
  int64_t queries = std::clamp<int64_t>(
      static_cast<int64_t>(llvm::PowerOf2Ceil(rows)), lanes, most);
  int64_t vectors = queries / lanes;
  int64_t block =
      std::min<int64_t>((target.vectorRegisters - 1) / vectors - 1, 12);
  auto cpu = tile::CpuPlanAttr::get(context, block / 2 * 2, /*depth=*/8,
                                    /*sweep=*/2, /*columns=*/false);
  return tile::PlanAttr::get(context, queries, keys, cpu, edge, /*grain=*/0,
                             /*in_order=*/true, /*group=*/true, /*split=*/2048);
}

/// Whether dot products of bf16 are faster than what the loop would do else.
static bool multipliesPairs(Operation *op, const target::CpuTarget &target) {
  auto attend = dyn_cast<attn::AttendOp>(op);
  if (!attend || target.bf16Dots.speed <= 1)
    return false;
  auto isBf16 = [](Value tensor) {
    return getElementTypeOrSelf(tensor.getType()).isBF16();
  };
  return llvm::any_of(attend.getKeys(), isBf16) || isBf16(attend.getValues());
}

/// The plan with tiles of a number of vectors. A run has so many keys that
/// blocks of rows divide them: a rest would be code of its own that runs on
/// fewer accumulators. Measured (benchmarks/README.md) on AVX-512: a depth of
/// 4; one of 8 is no faster and takes longer to compile.
static tile::PlanAttr makePlan(Operation *op, const target::CpuTarget &target,
                               int64_t vectors) {
  MLIRContext *context = op->getContext();
  int64_t rows =
      std::min<int64_t>((target.vectorRegisters - 1) / vectors - 1, 12);
  rows = rows / 2 * 2;
  constexpr int64_t edge = 32, mostKeys = 128;
  int64_t grain = std::lcm(rows, edge);
  int64_t keys = grain <= mostKeys ? mostKeys / grain * grain : mostKeys;
  // With vectors of 128 bits four steps at a time spill: broadcasts are loads
  // that move pointers, and the scheduler takes them early.
  int64_t depth = isa<attn::AttendOp>(op) && target.vectorBits > 128 ? 4 : 2;
  auto cpu =
      tile::CpuPlanAttr::get(context, rows, depth, /*sweep=*/2,
                             /*columns=*/false, multipliesPairs(op, target));
  return tile::PlanAttr::get(context, vectors * target.getLanes32(), keys, cpu,
                             edge, /*grain=*/0, /*in_order=*/false);
}

/// Wide tiles read keys and values less often, narrow ones visit fewer pairs in
/// vain along the edge of a mask; too wide ones leave no room for rows in the
/// register file.
static tile::PlanAttr choosePlan(Operation *op, const target::CpuTarget &target,
                                 int64_t mostKeys) {
  auto attend = dyn_cast<attn::AttendOp>(op);
  if (attend)
    if (auto near = analysis::findNeighbourhood(attend))
      return chooseBlockPlan(*near, target, op->getContext());
  int64_t vectors = target.vectorRegisters >= 32 ? 4 : 2;
  // Tiles of long rows shall stay within the second level cache.
  while (vectors > 1 &&
         2 * 4 * getWidestRow(op) * vectors * target.getLanes32() >
             target.l2Bytes / 4)
    vectors /= 2;
  tile::PlanAttr best = makePlan(op, target, vectors);
  if (!attend)
    return best;
  // Where lengths are not known they are long.
  constexpr int64_t longKeys = 16384;
  int64_t keys = mostKeys > 0 ? mostKeys : longKeys;
  double least = estimateCycles(best, attend, target, keys);
  while (vectors > 1) {
    vectors /= 2;
    tile::PlanAttr plan = makePlan(op, target, vectors);
    double cycles = estimateCycles(plan, attend, target, keys);
    if (cycles < least)
      std::tie(best, least) = std::pair(plan, cycles);
  }
  return best;
}

llvm::Expected<llvm::SmallVector<tile::PlanAttr>>
assignPlans(ModuleOp module, const target::CpuTarget &target,
            const CallSizes &sizes, const PlanRequest &request) {
  llvm::SmallVector<Operation *> planned, asking;
  llvm::SmallVector<tile::PlanAttr> chosen; // of the kinds
  module.walk([&](Operation *op) {
    if (!isa<attn::AttendOp, attn::MapOp>(op))
      return;
    planned.push_back(op);
    bool isAttend = isa<attn::AttendOp>(op);
    auto plan = op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr);
    if (!plan) {
      plan = sizes.fewRows > 0 && isAttend
                 ? chooseFewRowsPlan(op, sizes.fewRows, target)
                 : choosePlan(op, target, sizes.mostKeys);
      op->setAttr(tile::kPlanAttr, plan);
      if (isAttend)
        asking.push_back(op);
    }
    if (isAttend && !llvm::is_contained(chosen, plan))
      chosen.push_back(plan);
  });
  if (llvm::Error error = request.expectKinds(chosen.size()))
    return std::move(error);
  llvm::SmallVector<tile::PlanAttr> kinds(chosen);
  for (Operation *op : asking) {
    auto plan = op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr);
    size_t kind = llvm::find(chosen, plan) - chosen.begin();
    auto asked = request.applyTo(plan, kind);
    if (!asked)
      return asked.takeError();
    kinds[kind] = *asked;
    op->setAttr(tile::kPlanAttr, *asked);
  }
  for (Operation *op : planned) {
    auto plan = op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr);
    if (auto budget = fits(plan, op, target); !budget)
      return budget.takeError();
  }
  return kinds;
}

} // namespace rapt::tuning
