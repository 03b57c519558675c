// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Typed expressions of one definition: a graph in which equal expressions are
/// one node. `let` names, functions and defaults are gone; every read of an
/// input says at which place.

#ifndef RAPT_LIB_FRONTEND_GRAPH_H
#define RAPT_LIB_FRONTEND_GRAPH_H

#include "lib/Frontend/Interval.h"
#include "lib/Frontend/Sema.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <deque>

namespace rapt::frontend {

/// The places a value can vary over, as bits. A head axis shared by several
/// heads is a place of its own: a value that varies over nothing finer is
/// computed once per group.
enum Varies : uint8_t {
  VariesBatch = 1,
  VariesHead = 2,
  VariesKeyHead = 4, ///< `kv_heads`
  VariesGroup = 8,   ///< `groups`
  VariesQuery = 16,
  VariesKey = 32,
  VariesAnyHead = VariesHead | VariesKeyHead | VariesGroup,
  VariesPair = VariesQuery | VariesKey,
};

/// Poison stands for an expression with an error that was reported. A set is a
/// set of integers; it has no features and is read by `in` alone.
enum class Scalar : uint8_t { Poison, Boolean, Integer, Real, Set };

/// Places other than tokens that a loop can run over: windows of tokens, a
/// feature axis that stands for queries or keys, the values of an integer.
struct SequenceAxis {
  enum class Kind : uint8_t { Windows, Features, Values };
  Kind kind = Kind::Windows;
  bool isQuery = false;
  std::string name; ///< For messages: "blocks of 16 keys", "slots".
  /// Windows: what they consist of (null: tokens), how many of them, how far
  /// apart.
  const SequenceAxis *base = nullptr;
  int64_t size = 1, stride = 1;
  /// Features: the extent, -1 if it is not known.
  int64_t extent = -1;

  /// Stands for whatever axis the other side has.
  static const SequenceAxis *any();
};

/// A feature axis; without a name it is matched by its extent, which is -1 as
/// long as it is not known.
struct Feature {
  std::string name;
  int64_t extent = -1;

  bool isKnown() const { return extent >= 0; }
};

enum class Op : uint8_t {
  Poison,
  // Constants and places.
  Boolean,
  Integer,
  Real,
  RealRow,
  Batch,
  Head,
  Share, ///< Head along the axis `name`: kv_heads or groups.
  Row,
  QueryPosition,
  KeyPosition,
  Length,        ///< `name`: queries or keys.
  LeadingExtent, ///< `name`: batch, heads, kv_heads or groups.
  UnknownExtent, ///< A feature extent that is not known yet.
  /// Something computed from the operands once an extent is known.
  Deferred,
  /// operands[d] is the index into dimension d of `input`, null if it is kept.
  Read,
  // The loop over time.
  State,  ///< `name`: the state before this step.
  CumSum, ///< Sum of the operand over this key and those before it.
  At,     ///< operands: a CumSum, and the key at which it is read.
  // The pairwise loop.
  Carry,     ///< `name`: a carried row before the step at this key.
  Carried,   ///< operands: the row of the key, and what a step makes of Carry.
  RoleValue, ///< mask, score or weight, by `integer`.
  KeySoftmax,
  KeyNormalize, ///< `real`: epsilon.
  KeySum,
  Uniform, ///< operands: seed, b, h, i, j
  // Element by element, on integers and reals.
  Add,
  Sub,
  Mul,
  Negate,
  Minimum,
  Maximum,
  Absolute,
  Select,
  // Integers.
  FloorDivide,
  Modulo,
  Xor,
  Log2Floor,
  // Booleans.
  And,
  Or,
  Not,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  // Reals.
  Divide,
  Exp,
  ExpM1,
  Log,
  Log1P,
  Sqrt,
  Tanh,
  Sin,
  Cos,
  Acos,
  Power,
  // Conversions.
  RealFromInteger,
  FloorToInteger,
  IntegerFromBoolean,
  // Rows.
  Dot,
  MatVec,
  VecMat,
  Outer,
  ReduceAdd,
  ReduceMax,
  ReduceMin,
  ReduceArgmax,
  Slice, ///< From feature `integer`.
  Concat,
  Rename,
};

struct Computed;

/// An input as declared, or a tensor that is computed whole before it is read.
struct InputTensor {
  std::string name;
  SourceRange range; ///< Of its name, or of the definition's if implicit.
  support::ElementType elementType = support::ElementType::F32;
  std::vector<TensorAxis> axes;
  bool isImplicit = false;
  /// How it is computed; null for an argument.
  const Computed *computed = nullptr;
  bool isSet = false;               ///< Its last axis holds the elements.
  std::optional<Interval> interval; ///< Of integers, if it is known better.

  unsigned rank() const { return axes.size(); }
};

/// An expression. Immutable once it is in a graph.
struct Node {
  Op op = Op::Poison;
  Scalar scalar = Scalar::Poison;
  uint8_t varies = 0;
  bool isQuotient = false; ///< An integer quotient, or a sum of such.
  bool hasRows = false;    ///< Something below has a feature axis.
  llvm::SmallVector<Feature, 1> features;
  Interval range; ///< Of an integer.

  llvm::SmallVector<Node *, 2> operands;
  const InputTensor *input = nullptr;
  int64_t integer = 0;
  double real = 0;
  std::vector<double> row;
  std::string name;
  /// Of a place or a length: what it counts; null for tokens.
  const SequenceAxis *sequence = nullptr;

