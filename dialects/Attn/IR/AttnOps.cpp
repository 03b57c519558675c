// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers, folders and canonical forms of the attn operations. A comment such
// as `attend_c1` names the constraint of the definition that a check is for.

#include "dialects/Attn/IR/RegionChecks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/CommonFolders.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace rapt::attn;

#define GET_OP_CLASSES
#include "dialects/Attn/IR/AttnOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

LogicalResult rapt::attn::verifyRows(Operation *op, Value operand,
                                     StringRef role) {
  auto type = cast<RankedTensorType>(operand.getType());
  if (type.getRank() != 4)
    return op->emitOpError() << role << " must have rank 4, got " << type;
  if (type.isDynamicDim(3))
    return op->emitOpError()
           << role << " must have a static feature extent, got " << type;
  return success();
}

LogicalResult rapt::attn::verifyRegionArguments(Operation *op, Region &region,
                                                StringRef name,
                                                ArrayRef<Type> expected) {
  if (region.empty())
    return success();
  if (!region.hasOneBlock())
    return op->emitOpError() << name << " region must have one block";
  Block &block = region.front();
  if (!llvm::equal(block.getArgumentTypes(), expected)) {
    InFlightDiagnostic diag = op->emitOpError()
                              << name << " region must have arguments (";
    llvm::interleaveComma(expected, diag);
    diag << "), got (";
    llvm::interleaveComma(block.getArgumentTypes(), diag);
    return diag << ")";
  }
  if (block.empty() || !isa<YieldOp>(block.back()))
    return op->emitOpError() << name << " region must end with attn.yield";
  return success();
}

LogicalResult rapt::attn::verifyYieldType(Operation *op, Region &region,
                                          StringRef name, Type expected) {
  if (region.empty())
    return success();
  auto yield = cast<YieldOp>(region.front().back());
  if (yield.getValues().size() != 1)
    return op->emitOpError() << name << " region must yield one value, got "
                             << yield.getValues().size();
  Type found = yield.getValue().getType();
  if (found != expected)
    return op->emitOpError()
           << name << " region must yield " << expected << ", got " << found;
  return success();
}

Type rapt::attn::getRegionElementType(Type element) {
  MLIRContext *context = element.getContext();
  if (isa<FloatType>(element))
    return Float32Type::get(context);
  if (element.isInteger(8) || element.isInteger(16))
    return IntegerType::get(context, 32);
  return element;
}

Type rapt::attn::getRegionRowType(Value operand) {
  auto type = cast<RankedTensorType>(operand.getType());
  return RankedTensorType::get({type.getDimSize(3)},
                               getRegionElementType(type.getElementType()));
}

//===----------------------------------------------------------------------===//
// AttendOp
//===----------------------------------------------------------------------===//

bool AttendOp::isPerFeature() {
  return isa<RankedTensorType>(
      cast<YieldOp>(getScore().front().back()).getValue().getType());
}

static LogicalResult verifyCarry(AttendOp op) {
  // attend_c8
  if (op.getCarry().empty() && !op.getSteps().empty())
    return op.emitOpError() << "steps need a carry region";
  for (Value step : op.getSteps())
    if (failed(verifyRows(op, step, "steps operand")))
      return failure();
  if (op.getCarry().empty())
    return success();
  // attend_c7
  SmallVector<Type> expected(AttendOp::kCarryPositions,
                             IntegerType::get(op.getContext(), 32)),
      rows;
  for (Value key : op.getKeys())
    rows.push_back(getRegionRowType(key));
  rows.push_back(getRegionRowType(op.getValues()));
  llvm::append_range(expected, rows);
  for (Value step : op.getSteps())
    expected.push_back(getRegionRowType(step));
  llvm::append_range(expected, op.getCaptures().getTypes());
  if (failed(verifyRegionArguments(op, op.getCarry(), "carry", expected)))
    return failure();
  auto yield = cast<YieldOp>(op.getCarry().front().back());
  if (yield.getValues().getTypes() == TypeRange(rows))
    return success();
  InFlightDiagnostic diag = op.emitOpError() << "carry region must yield (";
  llvm::interleaveComma(rows, diag);
  diag << "), got (";
  llvm::interleaveComma(yield.getValues().getTypes(), diag);
  return diag << ")";
}

