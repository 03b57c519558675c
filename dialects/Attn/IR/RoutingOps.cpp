// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pooled rows, sets of keys, ranks, weights and reductions of pairs, branches.
// A comment such as `pool_c1` names the constraint of the definition that a
// check is for.

#include "dialects/Attn/IR/RegionChecks.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace rapt::attn;

//===----------------------------------------------------------------------===//
// Pooled rows
//===----------------------------------------------------------------------===//

static bool hasRank4(Value value) {
  return cast<RankedTensorType>(value.getType()).getRank() == 4;
}

static LogicalResult
verifyPositive(Operation *op,
               ArrayRef<std::pair<StringRef, int64_t>> attributes) {
  for (auto [name, value] : attributes)
    if (value < 1)
      return op->emitOpError() << name << " must be positive, got " << value;
  return success();
}

LogicalResult PoolOp::verify() {
  // pool_c1
  int64_t dimension = getDimension();
  if (dimension != 2 && dimension != 3)
    return emitOpError() << "dimension must be 2 or 3, got " << dimension;
  // pool_c2
  if (failed(verifyPositive(*this,
                            {{"size", getSize()}, {"stride", getStride()}})))
    return failure();
  // pool_c3
  if (getWeights() && (getHow() != Pooling::Mean || dimension != 2))
    return emitOpError() << "weights need mean over dimension 2, got "
                         << stringifyPooling(getHow()) << " over dimension "
                         << dimension;
  // pool_c4
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  bool fits = source.getRank() == 4 && result.getRank() == 4;
  for (int64_t d = 0; fits && d < 4; ++d)
    fits = d == dimension || source.getDimSize(d) == result.getDimSize(d);
  fits &= result.getElementType().isF32() ||
          result.getElementType() == source.getElementType();
  if (!fits)
    return emitOpError() << "result must be the source, pooled in dimension "
                         << dimension << ", got " << source << " and "
                         << result;
  // pool_c5
  if (getWeights()) {
    auto weights = cast<RankedTensorType>(getWeights().getType());
    if (weights.getRank() != 4 || weights.getDimSize(3) != 1)
      return emitOpError() << "weights must have rank 4 and last extent 1, got "
                           << weights;
  }
  return success();
}

LogicalResult RegroupOp::verify() {
  // regroup_c1
  if (failed(verifyPositive(*this, {{"size", getSize()},
                                    {"stride", getStride()},
                                    {"block", getBlock()}})))
    return failure();
  // regroup_c2
  auto result = cast<RankedTensorType>(getResult().getType());
  auto source = cast<RankedTensorType>(getSource().getType());
  for (RankedTensorType type : {source, result})
    if (type.getRank() != 4 || !type.getElementType().isF32())
      return emitOpError()
             << "source and result must have rank 4 and elements of f32, got "
             << source << " and " << result;
  return success();
}

/// Blocks that are the windows keep their numbers.
OpFoldResult RegroupOp::fold(FoldAdaptor) {
  bool isSame = getSize() == getBlock() && getStride() == getBlock() &&
                getSource().getType() == getResult().getType();
  return isSame ? getSource() : Value();
}