  /// What `varies` is over, on either side; null for tokens.
  const SequenceAxis *queryAxis = nullptr, *keyAxis = nullptr;
  /// The two operands that vary over different axes of one side, if any do.
  std::pair<Node *, Node *> conflict = {};

  SourceRange place;
  unsigned id = 0;
  unsigned depth = 0;

  bool isPoison() const { return scalar == Scalar::Poison; }
  bool isScalar() const { return features.empty(); }
  bool isRow() const { return features.size() == 1; }
  bool isMatrix() const { return features.size() == 2; }
  /// Computed for all keys before it is read at any.
  bool isRunning() const { return op == Op::CumSum || op == Op::At; }
  bool isConstant() const {
    return op == Op::Boolean || op == Op::Integer || op == Op::Real;
  }
  bool variesOver(unsigned places) const { return varies & places; }
};

/// Owns nodes; equal prototypes give one node.
class Graph {
public:
  /// Adds a node, or finds its equal. Places, depth and hasRows follow from the
  /// operands.
  Node *intern(Node prototype);
  unsigned size() const { return nodes.size(); }

private:
  std::deque<Node> nodes;
  std::map<std::vector<int64_t>, Node *> known;
  std::map<std::string, int64_t> names;
};

/// A node and the text that it came from.
struct Operand {
  Node *node = nullptr;
  SourceRange range;
};

inline SourceRange cover(SourceRange a, SourceRange b) {
  return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}
inline bool areIntegers(Operand a, Operand b) {
  return a.node->scalar == Scalar::Integer && b.node->scalar == Scalar::Integer;
}

/// The dimension of a matrix along which a row with this feature axis runs: by
/// name, or by extent where one has none; nothing if none or both match.
std::optional<unsigned> findAlong(const Node &matrix, const Feature &feature);

/// "an integer", "a row of 64 (dim) real numbers", ...
std::string describe(const Node &node);
std::string describe(const Feature &feature);
/// The value of a constant as text.
std::string printConstant(const Node &node);

/// How the weights of one query come from its scores.
enum class WeightKind : uint8_t { Softmax, Ratio, Sum };

/// What a `state` statement carries from one step to the next.
struct RecurrentState {
  std::string name;
  SourceRange range;       ///< Of the name where it is first given.
  Node *before = nullptr;  ///< Op::State, of the type of the state.
  Node *initial = nullptr; ///< May lack feature axes: the same for all of them.
  Node *after = nullptr;
  bool isReverse = false;
};

/// A loop over pairs: for every query, a weighted sum of the values of the
/// keys.
struct Loop {
  std::string name;      ///< Of the branch; empty for the definition's own.
  unsigned number = 0;   ///< No two loops of a program have one.
  SourceRange nameRange; ///< Of the definition or the branch.
  WeightKind kind = WeightKind::Softmax;
  double epsilon = 0;   ///< Of a ratio.
  Node *mask = nullptr; ///< Boolean.
  /// Real, or a row of one for each feature of the values; the weight itself
  /// for WeightKind::Sum.
  Node *score = nullptr;
  Node *factor = nullptr; ///< Real, or null.
  Node *sink = nullptr;   ///< Real per query, or null.
  /// A row per key, which may be carried; null if only weights are asked for.
  Node *values = nullptr;
  Node *keySum = nullptr; ///< Stands for the sum of weight * values in `out`.
  Node *out = nullptr;    ///< A row per query.
  /// The loop over time instead, if there are states.
  std::vector<RecurrentState> states;
  /// What it runs over; null for tokens.
  const SequenceAxis *queryAxis = nullptr, *keyAxis = nullptr;

  /// The parts that are there.
  llvm::SmallVector<Node *> getParts() const;
};

/// A checked definition: its own pairwise loop or loop over time, if it has
/// one, and what is made of its result and of what is computed before it.
class Program : public Loop {
public:
  Graph graph;
  std::deque<InputTensor> inputs;
  std::deque<SequenceAxis> sequences;
  std::deque<Computed> computed;
  std::deque<Loop> loops; ///< Of branches, and of what is computed by a loop.
  support::ElementType elementType = support::ElementType::F32;
  /// No input has queries: they are the keys.
  bool queriesAreKeys = false;

  /// The leading axes that stand for batch and heads; empty if no argument has
  /// one, which is an extent of 1.
  std::string batchAxis, headAxis;

  Program();
  ~Program();

  bool hasLoop() const { return keySum; }
  const InputTensor *findInput(llvm::StringRef name) const;

  /// Window t covers elements t * stride to t * stride + size - 1 of `base`.
  const SequenceAxis *getWindows(bool isQuery, const SequenceAxis *base,
                                 int64_t size, int64_t stride);
  const SequenceAxis *getFeatureAxis(bool isQuery, const Feature &feature);
  /// The values of an integer: 0 .. keys - 1.
  const SequenceAxis *getValueAxis();
};

/// "keys", "blocks of 16 keys", ...
std::string describeAxis(const SequenceAxis *axis, bool isQuery);

/// Calls `visit` once for `node` and everything below it.
void walk(Node *node, llvm::function_ref<void(Node *)> visit);
/// Also for everything that the computed tensors below are computed from.
void walkAll(Node *node, llvm::function_ref<void(Node *)> visit);

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_GRAPH_H
