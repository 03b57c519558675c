// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The type rule: makes nodes from nodes, converts integers to reals, matches
/// feature axes, follows the range of integers, folds constants, and reports
/// what does not fit. An operand that is poison gives poison without a word.

#ifndef RAPT_LIB_FRONTEND_BUILDER_H
#define RAPT_LIB_FRONTEND_BUILDER_H

#include "lib/Frontend/Graph.h"
#include "lib/Support/MaxLength.h"
#include "llvm/ADT/DenseMap.h"

namespace rapt::frontend {

class SymbolIndex;

class Builder {
public:
  /// Positions count from 0 and lengths are at most this many.
  static constexpr int64_t maxLength = support::kMaxLength;

  Builder(Graph &graph, support::DiagnosticEngine &diags)
      : graph(graph), diags(diags) {}

  support::DiagnosticEngine &getDiagnostics() { return diags; }

  /// Who wants to know what names stand for and which types expressions have;
  /// null if nobody does. A builder that only tries things out has none.
  SymbolIndex *getIndex() const { return index; }
  void setIndex(SymbolIndex *newIndex) { index = newIndex; }
  /// Tells the index the value of the name that is given at a place.
  void bind(SourceRange place, const Node *value);

  /// Reports an error and gives poison.
  Node *error(SourceRange range, const llvm::Twine &message);
  /// "not compiled yet: <what>". Said once: whoever reads it has to write the
  /// definition in another way, or wait, whatever else is in it.
  Node *notCompiled(SourceRange range, const llvm::Twine &what);
  Node *poison();

  //===--------------------------------------------------------------------===//
  // Leaves
  //===--------------------------------------------------------------------===//

  Node *boolean(bool value);
  Node *integer(int64_t value);
  Node *real(double value);
  Node *realRow(std::vector<double> values, Feature feature);
  /// Batch, Head, Row, QueryPosition or KeyPosition; the last of another axis
  /// than tokens too, as Row is.
  Node *place(Op op, const SequenceAxis *sequence = nullptr);
  /// The number of places of an axis; null is that of keys.
  Node *axisLength(const SequenceAxis *axis, SourceRange range);
  Node *share(llvm::StringRef axis);
  /// Length, LeadingExtent or UnknownExtent.
  Node *extent(Op op, llvm::StringRef axis);
  Node *roleValue(RoleKind role);
  /// A value of which only the type is known before an extent is.
  Node *deferred(Scalar scalar, llvm::ArrayRef<Feature> features,
                 llvm::ArrayRef<Node *> operands);
  /// The input at the current place; features are kept.
  Node *read(const InputTensor &input);
  /// The index that reads dimension d of an input at the current place; null
  /// for a feature axis.
  Node *getOwnIndex(const InputTensor &input, unsigned dimension);

  //===--------------------------------------------------------------------===//
  // Element by element
  //===--------------------------------------------------------------------===//

  /// Add, Sub, Mul, Minimum, Maximum: of integers, else of reals.
  Node *arithmetic(Op op, Operand a, Operand b);
  /// `/`: of integers rounded down, else of reals.
  Node *divide(Operand a, Operand b);
  Node *modulo(Operand a, Operand b);
  Node *negate(Operand a);
  Node *absolute(Operand a);
  /// Exp .. Acos.
  Node *realFunction(Op op, Operand a);
  Node *power(Operand base, Operand exponent, SourceRange range);
  Node *exclusiveOr(Operand a, Operand b);
  Node *log2Floor(Operand a);
  Node *compare(CompareOp op, Operand a, Operand b);
  Node *logical(Op op, Operand a, Operand b); ///< And, Or
  Node *logicalNot(Operand a);
  Node *select(Operand condition, Operand a, Operand b);
  Node *toReal(Operand a);
  Node *floor(Operand a);
  Node *toInteger(Operand boolean);

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  Node *dot(Operand a, Operand b, SourceRange range);
  Node *matVec(Operand matrix, Operand row, SourceRange range);
  Node *vecMat(Operand row, Operand matrix, SourceRange range);
  Node *outer(Operand a, Operand b, SourceRange range);
  /// ReduceAdd, ReduceMax, ReduceMin, ReduceArgmax.
  Node *reduce(Op op, Operand row);
  /// Features [begin, end).
  Node *slice(Operand row, int64_t begin, int64_t end);
  Node *concat(llvm::ArrayRef<Operand> rows, SourceRange range);
  Node *rename(Operand row, llvm::StringRef name);
  /// True, or an error that names what was found.
  bool expectRow(Operand a);
  bool expectScalar(Operand a, const llvm::Twine &what);
  bool expectInteger(Operand a, const llvm::Twine &what);
  bool expectBoolean(Operand a);
  bool expectNumber(Operand a);

