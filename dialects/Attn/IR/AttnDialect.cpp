// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Attn/IR/Attn.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace rapt::attn;

#include "dialects/Attn/IR/AttnDialect.cpp.inc"
#include "dialects/Attn/IR/AttnEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Attn/IR/AttnAttrs.cpp.inc"

void AttnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Attn/IR/AttnAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Attn/IR/AttnOps.cpp.inc"
      >();
}

/// What a folder computes becomes an arith.constant.
Operation *AttnDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                            Type type, Location location) {
  return arith::ConstantOp::materialize(builder, value, type, location);
}

llvm::SmallVector<llvm::StringRef>
rapt::attn::getArgumentAxes(func::FuncOp spec, unsigned argument) {
  llvm::SmallVector<llvm::StringRef> names;
  if (auto axes = spec.getArgAttrOfType<ArrayAttr>(argument, kAxesAttr))
    for (Attribute axis : axes)
      if (auto name = dyn_cast<StringAttr>(axis))
        names.push_back(name.getValue());
  return names;
}

std::optional<AxisPlace> rapt::attn::findAxis(func::FuncOp spec,
                                              llvm::StringRef axis) {
  for (unsigned argument = 0; argument < spec.getNumArguments(); ++argument)
    for (auto [dimension, name] :
         llvm::enumerate(getArgumentAxes(spec, argument)))
      if (name == axis)
        return AxisPlace{argument, static_cast<unsigned>(dimension)};
  return std::nullopt;
}
