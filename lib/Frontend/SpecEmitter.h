// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The emission of one definition as operations of the attn dialect; one file
/// for each kind of operation. Internal to the front end.

#ifndef RAPT_LIB_FRONTEND_SPECEMITTER_H
#define RAPT_LIB_FRONTEND_SPECEMITTER_H

#include "dialects/Attn/IR/Attn.h"
#include "lib/Frontend/Builder.h"
#include "lib/Frontend/Computed.h"
#include "lib/Frontend/EmitRegion.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/DenseSet.h"

namespace rapt::frontend {

/// What a region needs from outside, found before it is emitted.
struct RegionPlan {
  llvm::SmallVector<Node *> products; ///< Of a query row and a key row.
  llvm::SmallVector<Node *> rows;     ///< Rows of a map at its own place.
  llvm::SmallVector<Node *> carried;  ///< Rows of keys that change on the way.
  llvm::SmallVector<Node *> keyRows;  ///< Rows of a scan or carry at its key.
  llvm::SmallVector<mlir::Value> captures;
  llvm::DenseMap<const InputTensor *, unsigned> inputs;
  llvm::DenseMap<const Node *, std::pair<unsigned, RegionContext::Hoisted>>
      hoisted;
  std::map<std::string, std::pair<unsigned, int64_t>> extents;
  llvm::DenseMap<const Node *, Node *> expanded;
  llvm::DenseSet<const Node *> visited;
  /// The positions and lengths of the operation are those of tokens.
  bool isOverTokens = true;
  /// Short rows of a pair are written out feature by feature.
  bool expandsRows = false;
};

/// What a loop over pairs runs over.
struct PairShape {
  const SequenceAxis *queryAxis = nullptr, *keyAxis = nullptr;
  bool hasQueries = true, hasKeys = true; ///< A side may have one place.
  std::string headAxis;

  bool isOverTokens() const {
    return hasQueries && hasKeys && !queryAxis && !keyAxis;
  }
};

/// A loop over time to emit.
struct ScanRequest {
  llvm::SmallVector<const RecurrentState *> states;
  llvm::SmallVector<Node *> outputs;   ///< Rows or numbers.
  llvm::SmallVector<mlir::Type> types; ///< Element types of the outputs.
  std::string headAxis;
  bool isReverse = false, givesStates = false;
  bool isOverKeys = false; ///< The outputs have a row for each key.
  SourceRange place;
};

class SpecEmitter {
public:
  SpecEmitter(const Spec &spec, mlir::MLIRContext &context,
              support::DiagnosticEngine &diags)
      : spec(spec), program(const_cast<Program &>(*spec.program)), diags(diags),
        nodes(program.graph, diags), builder(&context),
        location(mlir::UnknownLoc::get(&context)) {}

  mlir::OwningOpRef<mlir::ModuleOp> emit();

private:
  void createFunction(mlir::ModuleOp module);
  bool isValid(mlir::ModuleOp module);
  mlir::Location getLocation(SourceRange range);
  mlir::Value getExtent(llvm::StringRef axis);
  /// Null is the axis of tokens of this side.
  mlir::Value getExtent(const SequenceAxis *axis, bool isQuery);
  mlir::Value getArgument(const InputTensor *input);
  int64_t getStaticExtent(llvm::StringRef axis) const {
    return axis.empty() ? 1 : mlir::ShapedType::kDynamic;
  }

  // Planning.
  bool planPair(Node *node, RegionPlan &plan);
  bool planPairRow(Node *node, RegionPlan &plan);
  void planPlace(Node *node, RegionPlan &plan);
  void hoist(Node *node, RegionPlan &plan);
  void planMap(Node *node, attn::Side side, RegionPlan &plan);
  void capture(const InputTensor *input, RegionPlan &plan);
  void captureExtent(llvm::StringRef axis, RegionPlan &plan);
  bool planExpansion(Node *node, RegionPlan &plan);
  bool isProduct(const Node *node) const;
  bool isOwnRow(const Node *node, attn::Side side);
  void captureRunning(Node *node, RegionPlan &plan);
  void planScan(Node *node, RegionPlan &plan);
  std::string getHeadAxis(unsigned varies) const;
  std::string getHeadAxis(const Loop &loop) const;

