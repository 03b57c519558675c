// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Warps with roles: barriers in shared memory, and what producers fetch. PTX
// ISA 8.0, 9.7.12.15 (mbarrier) and 9.7.8.24 (bulk copies of tensors).

#include "lib/Conversion/NvToNVVM/DeviceMath.h"
#include "lib/Conversion/NvToNVVM/ThreadLowering.h"
#include "lib/Target/WarpRoles.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace rapt::conversion {

constexpr int64_t kBarrierBytes = 8;

/// Buffers first, which begin at large powers of two.
void ThreadLowering::placeShared() {
  kernel.walk([&](nv::SharedOp op) {
    nv::BufferType type = op.getBuffer().getType();
    // A row of a swizzled piece knows its number from its address.
    int64_t alignment = type.getSwizzled() ? 1024 : 128;
    sharedBytes = llvm::alignTo(sharedBytes, alignment);
    bufferStarts[op] = sharedBytes;
    sharedBytes += llvm::alignTo(type.getBytes(), 128);
  });
  kernel.walk([&](nv::BarriersOp op) {
    bufferStarts[op] = sharedBytes;
    sharedBytes += kBarrierBytes * op.getBarriers().getType().getStages();
  });
  kernel.walk([&](nv::FlagOp op) {
    bufferStarts[op] = sharedBytes;
    sharedBytes += 2 * kBarrierBytes;
  });
}

Value ThreadLowering::sharedNumber(Value byte) {
  return LLVM::PtrToIntOp::create(builder, location, builder.getI32Type(),
                                  sharedAddress(byte));
}