LogicalResult AttendOp::verify() {
  // attend_c1
  if (getQueries().size() != getKeys().size())
    return emitOpError() << "must have as many keys as queries, got "
                         << getQueries().size() << " queries and "
                         << getKeys().size() << " keys";
  // attend_c2
  for (Value query : getQueries())
    if (failed(verifyRows(*this, query, "queries operand")))
      return failure();
  for (Value key : getKeys())
    if (failed(verifyRows(*this, key, "keys operand")))
      return failure();
  if (failed(verifyRows(*this, getValues(), "values operand")))
    return failure();
  for (auto [query, key] : llvm::zip(getQueries(), getKeys())) {
    int64_t left = cast<RankedTensorType>(query.getType()).getDimSize(3);
    int64_t right = cast<RankedTensorType>(key.getType()).getDimSize(3);
    if (left != right) // attend_c1
      return emitOpError()
             << "queries and keys must have one feature extent, got " << left
             << " and " << right;
  }
  // attend_c3
  MLIRContext *context = getContext();
  Type i32 = IntegerType::get(context, 32), f32 = Float32Type::get(context);
  llvm::SmallVector<Type> pair(kPairPositions, i32), sink(kSinkPositions, i32);
  pair.append(getNumProducts(), f32);
  llvm::append_range(pair, getCaptures().getTypes());
  llvm::append_range(sink, getCaptures().getTypes());
  if (failed(verifyRegionArguments(*this, getScore(), "score", pair)) ||
      failed(verifyRegionArguments(*this, getMask(), "mask", pair)) ||
      failed(verifyRegionArguments(*this, getFactor(), "factor", pair)) ||
      failed(verifyRegionArguments(*this, getSink(), "sink", sink)))
    return failure();
  // attend_c4
  Type i1 = IntegerType::get(context, 1);
  auto scores = cast<YieldOp>(getScore().front().back()).getValues();
  auto perFeature = RankedTensorType::get(
      {cast<RankedTensorType>(getValues().getType()).getDimSize(3)}, f32);
  bool hasRow = scores.size() == 1 && scores[0].getType() == perFeature;
  if (failed(verifyYieldType(*this, getScore(), "score",
                             hasRow ? Type(perFeature) : f32)) ||
      failed(verifyYieldType(*this, getMask(), "mask", i1)) ||
      failed(verifyYieldType(*this, getFactor(), "factor", f32)) ||
      failed(verifyYieldType(*this, getSink(), "sink", f32)))
    return failure();
  // attend_c5
  if (!getSink().empty() && getReduction() != Reduction::Softmax)
    return emitOpError() << "a sink needs softmax, got "
                         << stringifyReduction(getReduction());
  if (getEpsilon() && getReduction() != Reduction::Ratio)
    return emitOpError() << "epsilon needs ratio, got "
                         << stringifyReduction(getReduction());
  // attend_c6
  auto values = cast<RankedTensorType>(getValues().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (result.getRank() != 4 || result.getDimSize(3) != values.getDimSize(3))
    return emitOpError() << "result must have the feature extent of values, "
                         << values.getDimSize(3) << ", got " << result;
  if (!result.getElementType().isF32() &&
      result.getElementType() != values.getElementType())
    return emitOpError() << "result must have element type f32 or that of "
                            "values, got "
                         << result.getElementType();
  // attend_c9
  if (hasRow && (!getFactor().empty() || !getSink().empty()))
    return emitOpError() << "a score per feature has neither factor nor sink";
  return verifyCarry(*this);
}

namespace {
/// A mask region that yields the constant true keeps every pair: no mask.
struct DropTrueMask : OpRewritePattern<AttendOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttendOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getMask().empty())
      return failure();
    auto yield = cast<YieldOp>(op.getMask().front().back());
    if (!matchPattern(yield.getValue(), m_One()))
      return rewriter.notifyMatchFailure(op, "mask is not constant true");
    rewriter.modifyOpInPlace(op, [&] {
      Block &block = op.getMask().front();
      block.dropAllReferences();
      rewriter.eraseBlock(&block);
    });
    return success();
  }
};
} // namespace

void AttendOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<DropTrueMask>(context);
}

//===----------------------------------------------------------------------===//
// MapOp
//===----------------------------------------------------------------------===//

LogicalResult MapOp::verify() {
  // map_c1
  for (Value row : getRows())
    if (failed(verifyRows(*this, row, "rows operand")))
      return failure();
  // map_c2
  llvm::SmallVector<Type> expected(kRowPositions,
                                   IntegerType::get(getContext(), 32));
  for (Value row : getRows())
    expected.push_back(getRegionRowType(row));
  llvm::append_range(expected, getCaptures().getTypes());
  if (failed(verifyRegionArguments(*this, getBody(), "body", expected)))
    return failure();
  // map_c3
  auto yield = cast<YieldOp>(getBody().front().back());
  if (yield.getValues().size() != 1)
    return emitOpError() << "body region must yield one value, got "
                         << yield.getValues().size();
  auto yielded = dyn_cast<RankedTensorType>(yield.getValue().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (!yielded || yielded.getRank() != 1 || result.getRank() != 4 ||
      yielded.getDimSize(0) != result.getDimSize(3))
    return emitOpError() << "body must yield a row of the result " << result
                         << ", got " << yield.getValue().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Around the loops
//===----------------------------------------------------------------------===//

LogicalResult AxisOp::verify() {
  // axis_c1
  auto spec = (*this)->getParentOfType<func::FuncOp>();
  if (!spec || !findAxis(spec, getName()))
    return emitOpError()
           << "names axis \"" << getName()
           << "\", which no argument of the enclosing function has";
  return success();
}

LogicalResult ListRowsOp::verify() {
  // list_rows_c1
  auto list = cast<RankedTensorType>(getList().getType());
  if (list.getRank() != 1 || !list.getElementType().isInteger(32))
    return emitOpError() << "list must be a tensor of i32 of rank 1, got "
                         << list;
  // list_rows_c2
  auto source = cast<RankedTensorType>(getSource().getType());
  int64_t rank = source.getRank();
  if ((rank != 3 && rank != 4) || !source.isDynamicDim(rank - 2))
    return emitOpError() << "source must have rank 3 or 4 and a dynamic number "
                            "of rows, got "
                         << source;
  return success();
}

LogicalResult UnsqueezeOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  // unsqueeze_c1
  int64_t position = getPosition();
  if (position < 0 || position > source.getRank())
    return emitOpError() << "position must lie in 0 .. " << source.getRank()
                         << ", got " << position;
  // unsqueeze_c2
  llvm::SmallVector<int64_t> shape(source.getShape());
  shape.insert(shape.begin() + position, 1);
  auto expected = RankedTensorType::get(shape, source.getElementType());
  if (getResult().getType() != expected)
    return emitOpError() << "result must be " << expected << ", got "
                         << getResult().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Inside regions
//===----------------------------------------------------------------------===//

LogicalResult ReadOp::verify() {
  auto tensor = cast<RankedTensorType>(getTensor().getType());
  int64_t indices = getIndices().size();
  if (indices > tensor.getRank())
    return emitOpError() << "has " << indices
                         << " indices for a tensor of rank "
                         << tensor.getRank();
  // read_c1, read_c2
  Type element = getRegionElementType(tensor.getElementType());
  Type expected = element;
  if (indices < tensor.getRank()) {
    auto shape = tensor.getShape().drop_front(indices);
    if (llvm::any_of(shape, ShapedType::isDynamic))
      return emitOpError() << "keeps a dimension that is not static in "
                           << tensor;
    expected = RankedTensorType::get(shape, element);
  }
  if (getResult().getType() != expected)
    return emitOpError() << "result must be " << expected << ", got "
                         << getResult().getType();
  return success();
}

/// Folds a quotient or remainder of constants, or of rows of constants. A
/// divisor that is not positive has no meaning and is left alone.
static OpFoldResult
foldIntegers(ArrayRef<Attribute> operands,
             llvm::function_ref<APInt(const APInt &, const APInt &)> compute) {
  return constFoldBinaryOp<IntegerAttr, APInt, void>(
      operands, [&](const APInt &a, const APInt &b) -> std::optional<APInt> {
        if (!b.isStrictlyPositive())
          return std::nullopt;
        return compute(a, b);
      });
}

static APInt floorDivide(const APInt &a, const APInt &b) {
  APInt quotient = a.sdiv(b);
  return a.srem(b).isNegative() ? quotient - 1 : quotient;
}

OpFoldResult FloorDivOp::fold(FoldAdaptor adaptor) {
  if (matchPattern(getRhs(), m_One()))
    return getLhs();
  return foldIntegers(adaptor.getOperands(), floorDivide);
}

OpFoldResult ModOp::fold(FoldAdaptor adaptor) {
  if (matchPattern(getRhs(), m_One()))
    return Builder(getContext()).getZeroAttr(getType());
  return foldIntegers(
      adaptor.getOperands(),
      [](const APInt &a, const APInt &b) { return a - floorDivide(a, b) * b; });
}

/// A dimension of a tensor that an operation names by its number.
static LogicalResult verifyDimension(Operation *op, Value tensor,
                                     int64_t dimension) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  if (dimension < 0 || dimension >= rank)
    return op->emitOpError()
           << "dimension " << dimension << " of a tensor of rank " << rank;
  return success();
}

LogicalResult ExtentOp::verify() {
  return verifyDimension(*this, getTensor(), getDimension()); // extent_c1
}

LogicalResult ShareOp::verify() {
  return verifyDimension(*this, getTensor(), getDimension()); // share_c1
}

LogicalResult MatVecOp::verify() {
  // matvec_c1
  if (getMatrix().getType().getDimSize(1) != getRow().getType().getDimSize(0))
    return emitOpError() << "needs a matrix [R, C] and a row [C], got "
                         << getMatrix().getType() << " and "
                         << getRow().getType();
  // matvec_c2
  int64_t rows = getMatrix().getType().getDimSize(0);
  if (getResult().getType().getDimSize(0) != rows)
    return emitOpError() << "result must have extent " << rows << ", got "
                         << getResult().getType();
  return success();
}

LogicalResult ReduceOp::verify() {
  // reduce_c1
  Type expected = getKind() == RowReduction::Argmax
                      ? IntegerType::get(getContext(), 32)
                      : getRow().getType().getElementType();
  if (getResult().getType() != expected)
    return emitOpError() << "result must be " << expected << ", got "
                         << getResult().getType();
  return success();
}

LogicalResult SplatOp::verify() {
  // splat_c1
  if (getResult().getType().getElementType() != getValue().getType())
    return emitOpError() << "result must be a row of " << getValue().getType()
                         << ", got " << getResult().getType();
  return success();
}

LogicalResult rapt::attn::verifyElementType(Operation *op, Value row,
                                            Value result) {
  if (getElementTypeOrSelf(row) != getElementTypeOrSelf(result))
    return op->emitOpError() << "needs rows of one element type, got "
                             << row.getType() << " and " << result.getType();
  return success();
}

LogicalResult SliceOp::verify() {
  // slice_c1
  int64_t extent = getRow().getType().getDimSize(0);
  int64_t kept = getResult().getType().getDimSize(0);
  int64_t offset = getOffset();
  if (offset < 0 || offset > extent - kept)
    return emitOpError() << "cuts " << kept << " features from " << offset
                         << " of a row of " << extent;
  return verifyElementType(*this, getRow(), getResult()); // slice_c2
}

LogicalResult ConcatOp::verify() {
  // concat_c1
  int64_t sum = 0;
  for (Value row : getRows())
    sum += cast<RankedTensorType>(row.getType()).getDimSize(0);
  if (getResult().getType().getDimSize(0) != sum)
    return emitOpError() << "result must have extent " << sum << ", got "
                         << getResult().getType().getDimSize(0);
  // concat_c2
  for (Value row : getRows())
    if (failed(verifyElementType(*this, row, getResult())))
      return failure();
  return success();
}