  // Operands.
  mlir::Value getInputRows(const Node *node);
  mlir::Value getRows(Node *node, attn::Side side, const SequenceAxis *axis);
  mlir::Value getMap(Node *node, attn::Side side, const SequenceAxis *axis);
  mlir::Value emitMap(Node *node, attn::Side side, const SequenceAxis *axis,
                      llvm::StringRef headAxis, mlir::Type element);
  mlir::Type getRegionRowType(const Node &node);
  void bindRow(const Node *node, mlir::Value row, RegionContext &context);
  void bindCaptures(const RegionPlan &plan, mlir::Block &block, unsigned first,
                    RegionContext &context);

  // The loop over time (EmitScan.cpp).
  mlir::Value getCumSum(Node *node);
  mlir::Value emitScans(const Loop &loop, llvm::StringRef headAxis,
                        mlir::Type element);
  attn::ScanOp emitScan(const ScanRequest &request);
  bool findOutputs(const Loop &loop, Node *node,
                   llvm::SmallVectorImpl<Node *> &forwards,
                   llvm::SmallVectorImpl<Node *> &backwards);

  // The pairwise loop.
  attn::AttendOp emitAttend(const Loop &loop, llvm::StringRef headAxis);
  RegionContext makeQueryContext(mlir::Block &block, const PairShape &shape);
  void emitPairRegion(mlir::Region &region, Node *node, const RegionPlan &plan,
                      const PairShape &shape, mlir::Type element = {});
  void emitCarryRegion(attn::AttendOp attend, const Loop &loop,
                       const RegionPlan &plan, llvm::StringRef headAxis);
  void emitQueryRegion(mlir::Region &region, Node *node, const RegionPlan &plan,
                       const PairShape &shape, mlir::Type element = {});
  mlir::Value getKeyRows(Node *row, RegionPlan &plan, const SequenceAxis *axis);
  void getProducts(RegionPlan &plan, const PairShape &shape,
                   llvm::SmallVectorImpl<mlir::Value> &queries,
                   llvm::SmallVectorImpl<mlir::Value> &keys);
  void emitYield(Node *node, const RegionContext &context, mlir::Type element);

  // What is computed whole (EmitRouting.cpp). Null after an error.
  mlir::Value getComputed(const Computed &computed);
  mlir::Value emitComputed(const Computed &computed);
  mlir::Value emitPool(const Computed &computed);
  mlir::Value emitPairs(Node *node);
  mlir::Value emitWeights(const Loop &loop);
  mlir::Value emitSelect(const Computed &computed);
  mlir::Value emitAggregate(const Computed &computed);
  mlir::Value emitMerge(const Computed &computed);
  attn::AttendOp getAttend(const Loop &loop);
  mlir::Value getResult(const Loop &loop);
  mlir::RankedTensorType getPairType(const PairShape &shape,
                                     mlir::Type element);
  PairShape getShape(const Computed &computed) const;
  bool emitResults();

  const Spec &spec;
  Program &program;
  support::DiagnosticEngine &diags;
  Builder nodes;
  mlir::OpBuilder builder;
  mlir::Location location;
  mlir::func::FuncOp function;
  std::map<std::string, mlir::Value> extents;
  std::map<std::tuple<const Node *, int, const SequenceAxis *>, mlir::Value>
      maps;
  llvm::DenseMap<const InputTensor *, mlir::Value> unsqueezed;
  /// Results of loops, by what stands for them in an expression.
  llvm::DenseMap<const Node *, mlir::Value> sums;
  llvm::DenseMap<const SequenceAxis *, mlir::Value> axisExtents;
  llvm::DenseMap<const Computed *, mlir::Value> computedTensors;
  llvm::DenseMap<const Computed *, mlir::Value> mergedLses;
  llvm::DenseMap<const Loop *, attn::AttendOp> attends;
  llvm::DenseMap<const Node *, mlir::Value> cumSums;
  /// Results of scans from which `out` is made.
  llvm::DenseMap<const Node *, mlir::Value> scanned;
  llvm::DenseMap<const RecurrentState *, mlir::Value> finalStates;
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_SPECEMITTER_H
