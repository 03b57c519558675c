// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The attn dialect: what an attention mechanism computes, over whole tensors.

#ifndef RAPT_DIALECTS_ATTN_IR_ATTN_H
#define RAPT_DIALECTS_ATTN_IR_ATTN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Attn/IR/AttnDialect.h.inc"
#include "dialects/Attn/IR/AttnEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Attn/IR/AttnAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/Attn/IR/AttnOps.h.inc"

namespace rapt::attn {

/// Attribute on a func.func that is a spec.
inline constexpr llvm::StringLiteral kSpecAttr = "attn.spec";
/// Attribute on its arguments and results: the name the user gave.
inline constexpr llvm::StringLiteral kNameAttr = "attn.name";
/// Attribute on its arguments and results: the names of the dimensions.
inline constexpr llvm::StringLiteral kAxesAttr = "attn.axes";

/// The names in the `attn.axes` attribute of one argument; empty if it has
/// none.
llvm::SmallVector<llvm::StringRef> getArgumentAxes(mlir::func::FuncOp spec,
                                                   unsigned argument);

/// Where an axis of the spec is first found: argument number and dimension.
struct AxisPlace {
  unsigned argument;
  unsigned dimension;
};
std::optional<AxisPlace> findAxis(mlir::func::FuncOp spec,
                                  llvm::StringRef axis);

} // namespace rapt::attn

#endif // RAPT_DIALECTS_ATTN_IR_ATTN_H
