// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a program plans, in the workspace: where lists, bounds and runs lie, and
// in the functions that plan them what they hold.

#include "lib/Conversion/TileToVector/PlanLists.h"
#include "lib/Conversion/TileToVector/Pointers.h"
#include "lib/Conversion/TileToVector/ProgramLowering.h"
#include "lib/Support/WorkspaceHead.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace rapt::conversion {

/// Words of memory for runs that a workspace has at first for each block of
/// rows.
constexpr int64_t kRunsPerBlock = 12;

/// Address of the next `bytes` (i64) of the workspace; null without memory.
Value ProgramLowering::takeWorkspace(Value memory, Value bytes) {
  Value address =
      memory ? movePointer(builder, location, memory, workspaceEnd) : Value();
  Value end = emit().add(bytes, i64(kAlignment - 1));
  workspaceEnd = emit().add(workspaceEnd, emit().both(end, i64(-kAlignment)));
  return address;
}

/// An array of `count` (index) words; null without memory.
Value ProgramLowering::takeArray(Value memory, Value count) {
  Value words = emit().toI64(count);
  Value address = takeWorkspace(memory, emit().multiply(words, i64(8)));
  if (!address)
    return nullptr;
  auto type = MemRefType::get({ShapedType::kDynamic}, builder.getI64Type());
  return makeMemRef(builder, location, type, address, words, i64(1));
}

void ProgramLowering::storeWord(Value array, int64_t number, Value word) {
  LLVM::StoreOp::create(builder, location, word,
                        movePointer(builder, location, array, i64(8 * number)));
}

LogicalResult ProgramLowering::planTable(tile::PlanRunsOp op) {
  ScalarLowering lower(builder, pyramids);
  lower.values = values;
  const RunTable &table = tables.at(op.getTable());
  if (late.contains(op))
    return emitRuns(emit(), op, table, lower, table.firstRun, nullptr);
  FailureOr<Value> next = emitRuns(emit(), op, table, lower, cursor, capacity);
  if (failed(next))
    return failure();
  cursor = *next;
  return success();
}

/// Whether the function that is built computes what a table or a list holds;
/// else these only have their places in memory.
bool ProgramLowering::fills(Operation *op) const {
  if (!capacity)
    return false;
  auto step = late.find(op);
  return planStep ? step != late.end() && step->second == *planStep
                  : step == late.end();
}

/// Memory in C order for a view of the program; null without memory.
Value ProgramLowering::takeView(Value memory, Value view,
                                ArrayRef<Value> sizes) {
  Type element = cast<tile::ViewType>(view.getType()).getElementType();
  SmallVector<Value> wide, strides(sizes.size());
  for (Value size : sizes)
    wide.push_back(emit().toI64(size));
  Value count = i64(1);
  for (size_t d = sizes.size(); d-- > 0;) {
    strides[d] = count;
    count = emit().multiply(count, wide[d]);
  }
  int64_t bytes = llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  Value address = takeWorkspace(memory, emit().multiply(count, i64(bytes)));
  if (!address)
    return nullptr;
  return values[view] = makeMemRef(builder, location, memoryOf(view), address,
                                   wide, strides);
}

/// Calls the function that sorts lines, which all sorts of the module share.
void ProgramLowering::callSort(ArrayRef<Value> arguments) {
  auto type = builder.getFunctionType(ValueRange(arguments).getTypes(), {});
  std::string name = "sort_lines";
  func::FuncOp function = module.lookupSymbol<func::FuncOp>(name);
  for (int n = 1; function && function.getFunctionType() != type; ++n) {
    name = "sort_lines" + std::to_string(n);
    function = module.lookupSymbol<func::FuncOp>(name);
  }
  if (!function) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(module.getBody());
    function = func::FuncOp::create(builder, location, name, type);
    function.setPrivate();
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToStart(body);
    auto argument = [&](unsigned n) { return body->getArgument(n); };
    sortLines(emit(), argument(0), argument(1),
              {argument(2), argument(3), argument(4)});
    func::ReturnOp::create(builder, location);
  }
  func::CallOp::create(builder, location, function, arguments);
}

/// What is computed from positions when a call is planned. Extents are kept
/// even where there is no memory.
LogicalResult ProgramLowering::bindLists(Operation *op, Value memory) {
  if (auto table = dyn_cast<tile::TabulateOp>(op)) {
    SmallVector<Value> sizes{values.at(table.getBatches()),
                             values.at(table.getHeads()),
                             values.at(table.getLength())};
    viewSizes[table.getResult()] = sizes;
    Value place = takeView(memory, table.getResult(), sizes);
    if (!fills(op))
      return success();
    ScalarLowering lower(builder, pyramids);
    lower.values = values;
    return fillTable(emit(), table, place, lower);
  }
  if (auto sort = dyn_cast<tile::SortRowsOp>(op)) {
    SmallVector<Value> sizes = viewSizes.at(sort.getIds());
    viewSizes[sort.getOrder()] = sizes;
    Value order = takeView(memory, sort.getOrder(), sizes);
    SortScratch scratch{takeArray(memory, sizes[2]),
                        takeArray(memory, sizes[2]),
                        takeArray(memory, index(SortScratch::kMostDigits))};
    if (!fills(op))
      return success();
    callSort({values.at(sort.getIds()), order, scratch.ids, scratch.numbers,
              scratch.histogram});
    return success();
  }
  auto list = cast<tile::ListMarkedOp>(op);
  SmallVector<Value> sizes = viewSizes.at(list.getMarks());
  sizes[2] = emit().multiply(sizes[2], index(2));
  viewSizes[list.getOrder()] = sizes;
  Value order = takeView(memory, list.getOrder(), sizes);
  sizes[2] = index(1);
  viewSizes[list.getCount()] = sizes;
  Value count = takeView(memory, list.getCount(), sizes);
  if (fills(op))
    listMarked(emit(), values.at(list.getMarks()), order, count);
  return success();
}

