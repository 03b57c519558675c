// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A spec taken apart: its operations as nodes over bound tensors, and the
/// evaluation of their rows. Internal to the Reference.

#ifndef RAPT_LIB_REFERENCE_ATTNGRAPH_H
#define RAPT_LIB_REFERENCE_ATTNGRAPH_H

#include "dialects/Attn/IR/Attn.h"
#include "lib/Reference/RegionProgram.h"
#include <functional>
#include <memory>
#include <variant>

namespace rapt::reference {

/// Runs `body(worker, index)` for every index below `count` on `threads`
/// threads, `chunk` of them at a time.
void parallelFor(int64_t count, unsigned threads,
                 llvm::function_ref<void(unsigned worker, int64_t index)> body,
                 int64_t chunk = 16);

/// The extents `shape(B, H, M, N)` of an operation.
struct Shape {
  int64_t batch = 0, heads = 0, queries = 0, keys = 0;
  Placement placement = {};

  /// The position of a query.
  int64_t getPosition(int64_t row) const {
    return placement.positions.empty() ? row + keys - queries
                                       : placement.positions[row];
  }
};

struct Node;

/// An operand [B', H', L, D]: a tensor in memory, or rows computed when asked
/// for.
struct Source {
  TensorView view;            ///< used if there is no node
  const Node *node = nullptr; ///< the operation that computes the rows
  int64_t batch = 0, heads = 0, length = 0, features = 0;
  bool isInteger = false;
};

/// What attn.map and attn.attend have in common.
struct Node {
  virtual ~Node() = default;
  unsigned number = 0; ///< indexes the state of a worker
  Shape shape;
  std::vector<TensorView> captures;
  support::ElementType resultType = support::ElementType::F32;
  int64_t length = 0, features = 0;
  bool readsAttend = false; ///< an attend is computed on the way to a row

  Surroundings getSurroundings() const {
    return {captures, shape.heads, shape.queries, shape.keys,
            shape.placement.sequence};
  }
};

struct MapNode : Node {
  bool overKeys = false;
  std::vector<Source> rows;
  RegionProgram body;
};

struct AttendNode : Node {
  attn::Reduction reduction = attn::Reduction::Softmax;
  double epsilon = 0;
  std::vector<Source> queries, keys;
  Source values;
  std::vector<TensorView> steps;
  RegionProgram score;
  std::optional<RegionProgram> mask, factor, sink, carry;
  bool isPerFeature = false; ///< The score is a row.
};

/// The body of a scan in normal form.
struct AffineBody {
  RegionProgram step, read;
  std::vector<attn::TransitionAttr> transitions;
  std::vector<size_t> valueCounts; ///< Values of each transition.
};

/// Step by step, so that it is computed whole and never by rows. Operands are
/// tensors in memory.
struct ScanNode {
  Shape shape;
  bool isReverse = false;
  std::vector<TensorView> queries, keys, captures;
  RegionProgram initial, body;
  std::optional<AffineBody> affine; ///< In the place of `body`.
  unsigned states = 0;
  std::vector<llvm::SmallVector<int64_t, 2>> stateExtents;
  std::vector<support::ElementType> outputTypes;

  Surroundings getSurroundings() const {
    return {captures, shape.heads, shape.queries, shape.keys,
            shape.placement.sequence};
  }
};

/// A state after the last step, [batch, heads, extents of the state...].
struct FinalState {
  std::string name;
  TensorView view;
};

/// Branches joined by their log-sum-exp.
struct MergeNode : Node {
  std::vector<Source> branches;
  std::vector<const Node *> lses; ///< an attend or a merge for each branch
};

/// The operations of a spec. `results` are the source of the output and, if the
/// spec returns it, the node whose log-sum-exp is the second result.
struct Graph {
  Placement placement; ///< of all loops
  std::vector<std::unique_ptr<Node>> nodes;
  Source output;
  support::ElementType outputType = support::ElementType::F32;
  const Node *lse = nullptr;      ///< an attend or a merge
  std::vector<FinalState> states; ///< results of the spec
  bool isRounded = false;         ///< reals are float, else double
  /// Of the products of rounded reals: what their operands are rounded to.
  support::ElementType operands = support::ElementType::F32;
  unsigned threads = 1;
  std::vector<std::unique_ptr<std::vector<char>>> storage; ///< computed tensors
};

/// An operand of a product, as units for matrix products take it.
inline double roundOperand(const Graph &, double value) { return value; }
inline float roundOperand(const Graph &graph, float value) {
  return static_cast<float>(support::roundTo(graph.operands, value));
}

/// Computes nodes as a whole; what they return is owned by the graph.
struct Materialize {
  std::function<TensorView(const Node &)> rows;
  /// The outputs, then the states after the last step.
  std::function<std::vector<TensorView>(const ScanNode &)> scan;
};

/// Builds the graph of `spec` over the tensors. Scans, and values that the rows
/// of other nodes are not computed from one by one, go through `materialize`.
llvm::Error buildGraph(mlir::func::FuncOp spec,
                       llvm::ArrayRef<NamedTensor> tensors, Graph &graph,
                       const Materialize &materialize);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_ATTNGRAPH_H
