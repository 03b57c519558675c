// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/NotLowered.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Support/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt {

/// Whether a region of pairs has rows or matrices in it.
static bool hasRowsPerPair(attn::AttendOp op) {
  bool hasRows = false;
  for (Region *region : {&op.getScore(), &op.getMask(), &op.getFactor()})
    region->walk([&](Operation *inner) {
      for (Type type : inner->getResultTypes())
        hasRows |= isa<RankedTensorType>(type);
    });
  return hasRows;
}

/// The construct of the language behind an operation without a lowering; empty
/// if it has one.
static llvm::StringRef getConstruct(Operation *op) {
  return llvm::TypeSwitch<Operation *, llvm::StringRef>(op)
      .Case<attn::ScanOp, attn::AffineScanOp>(
          [](Operation *) { return "a recurrence over the sequence"; })
      .Case([](attn::PoolOp) { return "pool"; })
      .Case([](attn::RegroupOp) { return "regroup"; })
      .Case([](attn::ReorderOp) { return "rank"; })
      .Case([](attn::SelectOp) { return "a set of keys (top, cover, above)"; })
      .Case([](attn::WeightsOp) { return "weights as a value"; })
      .Case([](attn::AggregateOp) {
        return "a reduction over queries, keys or heads";
      })
      .Case([](attn::MergeOp) { return "merge"; })
      .Case([](attn::AttendOp attend) {
        return !attend.getCarry().empty() ? "a carry"
               : attend.isPerFeature()    ? "a score per feature"
               : hasRowsPerPair(attend)   ? "a row of numbers for each pair"
                                          : "";
      })
      .Default([](Operation *) { return ""; });
}

llvm::Error expectLowerable(ModuleOp module,
                            const support::SourceFile &source) {
  Operation *first = nullptr;
  module.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (getConstruct(op).empty())
      return WalkResult::advance();
    first = op;
    return WalkResult::interrupt();
  });
  if (!first)
    return llvm::Error::success();
  support::SourceRange range;
  if (auto place = first->getLoc()->findInstanceOf<FileLineColLoc>()) {
    range.begin = source.offset({place.getLine(), place.getColumn()});
    llvm::StringRef word =
        source.text().drop_front(range.begin).take_while([](char c) {
          return llvm::isAlnum(c) || c == '_';
        });
    range.end = range.begin + static_cast<uint32_t>(word.size());
  }
  support::DiagnosticEngine diags(source);
  diags.error(range, "not compiled yet: " + getConstruct(first) +
                         "; 'rapt check' evaluates it");
  return makeError(ErrorCode::NotSupported,
                   llvm::StringRef(diags.str()).rtrim('\n'));
}

} // namespace rapt
