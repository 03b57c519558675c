// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// One call for each sequence of a batch: what tells them apart becomes
// arguments of the spec, so that every lowering sees ordinary reads.

#include "dialects/Attn/Transforms/Passes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace rapt::attn {

#define GEN_PASS_DEF_TAKESEQUENCES
#include "dialects/Attn/Transforms/Passes.h.inc"

namespace {

class SequenceTaker {
public:
  explicit SequenceTaker(func::FuncOp spec)
      : spec(spec), builder(spec.getContext()) {}

  LogicalResult listRows(StringRef name);
  LogicalResult takePositions();
  void takeNumber();

private:
  Value addArgument(StringRef name, ArrayRef<StringRef> axes);
  /// The argument of a region by which it sees a captured tensor.
  Value capture(Region &region, Value tensor) {
    return region.front().addArgument(tensor.getType(), spec.getLoc());
  }
  Value read(Block &block, Value tensor, ValueRange indices);

  func::FuncOp spec;
  OpBuilder builder;
};

} // namespace

/// A tensor of i32 at the end of the arguments.
Value SequenceTaker::addArgument(StringRef name, ArrayRef<StringRef> axes) {
  SmallVector<int64_t> shape(axes.size(), ShapedType::kDynamic);
  auto type = RankedTensorType::get(shape, builder.getI32Type());
  DictionaryAttr attributes = builder.getDictionaryAttr(
      {builder.getNamedAttr(kNameAttr, builder.getStringAttr(name)),
       builder.getNamedAttr(kAxesAttr, builder.getStrArrayAttr(axes))});
  unsigned number = spec.getNumArguments();
  // The type of the function and the block both get it.
  (void)spec.insertArgument(number, type, attributes, spec.getLoc());
  return spec.getArgument(number);
}

Value SequenceTaker::read(Block &block, Value tensor, ValueRange indices) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&block);
  return ReadOp::create(builder, spec.getLoc(), builder.getI32Type(), tensor,
                        indices);
}

LogicalResult SequenceTaker::listRows(StringRef name) {
  for (BlockArgument argument : spec.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto own = spec.getArgAttrOfType<StringAttr>(number, kNameAttr);
    if (!own || own.getValue() != name)
      continue;
    SmallVector<StringRef> axes = getArgumentAxes(spec, number);
    if (axes.size() < 3 || axes[axes.size() - 2] != "keys")
      return spec.emitError()
             << "argument '" << name << "' has no rows of keys";
    axes[axes.size() - 2] = "rows";
    spec.setArgAttr(number, kAxesAttr, builder.getStrArrayAttr(axes));
    Value list = addArgument((name + "_rows").str(), {"keys"});
    // Arguments moved when one was added.
    Value source = spec.getArgument(number);
    builder.setInsertionPointToStart(&spec.getBody().front());
    auto rows = ListRowsOp::create(builder, spec.getLoc(), source.getType(),
                                   source, list);
    source.replaceAllUsesExcept(rows, rows);
    return success();
  }
  return spec.emitError() << "has no argument '" << name << "'";
}

LogicalResult SequenceTaker::takePositions() {
  Value positions = addArgument("query_positions", {"queries"});
  WalkResult result = spec.walk([&](Operation *op) {
    auto replace = [&](Region &region) {
      if (region.empty())
        return;
      Block &block = region.front();
      Value tensor = capture(region, positions);
      Value position = block.getArgument(3);
      if (!position.use_empty())
        position.replaceAllUsesWith(read(block, tensor, block.getArgument(2)));
    };
    if (auto attend = dyn_cast<AttendOp>(op)) {
      if (!attend.getCarry().empty()) {
        attend.emitOpError() << "with a carry takes no positions";
        return WalkResult::interrupt();
      }
      attend.getCapturesMutable().append(positions);
      for (Region *region : {&attend.getScore(), &attend.getMask(),
                             &attend.getFactor(), &attend.getSink()})
        replace(*region);
    } else if (auto map = dyn_cast<MapOp>(op)) {
      if (map.getSide() == Side::Queries) {
        map.getCapturesMutable().append(positions);
        replace(map.getBody());
      }
    } else if (op->getNumRegions() > 0 && op != spec) {
      op->emitOpError() << "takes no positions";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

void SequenceTaker::takeNumber() {
  Value number = addArgument("sequence", {});
  spec.walk([&](AttendOp attend) {
    bool isUsed = false;
    attend->walk([&](UniformOp) { isUsed = true; });
    if (!isUsed)
      return;
    attend.getCapturesMutable().append(number);
    for (Region &region : attend->getRegions()) {
      if (region.empty())
        continue;
      Value tensor = capture(region, number);
      region.walk([&](UniformOp uniform) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPoint(uniform);
        uniform.getBMutable().assign(ReadOp::create(builder, uniform.getLoc(),
                                                    builder.getI32Type(),
                                                    tensor, ValueRange()));
      });
    }
  });
}

namespace {
struct TakeSequences : impl::TakeSequencesBase<TakeSequences> {
  using TakeSequencesBase::TakeSequencesBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function->hasAttr(kSpecAttr))
        continue;
      SequenceTaker taker(function);
      for (const std::string &name : paged)
        if (failed(taker.listRows(name)))
          return signalPassFailure();
      if (positions && failed(taker.takePositions()))
        return signalPassFailure();
      taker.takeNumber();
    }
  }
};
} // namespace

} // namespace rapt::attn
