// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/Remarks.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace rapt::analysis {

static void addRemark(Operation *op, llvm::StringRef kind,
                      const llvm::Twine &text) {
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    module = op->getParentOfType<ModuleOp>();
  if (!module)
    return;
  Builder builder(module.getContext());
  SmallVector<Attribute> remarks;
  if (auto there = module->getAttrOfType<ArrayAttr>(kRemarksAttr))
    llvm::append_range(remarks, there);
  Attribute remark = builder.getDictionaryAttr(
      {builder.getNamedAttr("kind", builder.getStringAttr(kind)),
       builder.getNamedAttr("text", builder.getStringAttr(text))});
  if (llvm::is_contained(remarks, remark))
    return;
  remarks.push_back(remark);
  module->setAttr(kRemarksAttr, builder.getArrayAttr(remarks));
}

void remarkStructure(Operation *op, const llvm::Twine &text) {
  addRemark(op, kStructureRemark, text);
}

void remarkMissed(Operation *op, const llvm::Twine &text) {
  addRemark(op, kMissedRemark, text);
}

} // namespace rapt::analysis
