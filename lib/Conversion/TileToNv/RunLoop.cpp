// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Loops over runs of keys. Runs are cut into steps of one width, full or
// partial, and while a step is computed the copies of the next one are under
// way: a step begins when its own have arrived and every warp has left the step
// before, whose buffers the next copies overwrite.

#include "lib/Conversion/TileToNv/KernelToNv.h"
#include "lib/Support/WorkspaceHead.h"

using namespace mlir;

namespace rapt::conversion {

LogicalResult KernelToNv::lowerDomain(tile::DomainOp op) {
  auto entry = tables.find(op.getTable());
  if (entry == tables.end())
    return notLowered(op, "a table of runs that is not an argument");
  const DeviceTable &table = entry->second;
  Value place =
      placeOf(table, values.lookup(op.getBatch()), values.lookup(op.getHead()),
              values.lookup(op.getBlock()));
  auto offset = [&](Value at) -> Value {
    return arith::IndexCastOp::create(builder, location, builder.getIndexType(),
                                      readWord(table.offsets, at));
  };
  domains[op] = {offset(place),
                 offset(this->op<arith::AddIOp>(place, index(1))), nullptr,
                 &table};
  return success();
}

/// The first step of a run that is there.
KernelToNv::Step KernelToNv::beginRun(const Domain &domain, Value run) {
  Value isFull =
      arith::ConstantOp::create(builder, location, builder.getBoolAttr(true));
  if (domain.extent)
    return {run, index(0), domain.extent, isFull};
  auto i64 = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, location,
                                     builder.getI64IntegerAttr(value));
  };
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, location, builder.getIndexType(),
                                      value);
  };
  Value word = readWord(domain.table->runs, run);
  Value first = op<arith::ShRUIOp>(word, i64(support::kRunStartBit));
  constexpr int64_t countBits = support::kRunStartBit - support::kRunCountBit;
  Value count =
      op<arith::AndIOp>(op<arith::ShRUIOp>(word, i64(support::kRunCountBit)),
                        i64((int64_t(1) << countBits) - 1));
  isFull = arith::CmpIOp::create(builder, location, arith::CmpIPredicate::ne,
                                 op<arith::AndIOp>(word, i64(1)), i64(0));
  Value width = index(domain.table->columnStep);
  Value position = op<arith::MulIOp>(toIndex(first), width);
  Value end =
      op<arith::AddIOp>(position, op<arith::MulIOp>(toIndex(count), width));
  end = op<arith::MinSIOp>(end, domain.table->columns);
  return {run, position, end, isFull};
}

