// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/NotLowered.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Compiler/CodedError.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace rapt {

/// The construct of the language behind an operation without a lowering; empty
/// if it has one.
static llvm::StringRef getConstruct(Operation *op) {
  return llvm::TypeSwitch<Operation *, llvm::StringRef>(op)
      .Case([](attn::ScanOp) { return "a recurrence over the sequence"; })
      .Default([](Operation *) { return ""; });
}

llvm::Error expectLowerable(ModuleOp module) {
  Operation *first = nullptr;
  module.walk([&](Operation *op) {
    if (getConstruct(op).empty())
      return WalkResult::advance();
    first = op;
    return WalkResult::interrupt();
  });
  if (!first)
    return llvm::Error::success();
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto place = first->getLoc()->findInstanceOf<FileLineColLoc>())
    os << place.getFilename().getValue() << ':' << place.getLine() << ':'
       << place.getColumn() << ": ";
  os << "not compiled yet: " << getConstruct(first)
     << "; rapt check evaluates it";
  return makeError(ErrorCode::NotSupported, text);
}

} // namespace rapt