  //===--------------------------------------------------------------------===//
  // The loop over time
  //===--------------------------------------------------------------------===//

  /// The state `name` before this step.
  Node *state(llvm::StringRef name, llvm::ArrayRef<Feature> features);
  Node *cumSum(Operand x, SourceRange range);
  /// `node` where the first position is `start`; an error if it needs what came
  /// before that.
  Node *startAt(Node *node, Node *start);
  /// A state at the present batch and head from a tensor [batch, heads, ...].
  Node *readState(const InputTensor &input, llvm::ArrayRef<Feature> features);
  /// The carried row `name` before a step, and the row that `step` makes of
  /// `initial`, once at every key after its own up to the query.
  Node *carry(llvm::StringRef name, llvm::ArrayRef<Feature> features);
  Node *carried(Node *initial, Node *step, SourceRange range);
  /// For a builder whose diagnostics nobody reads: while the shapes of states
  /// are not known, what does not fit is a number of which nothing is known.
  void setSettling() { isSettling = true; }

  //===--------------------------------------------------------------------===//
  // The pairwise loop
  //===--------------------------------------------------------------------===//

  Node *keyReduction(Op op, llvm::ArrayRef<Node *> operands, double epsilon,
                     SourceRange range);
  Node *uniform(Operand seed, SourceRange range);

  //===--------------------------------------------------------------------===//
  // Sets
  //===--------------------------------------------------------------------===//

  /// Whether an integer is in a set, or in a row of integers.
  Node *contains(Operand set, Operand element, SourceRange range);

  //===--------------------------------------------------------------------===//
  // Rewriting
  //===--------------------------------------------------------------------===//

  /// `node` with the key's position replaced by `index`; zero or false if that
  /// lies outside the sequence.
  Node *atKey(Node *node, Operand index);
  /// `node`, which varies over windows of queries, at window `index`.
  Node *atQuery(Node *node, Operand index);
  /// What varies over queries, of the query that stands at the key; zero where
  /// there is none.
  Node *queryAtKey(Node *node, SourceRange range);
  /// The row of a matrix, along its first axis, that `index` stands for.
  Node *rowAt(Node *matrix, Node *index, SourceRange range);
  /// `node` at the query that many places earlier; zero or false before the
  /// first query and behind the last.
  Node *shiftQueries(Node *node, Operand steps);
  /// `value` where `inside` holds, else zero or false.
  Node *zeroUnless(Operand inside, Operand value);
  /// Feature `index` of a row; an index outside has no meaning.
  Node *elementAt(Node *row, Node *index, SourceRange range);
  /// A changed copy of a node whose type the caller has set.
  Node *remake(Node copy, SourceRange range) {
    return make(std::move(copy), range);
  }
  Node *readAt(Node *running, Operand index);
  /// `node` with other nodes replaced; everything above them is made anew.
  Node *replace(Node *node,
                llvm::ArrayRef<std::pair<const Node *, Node *>> replacements);
  /// `node` with every RoleValue of `role` replaced.
  Node *replaceRole(Node *node, RoleKind role, Node *value);

private:
  using Replacement = llvm::DenseMap<const Node *, Node *>;

  Node *make(Node prototype, SourceRange range);
  Node *elementwise(Op op, Scalar scalar, llvm::ArrayRef<Operand> operands,
                    SourceRange range, Interval interval = {},
                    bool isQuotient = false);
  /// The feature axes of an operation on all operands; nothing if they differ.
  bool unify(llvm::ArrayRef<Operand> operands,
             llvm::SmallVectorImpl<Feature> &features);
  bool matchFeatures(Operand a, Operand b, Feature &common);
  bool unifyMatrices(Operand matrix, llvm::ArrayRef<Operand> operands,
                     llvm::SmallVectorImpl<Feature> &features);
  Node *foldReal(Op op, llvm::ArrayRef<Operand> operands, SourceRange range);
  Node *foldInteger(Op op, llvm::ArrayRef<Operand> operands, SourceRange range);
  bool checkDivisor(Operand divisor);
  /// Makes `node` again with other operands.
  Node *rebuild(const Node *node, llvm::ArrayRef<Node *> operands);
  Node *rewrite(Node *node, Replacement &replaced);

  Graph &graph;
  support::DiagnosticEngine &diags;
  SymbolIndex *index = nullptr;
  bool isTooLarge = false;
  bool saidNotCompiled = false;
  bool isSettling = false;
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_BUILDER_H