/// The step after `step`, perhaps in the next run; none is left if its run is
/// not below the last.
KernelToNv::Step KernelToNv::advance(const Domain &domain, const Step &step,
                                     Value width) {
  Value position = op<arith::AddIOp>(step.position, width);
  Value isInRun = less(position, step.end);
  Value nextRun = op<arith::AddIOp>(step.run, index(1));
  auto chosen =
      scf::IfOp::create(builder, location,
                        TypeRange{position.getType(), position.getType(),
                                  position.getType(), builder.getI1Type()},
                        isInRun, /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(chosen.thenBlock());
  scf::YieldOp::create(builder, location,
                       ValueRange{step.run, position, step.end, step.isFull});
  builder.setInsertionPointToStart(chosen.elseBlock());
  // A word behind the last run is read as zero or as another run; it is not
  // used.
  Step next = beginRun(domain, nextRun);
  scf::YieldOp::create(
      builder, location,
      ValueRange{next.run, next.position, next.end, next.isFull});
  return {chosen.getResult(0), chosen.getResult(1), chosen.getResult(2),
          chosen.getResult(3)};
}

/// Loads of both bodies that only products read, from the rows that the step
/// begins with. The same tile of both is one buffer.
LogicalResult KernelToNv::findStaged(tile::ForRunsOp op,
                                     SmallVectorImpl<StagedLoad> &staged) {
  auto stages = static_cast<int64_t>(kernel.getGpuPlan()->getStages());
  for (Region *region : {&op.getFull(), &op.getPartial()}) {
    Block &body = region->front();
    for (auto load : body.getOps<tile::LoadOp>()) {
      bool isOperand = !load.getResult().use_empty() &&
                       llvm::all_of(load.getResult().getUsers(), [](auto *op) {
                         return isa<tile::MmaOp>(op);
                       });
      if (!isOperand || load.getOffsets().size() != 2 ||
          load.getOffsets()[0] != body.getArgument(0) ||
          op->isAncestor(load.getView().getParentBlock()->getParentOp()) ||
          op->isAncestor(load.getOffsets()[1].getParentBlock()->getParentOp()))
        continue;
      auto isSame = [&](const StagedLoad &other) {
        tile::LoadOp known = other.load;
        return known.getView() == load.getView() &&
               known.getOffsets()[1] == load.getOffsets()[1] &&
               known.getResult().getType() == load.getResult().getType();
      };
      auto *found = llvm::find_if(staged, isSame);
      if (found == staged.end()) {
        FailureOr<Value> buffer = makeBuffer(load, stages);
        if (failed(buffer))
          return failure();
        staged.push_back({load, *buffer});
        found = &staged.back();
      }
      buffers[load.getResult()] = {found->buffer, nullptr};
    }
  }
  return success();
}

void KernelToNv::copyStaged(ArrayRef<StagedLoad> staged, Value isWanted,
                            Value row, Value stage) {
  auto branch = scf::IfOp::create(builder, location, isWanted,
                                  /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    for (const StagedLoad &one : staged)
      copy(one.load, row, one.buffer, stage);
  }
  nv::CommitOp::create(builder, location);
}

SmallVector<Value> KernelToNv::lowerInits(tile::ForRunsOp op) {
  SmallVector<Value> inits;
  for (OpOperand &use : op.getInitsMutable())
    inits.push_back(isa<tile::TileType>(use.get().getType())
                        ? fragmentFor(use)
                        : values.lookup(use.get()));
  return inits;
}

void KernelToNv::bindCarried(Value tile, Value fragment) {
  auto type = dyn_cast<tile::TileType>(tile.getType());
  if (type && type.getRank() == 1)
    bindLine(tile, sides.getSide(tile), fragment);
  else
    values.map(tile, fragment);
}

FailureOr<SmallVector<Value>> KernelToNv::lowerBody(tile::ForRunsOp op,
                                                    Region &region, Value start,
                                                    Value length,
                                                    ValueRange carried) {
  Block &body = region.front();
  values.map(body.getArgument(0), start);
  values.map(body.getArgument(1), length);
  for (auto [argument, value] :
       llvm::zip(body.getArguments().drop_front(2), carried))
    bindCarried(argument, value);
  if (failed(lowerBlock(body)))
    return failure();
  SmallVector<Value> yielded;
  for (OpOperand &use : body.back().getOpOperands())
    yielded.push_back(isa<tile::TileType>(use.get().getType())
                          ? fragmentFor(use)
                          : values.lookup(use.get()));
  return yielded;
}

FailureOr<KernelToNv::Domain> KernelToNv::findDomain(tile::ForRunsOp op) {
  auto entry = domains.find(op.getDomain());
  if (entry == domains.end())
    return notLowered(op, "a domain that is not made in the same kernel");
  if (op.getFullStep() != op.getPartialStep())
    return notLowered(op, "a loop with steps of two widths");
  return entry->second;
}

/// Numbers of steps, runs and keys are carried in 32 bits, which take half the
/// registers: no GPU's memory holds 2^31 keys.
SmallVector<Value> KernelToNv::walkSteps(
    const Domain &domain, const Step &first, Value number, ValueRange tiles,
    llvm::function_ref<StepEnd(const Step &, Value, ValueRange)> emit) {
  auto narrow = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, location, builder.getI32Type(),
                                      value);
  };
  auto widen = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, location, builder.getIndexType(),
                                      value);
  };
  auto flatten = [&](const Step &step, Value number, ValueRange tiles) {
    SmallVector<Value> all{narrow(step.run), narrow(step.position),
                           narrow(step.end), step.isFull, narrow(number)};
    llvm::append_range(all, tiles);
    return all;
  };
  constexpr size_t kNumber = 4;
  SmallVector<Value> carried = flatten(first, number, tiles);
  Value last = narrow(domain.last);
  auto loop = scf::WhileOp::create(
      builder, location, ValueRange(carried).getTypes(), carried,
      [&](OpBuilder &, Location, ValueRange state) {
        scf::ConditionOp::create(builder, location, less(state[0], last),
                                 state);
      },
      [&](OpBuilder &, Location, ValueRange state) {
        StepEnd end =
            emit({widen(state[0]), widen(state[1]), widen(state[2]), state[3]},
                 widen(state[kNumber]), state.drop_front(kNumber + 1));
        scf::YieldOp::create(builder, location,
                             flatten(end.next, end.number, end.tiles));
      });
  SmallVector<Value> results{widen(loop.getResult(kNumber))};
  llvm::append_range(results, loop.getResults().drop_front(kNumber + 1));
  return results;
}

