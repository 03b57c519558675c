// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Typed nodes to operations inside one region of attn.attend or attn.map.

#ifndef RAPT_LIB_FRONTEND_EMITREGION_H
#define RAPT_LIB_FRONTEND_EMITREGION_H

#include "lib/Frontend/Graph.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"

namespace rapt::frontend {

/// What the leading arguments and the captures of a region stand for.
struct RegionContext {
  /// Places, rows and products that are arguments of the region.
  llvm::DenseMap<const Node *, mlir::Value> values;
  /// Captured inputs.
  llvm::DenseMap<const InputTensor *, mlir::Value> inputs;
  /// A scalar that is computed once per row, or what runs over the keys, and
  /// captured.
  struct Hoisted {
    mlir::Value tensor; ///< [B, H or Hk or 1, L, features or 1]
    std::string headAxis;
    const Node *position = nullptr; ///< The row at which it is read.
  };
  llvm::DenseMap<const Node *, Hoisted> hoisted;
  /// A dimension of a captured input that has the extent of a leading axis.
  std::map<std::string, std::pair<mlir::Value, int64_t>> extents;
  /// Expressions written out over the features of their rows.
  llvm::DenseMap<const Node *, Node *> expanded;
  mlir::Value batch, head;
  mlir::Value row; ///< The query's own number.
  /// What `head` counts; empty if it is always 0.
  std::string headAxis;
};

/// The MLIR type of elements in memory.
mlir::Type getStorageType(support::ElementType type,
                          mlir::MLIRContext *context);
/// The type of one element inside a region: f32, i1, or i32 or i64 as wide as
/// the range needs.
mlir::Type getElementType(const Node &node, mlir::MLIRContext *context);
/// That, or a row of it.
mlir::Type getRegionType(const Node &node, mlir::MLIRContext *context);

/// A module with this attribute is for the Reference: its real constants are
/// not rounded to f32, see Spec::hasExactReals.
inline constexpr llvm::StringLiteral exactRealsAttr = "attn.exact_reals";

class RegionEmitter {
public:
  RegionEmitter(mlir::OpBuilder &builder, const support::SourceFile &source,
                const RegionContext &context, mlir::Location location);

  /// The value of a node, of getRegionType(); emitted once.
  mlir::Value emit(const Node *node);
  /// `node` with elements of `element` and the feature axes of `shape`, if that
  /// is not null.
  mlir::Value emitAs(const Node *node, mlir::Type element, const Node *shape);

private:
  mlir::Value emitNew(const Node *node);
  mlir::Value emitRead(const Node *node);
  mlir::Value emitExtent(const std::string &axis);
  mlir::Value emitComputedRead(const Node *node, mlir::Value tensor);
  mlir::Value emitHoisted(const Node *node,
                          const RegionContext::Hoisted &hoisted);
  mlir::Value emitShare(mlir::Value tensor, int64_t dimension,
                        llvm::StringRef axis);
  mlir::Value emitReal(const Node *node);
  mlir::Value emitInteger(const Node *node);
  mlir::Value emitBoolean(const Node *node);
  mlir::Value emitRows(const Node *node);
  mlir::Value emitLog2Floor(const Node *node);
  mlir::Value emitConstant(mlir::Attribute value, const Node *shape);
  mlir::Value emitReals(llvm::ArrayRef<double> reals, const Node *shape);
  mlir::Value emitIndex(int64_t value);
  mlir::Value resize(mlir::Value value, mlir::Type element);
  /// The wider of the integer types of result and operands.
  mlir::Type getWorkType(const Node *node, bool withResult);
  mlir::Type withShape(mlir::Type element, const Node *shape);

  mlir::OpBuilder &builder;
  const support::SourceFile &source;
  const RegionContext &context;
  mlir::Location location; ///< Of what is emitted now.
  bool hasExactReals = false;
  llvm::DenseMap<const Node *, mlir::Value> emitted;
  /// Conversions and constants, so that each is there once.
  std::map<std::pair<const void *, std::pair<const void *, int64_t>>,
           mlir::Value>
      converted;
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_EMITREGION_H