/// Whether a range is that of a block of rows, or a part of it, and lies inside
/// a leaf, so that no node of a tree is read.
static bool isInLeaf(tile::BoundsOp op) {
  auto runs = dyn_cast<tile::PlanRunsOp>(op->getParentOp());
  if (!runs ||
      PyramidMemory::kLeaf % static_cast<int64_t>(runs.getRowStep()) != 0)
    return false;
  Block &region = *op->getBlock();
  auto isRow = [&](Value place, unsigned argument) {
    auto cast = place.getDefiningOp<arith::IndexCastOp>();
    return cast && cast.getIn() == region.getArgument(argument);
  };
  return isRow(op.getFirst(), 2) && isRow(op.getLast(), 3);
}

void ProgramLowering::bindPyramid(tile::PyramidOp op, Value memory) {
  PyramidMemory pyramid;
  pyramid.dimension = op.getDimension();
  auto sizes = viewSizes.find(op.getView());
  pyramid.view = values.lookup(op.getView());
  bool needsTree = llvm::any_of(op->getUsers(), [](Operation *user) {
    auto bounds = dyn_cast<tile::BoundsOp>(user);
    return !bounds || !isInLeaf(bounds);
  });
  if (!needsTree) {
    pyramids[op.getPyramid()] = pyramid;
    return;
  }
  auto extent = [&](int64_t d) -> Value {
    if (sizes != viewSizes.end())
      return sizes->second[d];
    return builder.createOrFold<memref::DimOp>(location, pyramid.view, d);
  };
  Value leaves = emit().op<arith::CeilDivUIOp>(extent(pyramid.dimension),
                                               index(PyramidMemory::kLeaf));
  leaves = emit().maximum(leaves, index(1));
  pyramid.capacity =
      emit().toIndex(emit().ceilPowerOfTwo(emit().toI64(leaves)));
  Value words = emit().multiply(pyramid.capacity, index(4));
  for (int64_t d = 0; d < op.getView().getType().getRank(); ++d)
    if (d != pyramid.dimension)
      words = emit().multiply(words, extent(d));
  pyramid.tree = takeArray(memory, words);
  pyramids[op.getPyramid()] = pyramid;
}

void ProgramLowering::bindTable(tile::PlanRunsOp op, Value memory) {
  RunTable table(op);
  auto steps = [&](Value extent, uint64_t step) {
    return emit().op<arith::CeilDivUIOp>(values.at(extent),
                                         index(static_cast<int64_t>(step)));
  };
  table.batches = table.usesBatch ? values.at(op.getBatches()) : index(1);
  table.heads = table.usesHead ? values.at(op.getHeads()) : index(1);
  table.blocks = steps(op.getRows(), op.getRowStep());
  table.steps = steps(op.getColumns(), op.getColumnStep());
  table.columns = values.at(op.getColumns());
  table.columnStep = index(static_cast<int64_t>(op.getColumnStep()));
  Value places = emit().multiply(emit().multiply(table.batches, table.heads),
                                 table.blocks);
  Value mostRuns = emit().toI64(emit().multiply(places, index(kRunsPerBlock)));
  leastRuns = emit().add(leastRuns, mostRuns);
  if (late.contains(op)) {
    table.mostRuns = kRunsPerBlock;
    table.firstRun = lateRuns;
    lateRuns = emit().add(lateRuns, mostRuns);
  }
  Value starts[3];
  auto take = [&](Value count) { return takeArray(memory, count); };
  starts[0] = workspaceEnd;
  table.offsets = take(emit().add(places, index(1)));
  starts[1] = workspaceEnd;
  table.costs = take(places);
  starts[2] = workspaceEnd;
  table.order = take(places);
  table.histogram = take(emit().add(table.steps, index(1)));
  if (memory) {
    Value start = loadWord(builder, location, memory,
                           static_cast<int64_t>(this->steps.size()));
    // How many they are is known when they are found.
    table.runs = makeMemRef(
        builder, location,
        MemRefType::get({ShapedType::kDynamic}, builder.getI64Type()),
        movePointer(builder, location, memory, start), i64(1), i64(1));
  }
  if (capacity && !planStep) {
    Value words[] = {late.contains(op) ? i64(0) : starts[0],
                     starts[1],
                     starts[2],
                     emit().toI64(table.batches),
                     emit().toI64(table.heads),
                     emit().toI64(table.blocks),
                     emit().toI64(table.steps),
                     emit().toI64(values.at(op.getRows())),
                     emit().toI64(values.at(op.getColumns())),
                     i64(static_cast<int64_t>(op.getRowStep())),
                     i64(static_cast<int64_t>(op.getColumnStep()))};
    int64_t number = llvm::find(plannedRuns, op) - plannedRuns.begin();
    int64_t first =
        support::getTableWord(static_cast<int64_t>(this->steps.size()), number,
                              support::TableWord(0));
    for (auto [n, word] : llvm::enumerate(words))
      storeWord(memory, first + static_cast<int64_t>(n), word);
  }
  tables[op.getTable()] = table;
}

} // namespace rapt::conversion
