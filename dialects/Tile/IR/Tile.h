// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The tile dialect: how a mechanism is computed, as programs over tiles.

#ifndef RAPT_DIALECTS_TILE_IR_TILE_H
#define RAPT_DIALECTS_TILE_IR_TILE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Tile/IR/TileDialect.h.inc"
#include "dialects/Tile/IR/TileEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/IR/TileTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/IR/TileAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/Tile/IR/TileOps.h.inc"

namespace rapt::tile {

/// Attribute on an attn operation: the plan that its kernel is made by.
inline constexpr llvm::StringLiteral kPlanAttr = "tile.plan";

/// Attribute on a tile.kernel: which algorithm it is, as text for the user.
inline constexpr llvm::StringLiteral kFormAttr = "tile.form";
/// On a tile.plan_runs whose rows or columns are those of a list.
inline constexpr llvm::StringLiteral kListedAttr = "tile.listed";

/// Attribute on a math.exp2 in a kernel: the program promises that the argument
/// exceeds 0 by no more than a rounding, so that nothing overflows.
inline constexpr llvm::StringLiteral kNonPositiveAttr = "tile.nonpositive";

} // namespace rapt::tile

#endif // RAPT_DIALECTS_TILE_IR_TILE_H
