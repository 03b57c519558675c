// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Kernels with warps of roles. The producers walk the
// same program for what products read from memory, and fetch it into rings
// of stages; the consumers do the rest. Of each stage one barrier says that it
// is full, another one that it is empty.

#include "lib/Conversion/TileToNv/KernelToNv.h"
#include "lib/Target/WarpRoles.h"

using namespace mlir;

namespace rapt::conversion {

/// Registers of a thread for the tiles of a loop's step: what products give,
/// and the weights rounded.
static int64_t countTileRegisters(tile::KernelOp kernel) {
  int64_t most = 0;
  kernel.walk([&](tile::ForRunsOp loop) {
    int64_t count = 0;
    for (auto product : loop.getPartial().front().getOps<tile::MmaOp>()) {
      auto type = cast<tile::TileType>(product.getResult().getType());
      count += type.getShape()[1] / 2;
      if (product.getAccumulator())
        count +=
            cast<tile::TileType>(product.getLhs().getType()).getShape()[1] / 4;
    }
    most = std::max(most, count);
  });
  return most;
}

/// What copies by threads want.
static constexpr int64_t kCopyRegisters = 72;

/// Registers of a thread of each role. Where the tiles leave less than copies
/// by threads want, they get the least.
static std::pair<int64_t, int64_t> chooseRegisters(tile::KernelOp kernel) {
  auto warps = static_cast<int64_t>(kernel.getGpuPlan()->getWarps());
  // Addresses and numbers of rows; a large tile has more of them.
  int64_t tiles = countTileRegisters(kernel);
  int64_t needed = tiles + tiles / 32 + 24;
  int64_t own = target::getConsumerRegisters(warps, kCopyRegisters);
  if (own < needed)
    own = target::getConsumerRegisters(warps, target::kLeastProducerRegisters);
  return {own, target::getProducerRegisters(warps, own)};
}

FailureOr<unsigned> KernelToNv::makeRing(tile::LoadOp load, int64_t stages) {
  location = load.getLoc();
  FailureOr<Value> buffer = makeBuffer(load, stages, /*isSwizzled=*/true);
  if (failed(buffer))
    return failure();
  Ring ring{load, *buffer, nullptr, nullptr, stages, nullptr};
  auto makeBarriers = [&](int64_t arrivals) {
    return nv::BarriersOp::create(
        builder, location, nv::BarriersType::get(builder.getContext(), stages),
        arrivals);
  };
  // Producers' threads say that their copies are there, each warp that it is
  // done.
  ring.full = makeBarriers(32 * target::kProducerWarps);
  if (stages > 1)
    ring.empty =
        makeBarriers(static_cast<int64_t>(kernel.getGpuPlan()->getWarps()));
  Type stored = load.getView().getType().getElementType();
  if (cast<nv::BufferType>(ring.buffer.getType()).getElementType() == stored)
    if (std::optional<tile::FetchedTile> tile = tile::findFetched(load))
      for (const auto &[tensor, map] : maps)
        if (tensor == tile->tensor)
          ring.map = map;
  ringOf[load.getResult()] = rings.size();
  rings.push_back(ring);
  return rings.size() - 1;
}

LogicalResult KernelToNv::makeRings(tile::ForRunsOp op) {
  auto stages = static_cast<int64_t>(kernel.getGpuPlan()->getStages());
  SmallVector<unsigned> own;
  for (Region *region : {&op.getFull(), &op.getPartial()}) {
    Block &body = region->front();
    for (auto load : body.getOps<tile::LoadOp>()) {
      if (!tile::isOperandOfProducts(load))
        continue;
      if (load.getOffsets().size() != 2 ||
          load.getOffsets()[0] != body.getArgument(0) ||
          op->isAncestor(load.getView().getParentBlock()->getParentOp()) ||
          op->isAncestor(load.getOffsets()[1].getParentBlock()->getParentOp()))
        return notLowered(load, "an operand that does not begin with its step");
      auto isSame = [&](unsigned number) {
        tile::LoadOp known = rings[number].load;
        return known.getView() == load.getView() &&
               known.getOffsets()[1] == load.getOffsets()[1] &&
               known.getResult().getType() == load.getResult().getType();
      };
      auto *found = llvm::find_if(own, isSame);
      if (found != own.end()) {
        ringOf[load.getResult()] = *found;
        continue;
      }
      FailureOr<unsigned> ring = makeRing(load, stages);
      if (failed(ring))
        return failure();
      own.push_back(*ring);
    }
  }
  if (mayMask(op))
    flags[op] = nv::FlagOp::create(builder, location,
                                   nv::FlagType::get(builder.getContext()));
  return success();
}

/// Whether the copy engine can fetch all; null if that is known not to be.
Value KernelToNv::haveMaps() {
  Value all;
  for (const Ring &ring : rings) {
    if (!ring.map)
      return nullptr;
    Value own =
        nv::HasMapOp::create(builder, location, builder.getI1Type(), ring.map);
    all = all ? op<arith::AndIOp>(all, own) : own;
  }
  return all;
}

LogicalResult KernelToNv::lowerRoles() {
  Block &block = kernel.getBody().front();
  for (Operation &op : block) {
    if (auto load = dyn_cast<tile::LoadOp>(op)) {
      if (!tile::isOperandOfProducts(load))
        continue;
      if (failed(makeRing(load, /*stages=*/1)))
        return failure();
    } else if (auto loop = dyn_cast<tile::ForRunsOp>(op)) {
      if (failed(makeRings(loop)))
        return failure();
    }
  }
  location = kernel.getLoc();
  nv::BarrierOp::create(builder, location);
  // One thread is enough for the copy engine. What it does has few registers,
  // and what all threads do is apart from it.
  Value threads = index(32 * target::kProducerWarps);
  canMap = haveMaps();
  Value active = threads;
  auto [own, other] = chooseRegisters(kernel);
  if (canMap)
    active =
        arith::SelectOp::create(builder, location, canMap, index(1), threads);
  auto roles = nv::RolesOp::create(builder, location, own, other, active);
  OpBuilder::InsertionGuard guard(builder);
  const IRMapping before = values;
  auto lowerSide = [&](bool isProducer, bool hasMaps) {
    values = before;
    domains.clear();
    isThroughMaps = hasMaps;
    return isProducer ? produce(block) : lowerBlock(block);
  };
  builder.createBlock(&roles.getConsumers());
  if (failed(lowerSide(/*isProducer=*/false, /*hasMaps=*/false)))
    return failure();
  builder.createBlock(&roles.getProducers());
  if (!canMap)
    return lowerSide(/*isProducer=*/true, /*hasMaps=*/false);
  auto branch = scf::IfOp::create(builder, location, canMap,
                                  /*withElseRegion=*/true);
  builder.setInsertionPointToStart(branch.thenBlock());
  if (failed(lowerSide(/*isProducer=*/true, /*hasMaps=*/true)))
    return failure();
  builder.setInsertionPointToStart(branch.elseBlock());
  return lowerSide(/*isProducer=*/true, /*hasMaps=*/false);
}

//===----------------------------------------------------------------------===//
// Producers
//===----------------------------------------------------------------------===//

void KernelToNv::fetch(const Ring &ring, Value row, Value stage) {
  tile::LoadOp load = ring.load;
  SmallVector<Value> outer;
  if (isThroughMaps) {
    std::optional<tile::FetchedTile> fetched = tile::findFetched(load);
    for (Value position : fetched->outer)
      outer.push_back(values.lookup(position));
  }
  nv::FetchOp::create(builder, location, values.lookup(load.getView()),
                      ValueRange{row, values.lookup(load.getOffsets()[1])},
                      ring.buffer, stage, ring.full,
                      isThroughMaps ? ring.map : Value(), outer);
}

/// What a producer needs of the program: numbers, views, runs and loads.
LogicalResult KernelToNv::produce(Block &block) {
  auto isTile = [](Type type) { return isa<tile::TileType>(type); };
  for (Operation &op : block) {
    location = op.getLoc();
    if (auto load = dyn_cast<tile::LoadOp>(op)) {
      if (auto ring = ringOf.find(load.getResult()); ring != ringOf.end())
        fetch(rings[ring->second], values.lookup(load.getOffsets()[0]),
              index(0));
    } else if (auto loop = dyn_cast<tile::ForRunsOp>(op)) {
      produceRuns(loop);
    } else if (!isa<tile::YieldOp, tile::ReturnOp, tile::StoreOp,
                    tile::PrefetchOp>(op) &&
               !llvm::any_of(op.getOperandTypes(), isTile) &&
               !llvm::any_of(op.getResultTypes(), isTile)) {
      if (failed(lowerOperation(&op)))
        return failure();
    }
  }
  return success();
}

void KernelToNv::produceRuns(tile::ForRunsOp op) {
  auto entry = domains.find(op.getDomain());
  if (entry == domains.end())
    return; // the consumers say so
  const Domain domain = entry->second;
  Value width = index(static_cast<int64_t>(op.getFullStep()));
  SmallVector<unsigned> own;
  for (Region *region : {&op.getFull(), &op.getPartial()})
    for (auto load : region->front().getOps<tile::LoadOp>())
      if (auto ring = ringOf.find(load.getResult());
          ring != ringOf.end() && !llvm::is_contained(own, ring->second))
        own.push_back(ring->second);
  auto fetchStep = [&](const Step &step, Value number, ValueRange) -> StepEnd {
    for (unsigned each : own) {
      const Ring &ring = rings[each];
      // What the stage held before was the phase before.
      Value stage = stageOf(ring, number);
      Value phase = this->op<arith::AddIOp>(phaseOf(ring, number), index(1));
      nv::AwaitOp::create(builder, location, ring.empty, stage, phase);
      fetch(ring, step.position, stage);
    }
    Step next = advance(domain, step, width);
    return {next, this->op<arith::AddIOp>(number, index(1)), {}};
  };
  fetchAsOften(op, [&](Value number) {
    return walkSteps(domain, beginRun(domain, domain.first), number, {},
                     fetchStep)
        .front();
  });
}

//===----------------------------------------------------------------------===//
// Consumers
//===----------------------------------------------------------------------===//

Value KernelToNv::stageOf(const Ring &ring, Value step) {
  return op<arith::RemUIOp>(step, index(ring.stages));
}

Value KernelToNv::phaseOf(const Ring &ring, Value step) {
  return op<arith::DivUIOp>(step, index(ring.stages));
}

void KernelToNv::awaitFull(const Ring &ring, Value step) {
  nv::AwaitOp::create(builder, location, ring.full, stageOf(ring, step),
                      phaseOf(ring, step));
  if (!canMap) {
    nv::SeeCopiesOp::create(builder, location);
    return;
  }
  Value areByThreads = op<arith::XOrIOp>(canMap, truth(true));
  auto branch = scf::IfOp::create(builder, location, areByThreads,
                                  /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  nv::SeeCopiesOp::create(builder, location);
}

void KernelToNv::release(const Ring &ring, Value step) {
  nv::ArriveOp::create(builder, location, ring.empty, stageOf(ring, step));
}

/// A tile that is fetched once.
void KernelToNv::awaitOnce(tile::LoadOp op) {
  awaitFull(rings[ringOf.at(op.getResult())], index(0));
}

} // namespace rapt::conversion