LogicalResult ReorderOp::verify() {
  auto keys = cast<RankedTensorType>(getKeys().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  // reorder_c1
  if (keys.getRank() != 4 || keys.getDimSize(3) != 1)
    return emitOpError() << "keys must have rank 4 and last extent 1, got "
                         << keys;
  // reorder_c2
  if (result.getShape() != keys.getShape() ||
      !result.getElementType().isInteger(32))
    return emitOpError() << "result must have the shape of the keys and "
                            "elements of i32, got "
                         << result;
  return success();
}

//===----------------------------------------------------------------------===//
// Loops over pairs
//===----------------------------------------------------------------------===//

/// C1 and C2 of the operations that have products of queries and keys.
template <typename Op> static LogicalResult verifyProducts(Op op) {
  if (op.getQueries().size() != op.getKeys().size())
    return op.emitOpError() << "must have as many keys as queries, got "
                            << op.getQueries().size() << " queries and "
                            << op.getKeys().size() << " keys";
  for (Value query : op.getQueries())
    if (failed(verifyRows(op, query, "queries operand")))
      return failure();
  for (Value key : op.getKeys())
    if (failed(verifyRows(op, key, "keys operand")))
      return failure();
  for (auto [query, key] : llvm::zip(op.getQueries(), op.getKeys())) {
    int64_t left = cast<RankedTensorType>(query.getType()).getDimSize(3);
    int64_t right = cast<RankedTensorType>(key.getType()).getDimSize(3);
    if (left != right)
      return op.emitOpError()
             << "queries and keys must have one feature extent, got " << left
             << " and " << right;
  }
  return success();
}

/// The arguments of a region of a pair and of one of a query.
template <typename Op>
static std::pair<SmallVector<Type>, SmallVector<Type>> getArguments(Op op) {
  MLIRContext *context = op.getContext();
  Type i32 = IntegerType::get(context, 32);
  SmallVector<Type> pair(AttendOp::kPairPositions, i32);
  pair.append(op.getNumProducts(), Float32Type::get(context));
  SmallVector<Type> query(AttendOp::kSinkPositions, i32);
  llvm::append_range(pair, op.getCaptures().getTypes());
  llvm::append_range(query, op.getCaptures().getTypes());
  return {pair, query};
}

LogicalResult WeightsOp::verify() {
  if (failed(verifyProducts(*this))) // weights_c1, weights_c2
    return failure();
  // weights_c3
  auto [pair, query] = getArguments(*this);
  if (failed(verifyRegionArguments(*this, getScore(), "score", pair)) ||
      failed(verifyRegionArguments(*this, getMask(), "mask", pair)) ||
      failed(verifyRegionArguments(*this, getFactor(), "factor", pair)) ||
      failed(verifyRegionArguments(*this, getSink(), "sink", query)))
    return failure();
  // weights_c4
  Type f32 = Float32Type::get(getContext());
  Type i1 = IntegerType::get(getContext(), 1);
  if (failed(verifyYieldType(*this, getScore(), "score", f32)) ||
      failed(verifyYieldType(*this, getMask(), "mask", i1)) ||
      failed(verifyYieldType(*this, getFactor(), "factor", f32)) ||
      failed(verifyYieldType(*this, getSink(), "sink", f32)))
    return failure();
  // weights_c5
  if (!getSink().empty() && getReduction() != Reduction::Softmax)
    return emitOpError() << "a sink needs softmax, got "
                         << stringifyReduction(getReduction());
  if (getEpsilon() && getReduction() != Reduction::Ratio)
    return emitOpError() << "epsilon needs ratio, got "
                         << stringifyReduction(getReduction());
  // weights_c6
  auto result = cast<RankedTensorType>(getResult().getType());
  if (result.getRank() != 4 || !result.getElementType().isF32())
    return emitOpError() << "result must have rank 4 and elements of f32, got "
                         << result;
  return success();
}

namespace {
/// A condition that is always true restricts nothing.
template <typename Op> struct DropTrueRegion : OpRewritePattern<Op> {
  using GetRegion = Region &(Op::*)();
  DropTrueRegion(MLIRContext *context, GetRegion getRegion)
      : OpRewritePattern<Op>(context), getRegion(getRegion) {}
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Region &region = (op.*getRegion)();
    if (region.empty())
      return failure();
    auto yield = cast<YieldOp>(region.front().back());
    if (!matchPattern(yield.getValue(), m_One()))
      return rewriter.notifyMatchFailure(op, "condition is not constant true");
    rewriter.modifyOpInPlace(op, [&] {
      Block &block = region.front();
      block.dropAllReferences();
      rewriter.eraseBlock(&block);
    });
    return success();
  }
  GetRegion getRegion;
};
} // namespace

void WeightsOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<DropTrueRegion<WeightsOp>>(context, &WeightsOp::getMask);
}

LogicalResult SelectOp::verify() {
  if (failed(verifyProducts(*this))) // select_c1, select_c2
    return failure();
  // select_c3
  auto [pair, query] = getArguments(*this);
  if (failed(verifyRegionArguments(*this, getLimit(), "limit", query)) ||
      failed(verifyRegionArguments(*this, getScore(), "score", pair)) ||
      failed(verifyRegionArguments(*this, getWhere(), "where", pair)) ||
      failed(verifyRegionArguments(*this, getForce(), "force", pair)))
    return failure();
  // select_c4
  MLIRContext *context = getContext();
  Type f32 = Float32Type::get(context), i1 = IntegerType::get(context, 1);
  Type limit =
      getKind() == Selection::Top ? Type(IntegerType::get(context, 32)) : f32;
  if (failed(verifyYieldType(*this, getLimit(), "limit", limit)) ||
      failed(verifyYieldType(*this, getScore(), "score", f32)) ||
      failed(verifyYieldType(*this, getWhere(), "where", i1)) ||
      failed(verifyYieldType(*this, getForce(), "force", i1)))
    return failure();
  // select_c5
  auto result = cast<RankedTensorType>(getResult().getType());
  if (result.getRank() != 4 || !result.getElementType().isInteger(1))
    return emitOpError() << "result must have rank 4 and elements of i1, got "
                         << result;
  return success();
}

void SelectOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<DropTrueRegion<SelectOp>>(context, &SelectOp::getWhere);
}

LogicalResult AggregateOp::verify() {
  if (failed(verifyProducts(*this))) // aggregate_c1, aggregate_c2
    return failure();
  // aggregate_c3
  auto [pair, query] = getArguments(*this);
  if (failed(verifyRegionArguments(*this, getBody(), "body", pair)) ||
      failed(verifyRegionArguments(*this, getBy(), "by", pair)))
    return failure();
  // aggregate_c4
  auto getYielded = [](Region &region) -> Type {
    auto yield = cast<YieldOp>(region.front().back());
    return yield.getValues().size() == 1 ? yield.getValue().getType() : Type();
  };
  Type yielded = getYielded(getBody());
  auto row = dyn_cast_or_null<RankedTensorType>(yielded);
  Type element = row ? row.getElementType() : yielded;
  bool isNumber = element && (element.isF32() || element.isInteger(32) ||
                              element.isInteger(64));
  if (!isNumber || (row && (row.getRank() != 1 || getOver() == Over::Pairs)))
    return emitOpError() << "body must yield f32, i32, i64"
                         << (getOver() == Over::Pairs ? ""
                                                      : " or a row of them")
                         << ", got " << yielded;
  if (!getBy().empty()) {
    Type by = getYielded(getBy());
    if (!by || !(by.isInteger(32) || by.isInteger(64)))
      return emitOpError() << "by region must yield i32 or i64, got " << by;
  }
  // aggregate_c5
  bool isPairs = getOver() == Over::Pairs;
  if (isPairs == getBy().empty())
    return emitOpError() << "over " << stringifyOver(getOver())
                         << (isPairs ? " needs by" : " takes no by");
  bool needsInto = isPairs || getOver() == Over::Group;
  if (needsInto != static_cast<bool>(getInto()))
    return emitOpError() << "over " << stringifyOver(getOver())
                         << (needsInto ? " needs into" : " takes no into");
  bool isArgmax = getKind() == RowReduction::Argmax;
  if (isArgmax && (getOver() != Over::Keys || row))
    return emitOpError() << "argmax needs a number, over keys";
  // aggregate_c6
  auto result = cast<RankedTensorType>(getResult().getType());
  Type expected = isArgmax ? IntegerType::get(getContext(), 32) : element;
  bool isPairResult = getOver() == Over::Group && !row;
  int64_t width = row ? row.getDimSize(0) : 1;
  if (result.getRank() != 4 || result.getElementType() != expected ||
      (!isPairResult && result.getDimSize(3) != width))
    return emitOpError() << "result must have rank 4 and rows of " << width
                         << " elements of " << expected << ", got " << result;
  return success();
}

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

LogicalResult MergeOp::verify() {
  // merge_c1
  if (getBranches().empty() || getBranches().size() != getLses().size())
    return emitOpError() << "needs branches and a log-sum-exp for each, got "
                         << getBranches().size() << " and " << getLses().size();
  // merge_c2
  auto result = cast<RankedTensorType>(getResult().getType());
  for (Value branch : getBranches()) {
    if (failed(verifyRows(*this, branch, "branch")))
      return failure();
    int64_t width = cast<RankedTensorType>(branch.getType()).getDimSize(3);
    if (!hasRank4(getResult()) || result.getDimSize(3) != width)
      return emitOpError() << "branches and result must have one feature "
                              "extent, got "
                           << branch.getType() << " and " << result;
  }
  // merge_c3
  SmallVector<Value> lses(getLses());
  lses.push_back(getLse());
  for (Value lse : lses) {
    auto type = cast<RankedTensorType>(lse.getType());
    if (type.getRank() != 3 || !type.getElementType().isF32())
      return emitOpError()
             << "a log-sum-exp must have rank 3 and elements of f32, got "
             << type;
  }
  return success();
}

namespace {
/// One branch is its own merge: a row without keys is 0 already.
struct DropSingleMerge : OpRewritePattern<MergeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MergeOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getBranches().size() != 1)
      return rewriter.notifyMatchFailure(op, "more than one branch");
    Value branch = op.getBranches().front(), lse = op.getLses().front();
    if (branch.getType() != op.getResult().getType() ||
        lse.getType() != op.getLse().getType() ||
        !branch.getDefiningOp<AttendOp>())
      return rewriter.notifyMatchFailure(op, "not the result of an attend");
    rewriter.replaceOp(op, {branch, lse});
    return success();
  }
};
} // namespace

void MergeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  patterns.add<DropSingleMerge>(context);
}
