// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the tile operations. A comment such as `mma_c1` names the
// constraint of the definition that a check is for.

#include "dialects/Tile/IR/Tile.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace rapt::tile;

#define GET_OP_CLASSES
#include "dialects/Tile/IR/TileOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

static LogicalResult verifyBlock(Operation *op, Region &region, StringRef name,
                                 TypeRange arguments, TypeRange yields) {
  if (!region.hasOneBlock())
    return op->emitOpError() << name << " must have one block";
  Block &block = region.front();
  if (!llvm::equal(block.getArgumentTypes(), arguments)) {
    InFlightDiagnostic diag = op->emitOpError()
                              << name << " must have arguments (";
    llvm::interleaveComma(arguments, diag);
    diag << "), got (";
    llvm::interleaveComma(block.getArgumentTypes(), diag);
    return diag << ")";
  }
  auto yield = block.empty() ? YieldOp() : dyn_cast<YieldOp>(block.back());
  if (!yield)
    return op->emitOpError() << name << " must end with tile.yield";
  if (!llvm::equal(yield.getValues().getTypes(), yields)) {
    InFlightDiagnostic diag = op->emitOpError() << name << " must yield (";
    llvm::interleaveComma(yields, diag);
    diag << "), got (";
    llvm::interleaveComma(yield.getValues().getTypes(), diag);
    return diag << ")";
  }
  return success();
}

static LogicalResult verifyOffsets(Operation *op, ViewType view, size_t offsets,
                                   TileType tile) {
  if (view.getRank() != offsets ||
      view.getRank() != static_cast<unsigned>(tile.getRank()))
    return op->emitOpError()
           << "view rank, number of offsets and tile rank must be equal, got "
           << view.getRank() << ", " << offsets << " and " << tile.getRank();
  return success();
}

static bool isRowOfIntegers(TileType type) {
  return type.getRank() == 1 && type.getElementType().isIntOrIndex();
}

/// Rows of a view, one for each of a row of numbers.
static LogicalResult verifyListedRows(Operation *op, ViewType view,
                                      TileType rows, TileType tile) {
  if (view.getRank() == 2 && isRowOfIntegers(rows) && tile.getRank() == 2 &&
      tile.getShape()[0] == rows.getShape()[0])
    return success();
  return op->emitOpError()
         << "needs a view of rank 2 and one row for each of a "
            "row of integers, got "
         << view << ", " << rows << " and " << tile;
}

