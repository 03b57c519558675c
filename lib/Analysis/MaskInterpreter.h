// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Interval arithmetic over the values of a mask region. Internal to the
/// analysis.

#ifndef RAPT_LIB_ANALYSIS_MASKINTERPRETER_H
#define RAPT_LIB_ANALYSIS_MASKINTERPRETER_H

#include "dialects/Attn/IR/Attn.h"
#include "lib/Analysis/KeyRanges.h"
#include "lib/Analysis/LinearForms.h"
#include "lib/Analysis/MaskClasses.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"

namespace rapt::analysis {

/// Emits what is known of values over a rectangle of pairs. A Scope is a part
/// of the rectangle: the pairs for which some comparisons hold.
///
/// Of an integer the bounds are i64. Of a real number they are f32 and rounded
/// as the kernel rounds, which keeps their order; a NaN is possible only if
/// they are -inf and inf. Of booleans see mayBe().
class MaskInterpreter {
public:
  MaskInterpreter(mlir::OpBuilder &builder, mlir::Location location,
                  llvm::DenseMap<mlir::Value, Bounds> bounds,
                  ReadRange readRange, EvaluateShape evaluateShape);

  /// i1: whether a boolean may be `wanted` for some pair of the rectangle.
  mlir::Value mayBe(mlir::Value value, bool wanted) {
    return mayBe(scopes.front().get(), value, wanted);
  }

  /// Keys of the arguments row and i, which differ by the same for all pairs.
  void linkPositions(mlir::Value row, mlir::Value position);

  /// The keys around `key` (i64) for which `value`, a boolean, may hold and may
  /// not, where the key of the region is `argument`. See emitMaskKeys().
  std::optional<MaskKeys> emitKeys(mlir::Value value, mlir::Value argument,
                                   mlir::Value key);
  /// The same for pairs that `value` keeps here and drops in `other`.
  std::optional<MaskKeys> emitKeysBeyond(MaskInterpreter &other,
                                         mlir::Value value,
                                         mlir::Value argument, mlir::Value key);

  /// Where knowledge ends, see MaskClass.
  llvm::ArrayRef<mlir::Operation *> getUnknown() const {
    return unknown.getArrayRef();
  }

private:
  void noteUnknown(mlir::Operation *op);

  using Predicate = mlir::arith::CmpIPredicate;
  /// A boolean and the value that it shall have.
  struct Literal {
    mlir::Value value;
    bool wanted;
  };
  struct Scope {
    Scope *parent = nullptr;
    unsigned depth = 0;
    /// What is known of the keys of linear forms; either bound may be null.
    llvm::DenseMap<unsigned, Bounds> constraints;
    llvm::DenseMap<mlir::Value, Bounds> known;
    llvm::DenseMap<mlir::Value, bool> affected;
    llvm::DenseMap<std::pair<mlir::Value, unsigned>, mlir::Value> possible;
  };