ThreadLowering::Registers ThreadLowering::assembly(StringRef text,
                                                   StringRef constraints,
                                                   ValueRange operands,
                                                   TypeRange types) {
  MLIRContext *context = builder.getContext();
  Type type =
      types.empty() ? LLVM::LLVMVoidType::get(context)
      : types.size() == 1
          ? types.front()
          : LLVM::LLVMStructType::getLiteral(context, SmallVector<Type>(types));
  std::string all =
      constraints.str() + (constraints.empty() ? "" : ",") + "~{memory}";
  auto made = LLVM::InlineAsmOp::create(
      builder, location, type, operands, text, all,
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  Registers results;
  if (types.size() == 1)
    results.push_back(made.getResult(0));
  else
    for (int64_t n = 0; n < static_cast<int64_t>(types.size()); ++n)
      results.push_back(LLVM::ExtractValueOp::create(builder, location,
                                                     made.getResult(0), n));
  return results;
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

Value ThreadLowering::barrierAddress(Value barriers, Value stage) {
  auto type = cast<nv::BarriersType>(barriers.getType());
  Value byte = i32(bufferStarts.at(barriers));
  if (type.getStages() > 1)
    byte = add(byte, multiply(toI32(stage), i32(kBarrierBytes)));
  return sharedNumber(byte);
}

void ThreadLowering::lowerBarriers(nv::BarriersOp op) {
  initBarriers(bufferStarts.at(op.getResult()),
               op.getBarriers().getType().getStages(),
               static_cast<int64_t>(op.getArrivals()));
}

void ThreadLowering::initBarriers(int64_t start, int64_t stages,
                                  int64_t arrivals) {
  doIf(compare(arith::CmpIPredicate::eq, thread, i32(0)), [&] {
    for (int64_t n = 0; n < stages; ++n)
      assembly("mbarrier.init.shared::cta.b64 [$0], $1;", "r,r",
               {sharedNumber(i32(start + kBarrierBytes * n)), i32(arrivals)},
               {});
    // The copy engine sees them, too.
    assembly("fence.mbarrier_init.release.cluster;", "", {}, {});
  });
}

void ThreadLowering::lowerAwait(nv::AwaitOp op) {
  awaitPhase(barrierAddress(op.getBarriers(), scalars.at(op.getStage())),
             scalars.at(op.getPhase()));
}

void ThreadLowering::awaitPhase(Value barrier, Value phase) {
  Value parity = both(toI32(phase), i32(1));
  assembly("{ .reg .pred done; again: "
           "mbarrier.try_wait.parity.shared::cta.b64 done, [$0], $1; "
           "@!done bra again; }",
           "r,r", {barrier, parity}, {});
}

void ThreadLowering::lowerArrive(nv::ArriveOp op) {
  Value barrier = barrierAddress(op.getBarriers(), scalars.at(op.getStage()));
  doIf(compare(arith::CmpIPredicate::eq, lane, i32(0)), [&] {
    assembly("mbarrier.arrive.shared::cta.b64 _, [$0];", "r", {barrier}, {});
  });
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

LogicalResult ThreadLowering::lowerRoles(nv::RolesOp op) {
  int64_t atEntry = target::getEntryRegisters(warps + producers);
  auto take = [&](int64_t count) {
    if (count == atEntry)
      return;
    NVVM::SetMaxRegisterOp::create(
        builder, location, static_cast<uint32_t>(count),
        count > atEntry ? NVVM::SetMaxRegisterAction::increase
                        : NVVM::SetMaxRegisterAction::decrease);
  };
  Value isConsumer = compare(arith::CmpIPredicate::ult, warp, i32(warps));
  auto branch = scf::IfOp::create(builder, location, isConsumer,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  take(static_cast<int64_t>(op.getConsumerRegisters()));
  if (failed(lowerBlock(op.getConsumers().front())))
    return failure();
  builder.setInsertionPointToStart(branch.elseBlock());
  take(static_cast<int64_t>(op.getProducerRegisters()));
  Value active = toI32(scalars.at(op.getActive()));
  LogicalResult result = success();
  Value isActive =
      compare(arith::CmpIPredicate::ult,
              this->op<arith::SubIOp>(thread, i32(32 * warps)), active);
  doIf(isActive, [&] { result = lowerBlock(op.getProducers().front()); });
  return result;
}

/// Either one thread starts the copy engine, or all threads of producers copy.
/// They do not wait for what they copy: the barrier does.
void ThreadLowering::lowerFetch(nv::FetchOp op) {
  nv::BufferType type = op.getBuffer().getType();
  Value own = this->op<arith::SubIOp>(thread, i32(32 * warps));
  Value isFirst = compare(arith::CmpIPredicate::eq, own, i32(0));
  Value stage = scalars.at(op.getStage());
  Value barrier = barrierAddress(op.getBarriers(), stage);
  Value row = scalars.at(op.getOffsets()[0]);
  Value column = scalars.at(op.getOffsets()[1]);

  auto fetchBoxes = [&] {
    Value start = stageStart(op.getBuffer(), stage);
    assembly("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "r,r",
             {barrier, i32(type.getStageBytes())}, {});
    assembly("mbarrier.arrive.shared::cta.b64 _, [$0], $1;", "r,r",
             {barrier, i32(32 * producers - 1)}, {});
    int64_t rank = cast<nv::TensorMapType>(op.getMap().getType()).getRank();
    std::string places, constraints = "r,l,r";
    for (int64_t d = 0; d < rank; ++d) {
      places += (d ? ", $" : "$") + std::to_string(3 + d);
      constraints += ",r";
    }
    std::string text = "cp.async.bulk.tensor." + std::to_string(rank) +
                       "d.shared::cluster.global.tile.mbarrier::complete_tx::"
                       "bytes [$0], [$1, {" +
                       places + "}], [$2];";
    for (int64_t piece = 0; piece < type.getPieces(); ++piece) {
      Registers operands{
          sharedNumber(add(start, i32(piece * type.getPieceBytes()))),
          maps.at(op.getMap()).address, barrier,
          add(toI32(column), i32(64 * piece)), toI32(row)};
      for (Value position : llvm::reverse(op.getOuter()))
        operands.push_back(toI32(scalars.at(position)));
      assembly(text, constraints, operands, {});
    }
  };
  auto copyByThreads = [&] {
    TileCopy copy{op.getView(), row, column,        op.getBuffer(),
                  stage,        own, 32 * producers};
    copyTile(
        copy,
        [&] {
          fetchRows(copy);
          assembly("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [$0];", "r",
                   {barrier}, {});
        },
        [&] {
          copyEachElement(copy);
          assembly("mbarrier.arrive.shared::cta.b64 _, [$0];", "r", {barrier},
                   {});
        });
  };
  if (op.getMap())
    doIf(isFirst, fetchBoxes);
  else
    copyByThreads();
}

} // namespace rapt::conversion