static LogicalResult verifyElementType(Operation *op, TileType source,
                                       TileType result) {
  if (source.getElementType() == result.getElementType())
    return success();
  return op->emitOpError() << "needs tiles of one element type, got " << source
                           << " and " << result;
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

LogicalResult KernelOp::verify() {
  // kernel_c1
  Block &block = getBody().front();
  if (block.getNumArguments() < 3 ||
      !llvm::all_of(block.getArguments().take_front(3),
                    [](Value value) { return value.getType().isIndex(); }))
    return emitOpError() << "must have three item indices as first arguments";
  if (block.empty() || !isa<ReturnOp>(block.back()))
    return emitOpError() << "must end with tile.return";
  return success();
}

LogicalResult LaunchOp::verify() {
  // launch_c1
  auto kernel = SymbolTable::lookupNearestSymbolFrom<KernelOp>(
      (*this)->getParentOp(), getKernelAttr());
  if (!kernel)
    return emitOpError() << "names no tile.kernel: " << getKernel();
  auto types = kernel.getBody().front().getArgumentTypes();
  if (!llvm::equal(llvm::drop_begin(types, 3), getArgs().getTypes())) {
    InFlightDiagnostic diag = emitOpError()
                              << "arguments do not match those of the kernel";
    diag.attachNote(kernel.getLoc()) << "kernel defined here";
    return diag;
  }
  return success();
}

bool PlanRunsOp::usesArgument(unsigned number) {
  for (Region *region : {&getClassify(), &getNext(), &getGroups()})
    for (Block &block : *region)
      if (!block.getArgument(number).use_empty())
        return true;
  return false;
}

LogicalResult PlanRunsOp::verify() {
  // plan_runs_c2
  for (int64_t step : {getRowStep(), getColumnStep()})
    if (step <= 0)
      return emitOpError() << "steps must be positive, got " << step;
  // plan_runs_c1
  SmallVector<Type> arguments(6, IndexType::get(getContext()));
  Type boolean = IntegerType::get(getContext(), 1);
  if (failed(verifyBlock(*this, getClassify(), "classify", arguments,
                         {boolean, boolean})))
    return failure();
  bool hasGroups = !getGroups().empty();
  // plan_runs_c3
  if (hasGroups && getNext().empty())
    return emitOpError() << "has groups, but no next column";
  if (hasGroups && getGroup())
    return emitOpError() << "has groups of rows, and heads that are grouped";
  if (getNext().empty())
    return success();
  if (!hasGroups)
    arguments.pop_back();
  Type i64 = IntegerType::get(getContext(), 64);
  if (failed(verifyBlock(*this, getNext(), "next", arguments,
                         SmallVector<Type>(4, i64))))
    return failure();
  if (!hasGroups)
    return success();
  arguments.resize(4);
  return verifyBlock(*this, getGroups(), "groups", arguments, {i64, i64});
}

LogicalResult PyramidOp::verify() {
  ViewType view = getView().getType();
  // pyramid_c1
  if (getDimension() < 0 || getDimension() >= view.getRank())
    return emitOpError() << "dimension " << getDimension()
                         << " of a view of rank " << view.getRank();
  // pyramid_c2
  if (!view.getElementType().isInteger())
    return emitOpError() << "needs a view of integers, got " << view;
  return success();
}

static LogicalResult verifyTable(Operation *op, StringRef name, ViewType view,
                                 unsigned bits) {
  if (view.getRank() == 3 && view.getElementType().isSignlessInteger(bits))
    return success();
  return op->emitOpError() << name << " must be a view of i" << bits
                           << " of rank 3, got " << view;
}

LogicalResult TabulateOp::verify() {
  // tabulate_c2
  auto view = cast<ViewType>(getResult().getType());
  Type element = view.getElementType();
  if (failed(verifyTable(*this, "result", view,
                         element.isInteger(8)    ? 8
                         : element.isInteger(32) ? 32
                                                 : 64)))
    return failure();
  // tabulate_c1
  SmallVector<Type> arguments(3, IndexType::get(getContext()));
  return verifyBlock(*this, getBody(), "body", arguments,
                     IntegerType::get(getContext(), 64));
}

LogicalResult SortRowsOp::verify() {
  // sort_rows_c1
  ViewType ids = getIds().getType();
  if (failed(verifyTable(*this, "ids", ids,
                         ids.getElementType().isInteger(32) ? 32 : 64)))
    return failure();
  return verifyTable(*this, "order", getOrder().getType(), 32);
}

LogicalResult ListMarkedOp::verify() {
  // list_marked_c1
  if (failed(verifyTable(*this, "marks", getMarks().getType(), 8)) ||
      failed(verifyTable(*this, "order", getOrder().getType(), 32)))
    return failure();
  return verifyTable(*this, "count", getCount().getType(), 32);
}

LogicalResult ListRowsOp::verify() {
  ViewType source = getSource().getType(), list = getList().getType();
  // list_rows_c1
  if (list.getRank() != 1 || !list.getElementType().isSignlessInteger(32))
    return emitOpError() << "list must be a view of i32 of rank 1, got "
                         << list;
  // list_rows_c2
  bool isPaged = getResult().getType().getRows() == RowMap::Paged;
  auto expected =
      ViewType::get(getContext(), source.getElementType(), source.getRank(),
                    isPaged ? RowMap::Paged : RowMap::Listed);
  if (source.getRank() == 0 || getResult().getType() != expected)
    return emitOpError() << "result must be " << expected << ", got "
                         << getResult().getType();
  return success();
}

LogicalResult GroupRowsOp::verify() {
  ViewType source = getSource().getType();
  // group_rows_c1
  if (source.getRank() < 2)
    return emitOpError() << "source must have heads and rows, got " << source;
  auto expected = ViewType::get(getContext(), source.getElementType(),
                                source.getRank() - 1, RowMap::Grouped);
  if (getResult().getType() != expected)
    return emitOpError() << "result must be " << expected << ", got "
                         << getResult().getType();
  return success();
}

LogicalResult BoundsOp::verify() {
  // bounds_c1
  auto pyramid = getPyramid().getDefiningOp<PyramidOp>();
  if (!pyramid)
    return emitOpError() << "needs a pyramid made by tile.pyramid";
  unsigned rank = pyramid.getView().getType().getRank();
  if (getIndices().size() + 1 != rank)
    return emitOpError() << "needs " << rank - 1 << " indices for a view of "
                         << "rank " << rank << ", got " << getIndices().size();
  return success();
}

LogicalResult FindOp::verify() {
  ViewType view = getView().getType();
  // find_c1
  if (view.getRank() != static_cast<int64_t>(getIndices().size()) + 1 ||
      !view.getElementType().isInteger())
    return emitOpError() << "needs a view of integers of rank "
                         << getIndices().size() + 1 << ", got " << view;
  return success();
}

LogicalResult ExtentOp::verify() {
  // extent_c1
  if (getDimension() < 0 || getDimension() >= getView().getType().getRank())
    return emitOpError() << "dimension " << getDimension()
                         << " of a view of rank "
                         << getView().getType().getRank();
  return success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

LogicalResult ForOp::verify() {
  // for_c1
  SmallVector<Type> arguments{IndexType::get(getContext())};
  llvm::append_range(arguments, getInits().getTypes());
  if (!llvm::equal(getInits().getTypes(), getResultTypes()))
    return emitOpError() << "results must have the types of the carried values";
  return verifyBlock(*this, getBody(), "body", arguments, getResultTypes());
}

LogicalResult RunsOp::verify() {
  // runs_c1
  if (getStep() <= 0)
    return emitOpError() << "step must be positive, got " << getStep();
  return success();
}

LogicalResult WithinOp::verify() {
  // within_c1
  if (!isa_and_nonnull<RunsOp, DomainOp>(getDomain().getDefiningOp()))
    return emitOpError() << "needs a domain made by tile.runs or tile.domain";
  return success();
}

LogicalResult ForRunsOp::verify() {
  // for_runs_c2
  for (uint64_t step : {getFullStep(), getPartialStep()})
    if (static_cast<int64_t>(step) <= 0)
      return emitOpError() << "steps must be positive, got "
                           << static_cast<int64_t>(step);
  // for_runs_c1
  Type index = IndexType::get(getContext());
  SmallVector<Type> arguments{index, index};
  llvm::append_range(arguments, getInits().getTypes());
  if (!llvm::equal(getInits().getTypes(), getResultTypes()))
    return emitOpError() << "results must have the types of the carried values";
  if (failed(
          verifyBlock(*this, getFull(), "full", arguments, getResultTypes())))
    return failure();
  return verifyBlock(*this, getPartial(), "partial", arguments,
                     getResultTypes());
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

LogicalResult WindowOp::verify() {
  // window_c1
  auto source = getSource().getType(), result = getResult().getType();
  if (source.getRank() != result.getRank() + getIndices().size() ||
      source.getElementType() != result.getElementType())
    return emitOpError() << "result must be the source without "
                         << getIndices().size() << " dimensions, got "
                         << result;
  return success();
}

LogicalResult LoadOp::verify() {
  // load_c1
  if (failed(verifyOffsets(*this, getView().getType(), getOffsets().size(),
                           getResult().getType())))
    return failure();
  // load_c2
  if (getInBounds() && static_cast<int64_t>(getInBounds()->size()) !=
                           getResult().getType().getRank())
    return emitOpError() << "in_bounds must have one entry per dimension, got "
                         << getInBounds()->size() << " for "
                         << getResult().getType();
  return success();
}

LogicalResult PrefetchOp::verify() {
  // prefetch_c1
  if (getView().getType().getRank() != 2 || getRows() < 1)
    return emitOpError() << "needs a view of rank 2 and rows, got "
                         << getView().getType() << " and " << getRows();
  return success();
}

LogicalResult StoreOp::verify() {
  return verifyOffsets(*this, getView().getType(), getOffsets().size(),
                       getTile().getType()); // store_c1
}

LogicalResult GatherOp::verify() {
  return verifyListedRows(*this, getView().getType(), getRows().getType(),
                          getResult().getType()); // gather_c1
}

LogicalResult ScatterOp::verify() {
  return verifyListedRows(*this, getView().getType(), getRows().getType(),
                          getTile().getType()); // scatter_c1
}

LogicalResult PackOp::verify() {
  // pack_c1
  if (getSource().getType() != getResult().getType())
    return emitOpError() << "result must be " << getSource().getType()
                         << ", got " << getResult().getType();
  return success();
}

LogicalResult ReadOp::verify() {
  // read_c1
  if (getIndices().size() != getView().getType().getRank())
    return emitOpError() << "has " << getIndices().size()
                         << " indices for a view of rank "
                         << getView().getType().getRank();
  return success();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

LogicalResult SplatOp::verify() {
  // splat_c1
  if (getResult().getType().getElementType() != getValue().getType())
    return emitOpError() << "result must be a tile of " << getValue().getType()
                         << ", got " << getResult().getType();
  return success();
}

LogicalResult PositionsOp::verify() {
  // positions_c1
  if (!isRowOfIntegers(getResult().getType()))
    return emitOpError() << "result must be a row of integers, got "
                         << getResult().getType();
  return success();
}

LogicalResult ConstantOp::verify() {
  // constant_c1
  ShapedType value = getValue().getShapedType();
  TileType result = getResult().getType();
  if (value.getShape() != result.getShape() ||
      value.getElementType() != result.getElementType())
    return emitOpError() << "value must have the shape and type of " << result
                         << ", got " << value;
  return success();
}

SmallVector<int64_t> MapOp::getOperandDims(unsigned operand) {
  SmallVector<int64_t> dims;
  for (Attribute dim : cast<ArrayAttr>(getDims()[operand]))
    dims.push_back(cast<IntegerAttr>(dim).getInt());
  return dims;
}

LogicalResult MapOp::verify() {
  if (getResults().empty())
    return emitOpError() << "must have a result";
  TileType result = getResultTile();
  // map_c2
  for (Value value : getResults())
    if (cast<TileType>(value.getType()).getShape() != result.getShape())
      return emitOpError() << "results must have one shape, got " << result
                           << " and " << value.getType();
  // map_c1
  if (getDims().size() != getOperands().size())
    return emitOpError() << "dims must have one entry per operand, got "
                         << getDims().size() << " for " << getOperands().size()
                         << " operands";
  SmallVector<Type> arguments, yields;
  for (auto [index, operand] : llvm::enumerate(getOperands())) {
    auto type = cast<TileType>(operand.getType());
    auto list = dyn_cast<ArrayAttr>(getDims()[index]);
    if (!list || !llvm::all_of(list, llvm::IsaPred<IntegerAttr>) ||
        static_cast<int64_t>(list.size()) != type.getRank())
      return emitOpError() << "dims of operand " << index << " must be "
                           << type.getRank() << " integers";
    for (auto [position, dim] : llvm::enumerate(getOperandDims(index)))
      if (dim < 0 || dim >= result.getRank() ||
          result.getShape()[dim] != type.getShape()[position])
        return emitOpError() << "operand " << index << " of type " << type
                             << " does not broadcast to " << result;
    arguments.push_back(type.getElementType());
  }
  for (Value value : getResults())
    yields.push_back(cast<TileType>(value.getType()).getElementType());
  return verifyBlock(*this, getBody(), "body", arguments, yields); // map_c3
}

LogicalResult MmaOp::verify() {
  // mma_c1
  auto lhs = getLhs().getType(), rhs = getRhs().getType();
  auto result = getResult().getType();
  if (lhs.getRank() != 2 || rhs.getRank() != 2 || result.getRank() != 2)
    return emitOpError() << "needs tiles of rank 2, got " << lhs << ", " << rhs
                         << " and " << result;
  int64_t m = lhs.getShape()[getLhsTransposed() ? 1 : 0];
  int64_t k = lhs.getShape()[getLhsTransposed() ? 0 : 1];
  int64_t kRhs = rhs.getShape()[getRhsTransposed() ? 1 : 0];
  int64_t n = rhs.getShape()[getRhsTransposed() ? 0 : 1];
  if (k != kRhs || result.getShape()[0] != m || result.getShape()[1] != n)
    return emitOpError() << "operands do not agree: " << m << "x" << k
                         << " times " << kRhs << "x" << n << " into " << result;
  if (getAccumulator() && getAccumulator().getType() != result)
    return emitOpError() << "accumulator must have type " << result << ", got "
                         << getAccumulator().getType();
  return success();
}

LogicalResult ReduceOp::verify() {
  // reduce_c1
  SmallVector<int64_t> shape(getSource().getType().getShape());
  int64_t dimension = getDimension();
  if (dimension < 0 || dimension >= static_cast<int64_t>(shape.size()))
    return emitOpError() << "reduces dimension " << dimension << " of "
                         << getSource().getType();
  shape.erase(shape.begin() + dimension);
  if (getResult().getType().getShape() != ArrayRef<int64_t>(shape))
    return emitOpError() << "result must have the source's shape without "
                            "dimension "
                         << dimension << ", got " << getResult().getType();
  // reduce_c2
  Type element = getKind() == Combiner::Argmax
                     ? IntegerType::get(getContext(), 32)
                     : getSource().getType().getElementType();
  if (getResult().getType().getElementType() != element)
    return emitOpError() << "result must have elements of " << element
                         << ", got " << getResult().getType();
  return success();
}

LogicalResult ScanOp::verify() {
  // scan_c1
  TileType source = getSource().getType();
  if (getResult().getType() != source)
    return emitOpError() << "result must be " << source << ", got "
                         << getResult().getType();
  int64_t dimension = getDimension();
  if (dimension < 0 || dimension >= source.getRank())
    return emitOpError() << "scans dimension " << dimension << " of " << source;
  // scan_c2
  if (getKind() == Combiner::Argmax ||
      (getExclusive() && getKind() != Combiner::Add))
    return emitOpError() << "has no meaning for "
                         << (getExclusive() ? "exclusive " : "")
                         << stringifyCombiner(getKind());
  return success();
}

LogicalResult TransposeOp::verify() {
  // transpose_c1
  auto source = getSource().getType(), result = getResult().getType();
  if (source.getRank() != 2 || result.getRank() != 2 ||
      source.getShape()[0] != result.getShape()[1] ||
      source.getShape()[1] != result.getShape()[0])
    return emitOpError() << "result must be the transposed source, got "
                         << source << " and " << result;
  return verifyElementType(*this, source, result);
}

LogicalResult SliceOp::verify() {
  // slice_c1
  auto source = getSource().getType(), result = getResult().getType();
  int64_t dimension = getDimension();
  if (dimension < 0 || dimension >= source.getRank() ||
      source.getRank() != result.getRank())
    return emitOpError() << "cuts dimension " << dimension << " of " << source;
  for (int64_t d = 0; d < source.getRank(); ++d) {
    int64_t offset = d == dimension ? static_cast<int64_t>(getOffset()) : 0;
    bool inside = d == dimension
                      ? offset >= 0 && offset + result.getShape()[d] <=
                                           source.getShape()[d]
                      : result.getShape()[d] == source.getShape()[d];
    if (!inside)
      return emitOpError() << "part " << result << " from " << offset
                           << " does not lie inside " << source;
  }
  return verifyElementType(*this, source, result);
}

LogicalResult SkewOp::verify() {
  // skew_c1
  auto source = getSource().getType(), result = getResult().getType();
  if (source.getRank() != 2 || result.getRank() != 2)
    return emitOpError() << "needs tiles of rank 2, got " << source << " and "
                         << result;
  int64_t rows = result.getShape()[0];
  if (source.getShape()[0] != rows ||
      ShapedType::getNumElements(source.getShape()) <
          rows + result.getShape()[1] - 1)
    return emitOpError() << source << " has no line of "
                         << rows + result.getShape()[1] - 1 << " numbers in "
                         << "columns of " << rows;
  return verifyElementType(*this, source, result);
}

LogicalResult ConcatOp::verify() {
  // concat_c1
  auto result = getResult().getType();
  int64_t dimension = getDimension(), sum = 0;
  if (dimension < 0 || dimension >= result.getRank())
    return emitOpError() << "joins dimension " << dimension << " of " << result;
  for (Value source : getSources()) {
    auto type = cast<TileType>(source.getType());
    if (type.getRank() != result.getRank())
      return emitOpError() << "sources must have the result's rank, got "
                           << type;
    for (int64_t d = 0; d < result.getRank(); ++d)
      if (d != dimension && type.getShape()[d] != result.getShape()[d])
        return emitOpError() << "source " << type << " does not fit " << result;
    if (failed(verifyElementType(*this, type, result)))
      return failure();
    sum += type.getShape()[dimension];
  }
  if (sum != result.getShape()[dimension])
    return emitOpError() << "extents along dimension " << dimension
                         << " add up to " << sum << ", got " << result;
  return success();
}

LogicalResult SolveOp::verify() {
  // solve_c1
  TileType lower = getLower().getType(), rhs = getRhs().getType();
  bool fits = rhs.getRank() == 2 && isa<FloatType>(rhs.getElementType()) &&
              getResult().getType() == rhs &&
              lower == TileType::get({rhs.getShape()[0], rhs.getShape()[0]},
                                     rhs.getElementType());
  if (!fits)
    return emitOpError() << "needs L [n, n] and R and X [n, m] of one float "
                            "type, got "
                         << lower << ", " << rhs << " and "
                         << getResult().getType();
  return success();
}

LogicalResult TopOp::verify() {
  // top_c1
  ArrayRef<int64_t> source = getSource().getType().getShape();
  ArrayRef<int64_t> picks = getIndices().getType().getShape();
  bool fits = !source.empty() && source.size() == picks.size() &&
              source.drop_back() == picks.drop_back() &&
              picks.back() <= source.back() &&
              getIndices().getType().getElementType().isIntOrIndex();
  if (!fits)
    return emitOpError() << "result must be integers, at most as many a row as "
                            "the source has, got "
                         << getSource().getType() << " and "
                         << getIndices().getType();
  return success();
}

LogicalResult SortOp::verify() {
  // sort_c1
  if (!isRowOfIntegers(getIndices().getType()) ||
      getSource().getType().getShape() != getIndices().getType().getShape())
    return emitOpError() << "needs two rows of one extent, the result of "
                            "integers, got "
                         << getSource().getType() << " and "
                         << getIndices().getType();
  return success();
}