  // Short names.
  mlir::Value constant(bool value);
  mlir::Value constant(int64_t value);
  template <typename Op> mlir::Value fold(mlir::Value a, mlir::Value b) {
    return builder.createOrFold<Op>(location, a, b);
  }
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return a && b ? fold<mlir::arith::AddIOp>(a, b) : a ? a : b;
  }
  mlir::Value subtract(mlir::Value a, mlir::Value b) {
    return b ? fold<mlir::arith::SubIOp>(a, b) : a;
  }
  mlir::Value minimum(mlir::Value a, mlir::Value b) {
    return fold<mlir::arith::MinSIOp>(a, b);
  }
  mlir::Value maximum(mlir::Value a, mlir::Value b) {
    return fold<mlir::arith::MaxSIOp>(a, b);
  }
  mlir::Value both(mlir::Value a, mlir::Value b) {
    return fold<mlir::arith::AndIOp>(a, b);
  }
  mlir::Value either(mlir::Value a, mlir::Value b) {
    return fold<mlir::arith::OrIOp>(a, b);
  }
  mlir::Value invert(mlir::Value value) {
    return fold<mlir::arith::XOrIOp>(value, constant(true));
  }
  mlir::Value compare(Predicate predicate, mlir::Value a, mlir::Value b) {
    return builder.createOrFold<mlir::arith::CmpIOp>(location, predicate, a, b);
  }
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) {
    return builder.createOrFold<mlir::arith::SelectOp>(location, condition, a,
                                                       b);
  }
  mlir::Value floorDivide(mlir::Value a, mlir::Value b) {
    return fold<mlir::arith::FloorDivSIOp>(a, b);
  }
  mlir::Value modulo(mlir::Value a, mlir::Value positive) {
    return subtract(
        a, fold<mlir::arith::MulIOp>(floorDivide(a, positive), positive));
  }

  // Scopes: MaskScopes.cpp.
  Scope *refine(Scope *scope, llvm::ArrayRef<Literal> literals);
  void addComparison(Scope &scope, mlir::arith::CmpIOp op, Predicate predicate);
  void addConstraint(Scope &scope, const LinearForm &form, mlir::Value low,
                     mlir::Value high, unsigned depth);
  Bounds getConstraint(Scope *scope, unsigned key);
  bool isAffected(Scope *scope, mlir::Value value);

  // Booleans: MaskClasses.cpp.
  mlir::Value mayBe(Scope *scope, mlir::Value value, bool wanted);
  mlir::Value findPossible(Scope *scope, mlir::Value value, bool wanted);
  mlir::Value mayAllBe(Scope *scope, llvm::ArrayRef<Literal> literals);
  mlir::Value mayAgree(Scope *scope, mlir::Value a, mlir::Value b, bool agree);
  mlir::Value mayCompare(Scope *scope, mlir::arith::CmpIOp op,
                         Predicate predicate);
  mlir::Value mayCompare(Predicate predicate, Bounds a, Bounds b);
  mlir::Value mayHaveRemainder(Scope *scope, const LinearForm &difference,
                               Predicate predicate);
  mlir::Value getExactBoolean(mlir::Value value);

  // Integers: IntegerBounds.cpp.
  Bounds get(Scope *scope, mlir::Value value);
  mlir::Value getExact(mlir::Value value);
  Bounds interpret(Scope *scope, mlir::Operation *op);
  Bounds interpretInteger(Scope *scope, mlir::Operation *op);
  Bounds interpretRead(Scope *scope, attn::ReadOp op);
  Bounds interpretSelect(Scope *scope, mlir::arith::SelectOp op);
  Bounds narrow(Scope *scope, const LinearForm &form, Bounds bounds);
  Bounds refineByForm(Scope *scope, mlir::Value value, Bounds bounds);
  Bounds sum(Scope *scope, const LinearForm &form);
  Bounds multiply(Bounds a, Bounds b);
  Bounds floorDivide(Bounds a, Bounds b);
  Bounds modulo(Bounds a, Bounds b, mlir::Value dividend);
  Bounds absolute(Bounds a);
  template <typename Op> Bounds monotone(Bounds a, Bounds b, bool bFalls);

  // Sets of keys: KeyRanges.cpp.
  struct KeySet;
  struct KeyTerm {
    mlir::Value atom; ///< Null: the form does not depend on the key.
    int64_t coefficient = 0;
    Bounds rest;
  };
  bool dependsOn(mlir::Value value, mlir::Value argument);
  bool haveResiduesCompany();
  struct KeySides;
  std::optional<KeySides> findSides(mlir::Value value, mlir::Value argument);
  KeyRange askKeys(const KeySet &set, mlir::Value key);
  void compareBounds(KeySet &set);
  std::optional<KeyTerm> splitForm(const LinearForm &form, mlir::Value key);
  std::optional<KeySet> joinKeys(bool isAll,
                                 llvm::ArrayRef<std::optional<KeySet>> parts);
  std::optional<KeySet> findKeys(mlir::Value value, bool wanted,
                                 mlir::Value key);
  std::optional<KeySet> findKeys(const LinearForm &form, mlir::Value low,
                                 mlir::Value high, mlir::Value key);
  std::optional<KeySet> findKeysOfAtom(mlir::Value atom, mlir::Value low,
                                       mlir::Value high, mlir::Value key);
  mlir::Value emitNextKey(const KeySet &set, mlir::Value key);
  mlir::Value emitEndOfKeys(const KeySet &set, mlir::Value key);

  // Reals: RealBounds.cpp.
  Bounds interpretReal(Scope *scope, mlir::Operation *op);
  Bounds interpretFloor(Scope *scope, mlir::arith::FPToSIOp op);
  mlir::Value mayCompare(Scope *scope, mlir::arith::CmpFOp op, bool wanted);

  mlir::OpBuilder &builder;
  mlir::Location location;
  ReadRange readRange;
  EvaluateShape evaluateShape;
  LinearForms forms;
  /// Results of operations of which the caller says what is known; of booleans
  /// (may hold, must hold). It need not be what their operands say.
  llvm::DenseMap<mlir::Value, Bounds> given;
  llvm::DenseMap<mlir::Value, mlir::Value> exactBooleans;
  llvm::SetVector<mlir::Operation *> unknown;
  llvm::DenseMap<mlir::Value, bool> dependences; ///< on the key
  unsigned keySets = 0, keyCondition = 0;
  llvm::DenseMap<unsigned, llvm::DenseSet<unsigned>> conditionsOfAtoms;
  llvm::DenseSet<unsigned> residueConditions;
  /// The first is the whole rectangle.
  llvm::SmallVector<std::unique_ptr<Scope>> scopes;
};

/// What holds if `predicate` does not.
mlir::arith::CmpIPredicate negate(mlir::arith::CmpIPredicate predicate);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_MASKINTERPRETER_H