LogicalResult KernelToNv::lowerForRuns(tile::ForRunsOp op) {
  FailureOr<Domain> found = findDomain(op);
  if (failed(found))
    return failure();
  const Domain domain = *found;
  Value width = index(static_cast<int64_t>(op.getFullStep()));
  auto stages = static_cast<int64_t>(kernel.getGpuPlan()->getStages());

  SmallVector<StagedLoad> staged;
  if (failed(findStaged(op, staged)))
    return failure();
  SmallVector<Value> inits = lowerInits(op);

  LogicalResult result = success();
  auto walk = [&](bool isCareful, Value) {
    isCarefulNow = isCareful;
    // The first step, its copies into stage 0.
    Step first = beginRun(domain, domain.first);
    copyStaged(staged, isLeft(domain, first), first.position, index(0));
    SmallVector<Value> done = walkSteps(
        domain, first, index(0), inits,
        [&](const Step &step, Value stage, ValueRange tiles) -> StepEnd {
          nv::WaitOp::create(builder, location, 0);
          nv::BarrierOp::create(builder, location);
          hasPendingCopies = false;
          Step next;
          Value nextStage = this->op<arith::RemUIOp>(
              this->op<arith::AddIOp>(stage, index(1)), index(stages));
          auto copyNext = [&] {
            next = advance(domain, step, width);
            copyStaged(staged, isLeft(domain, next), next.position, nextStage);
          };
          // The only stage is read until the step is done.
          bool isAhead = stages > 1;
          if (isAhead)
            copyNext();
          for (Region *region : {&op.getFull(), &op.getPartial()})
            for (auto load : region->front().getOps<tile::LoadOp>())
              if (auto found = buffers.find(load.getResult());
                  found != buffers.end())
                found->second.stage = stage;

          Value left = this->op<arith::SubIOp>(step.end, step.position);
          Value isWhole = arith::CmpIOp::create(
              builder, location, arith::CmpIPredicate::sge, left, width);
          // With care all by the form that takes any.
          Value isFull = isCareful
                             ? truth(false)
                             : this->op<arith::AndIOp>(step.isFull, isWhole);
          auto branch = scf::IfOp::create(builder, location, tiles.getTypes(),
                                          isFull, /*addThenBlock=*/true,
                                          /*addElseBlock=*/true);
          auto emit = [&](Block *block, Region &region, Value length) {
            OpBuilder::InsertionGuard guard(builder);
            builder.setInsertionPointToStart(block);
            FailureOr<SmallVector<Value>> yielded =
                lowerBody(op, region, step.position, length, tiles);
            if (failed(yielded))
              result = failure();
            scf::YieldOp::create(builder, location,
                                 succeeded(yielded) ? ValueRange(*yielded)
                                                    : tiles);
          };
          if (isCareful) {
            OpBuilder::InsertionGuard guard(builder);
            builder.setInsertionPointToStart(branch.thenBlock());
            scf::YieldOp::create(builder, location, tiles);
          } else {
            emit(branch.thenBlock(), op.getFull(), width);
          }
          builder.setInsertionPoint(branch);
          Value length = this->op<arith::MinSIOp>(left, width);
          emit(branch.elseBlock(), op.getPartial(), length);
          builder.setInsertionPointAfter(branch);
          if (!isAhead) {
            nv::BarrierOp::create(builder, location);
            copyNext();
          }
          return {next, nextStage, SmallVector<Value>(branch.getResults())};
        });
    std::rotate(done.begin(), done.begin() + 1, done.end());
    return done;
  };
  SmallVector<Value> done = walkWithCare(op, walk);
  isCarefulNow = false;
  if (failed(result))
    return failure();
  for (auto [n, value] : llvm::enumerate(op.getResults()))
    bindCarried(value, done[n]);
  return success();
}

} // namespace rapt::conversion
