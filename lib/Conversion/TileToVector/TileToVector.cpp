// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Programs: the entries of the kernel contract, one function for each launch.

#include "lib/Conversion/TileToVector/TileToVector.h"
#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "lib/Conversion/TileToVector/PlanLists.h"
#include "lib/Conversion/TileToVector/Pointers.h"
#include "lib/Conversion/TileToVector/ProgramLowering.h"
#include "lib/Conversion/TileToVector/VectorMath.h"
#include "lib/Support/WorkspaceHead.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace rapt {
namespace conversion {

constexpr int64_t kAlignment = 64;

/// Words of memory for runs that a workspace has at first for each block of
/// rows, and at least.
constexpr int64_t kRunsPerBlock = 12, kLeastRuns = 64;

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

/// Tiles are loaded and stored along the last dimension of a view, which then
/// has the stride 1. Views that are only read element by element may have any.
void ProgramLowering::findContiguous() {
  for (tile::LaunchOp launch : launches) {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
        module, launch.getKernelAttr());
    Block &body = kernel.getBody().front();
    llvm::DenseMap<Value, Value> origin;
    for (auto [argument, value] :
         llvm::zip(body.getArguments().drop_front(3), launch.getArgs()))
      origin[argument] = value;
    kernel.walk([&](Operation *op) {
      if (auto window = dyn_cast<tile::WindowOp>(op))
        origin[window] = origin.lookup(window.getSource());
      else if (auto listed = dyn_cast<tile::ListRowsOp>(op)) {
        origin[listed] = origin.lookup(listed.getSource());
        contiguous.insert(origin.lookup(listed.getList()));
      } else if (auto grouped = dyn_cast<tile::GroupRowsOp>(op))
        origin[grouped] = origin.lookup(grouped.getSource());
      else if (auto load = dyn_cast<tile::LoadOp>(op))
        contiguous.insert(origin[load.getView()]);
      else if (auto store = dyn_cast<tile::StoreOp>(op))
        contiguous.insert(origin[store.getView()]);
    });
  }
}

MemRefType ProgramLowering::memoryOf(Value view) {
  auto type = cast<tile::ViewType>(view.getType());
  Type element = type.getElementType();
  if (element.isInteger(1))
    element = builder.getI8Type();
  SmallVector<int64_t> shape(type.getRank(), ShapedType::kDynamic);
  SmallVector<int64_t> strides(shape);
  if (!strides.empty() && contiguous.contains(view))
    strides.back() = 1;
  return MemRefType::get(
      shape, element, StridedLayoutAttr::get(builder.getContext(), 0, strides));
}

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

/// Whether any region that is lowered asks for bounds: where the next column is
/// known, nothing is classified.
static bool isAsked(tile::PyramidOp op) {
  return llvm::any_of(op->getUsers(), [](Operation *user) {
    Region *region = user->getParentRegion();
    auto runs = dyn_cast<tile::PlanRunsOp>(region->getParentOp());
    return !runs || runs.getNext().empty() || region != &runs.getClassify();
  });
}

void ProgramLowering::bindPyramid(tile::PyramidOp op, Value memory) {
  PyramidMemory pyramid;
  pyramid.dimension = op.getDimension();
  auto sizes = viewSizes.find(op.getView());
  pyramid.view = values.lookup(op.getView());
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

LogicalResult ProgramLowering::copyProgram(Value args, Value memory,
                                           Operation *until) {
  values.clear();
  Block &body = program.getBody().front();
  int64_t word = 0;
  for (Value argument : body.getArguments()) {
    MemRefType type = memoryOf(argument);
    int64_t rank = type.getRank();
    Value address = LLVM::IntToPtrOp::create(
        builder, location, pointer, loadWord(builder, location, args, word++));
    SmallVector<Value> sizes, strides;
    for (int64_t d = 0; d < rank; ++d)
      sizes.push_back(loadWord(builder, location, args, word++));
    for (int64_t d = 0; d < rank; ++d)
      strides.push_back(loadWord(builder, location, args, word++));
    values[argument] =
        makeMemRef(builder, location, type, address, sizes, strides);
  }
  viewSizes.clear();
  workspaceEnd = i64(llvm::alignTo(
      8 * support::getHeadWords(steps.size(), plannedRuns.size()), kAlignment));
  leastRuns = i64(kLeastRuns);
  lateRuns = i64(0);
  for (Operation &op : body) {
    if (&op == until)
      break;
    location = op.getLoc();
    if (isa<tile::LaunchOp>(op))
      continue;
    if (isa<tile::TabulateOp, tile::SortRowsOp, tile::ListMarkedOp>(op)) {
      if (failed(bindLists(&op, memory)))
        return failure();
      continue;
    }
    if (auto pyramid = dyn_cast<tile::PyramidOp>(op)) {
      if (!isAsked(pyramid))
        continue;
      bindPyramid(pyramid, memory);
      if (fills(pyramid))
        fillPyramid(emit(), pyramid, pyramids.at(pyramid.getPyramid()));
      continue;
    }
    if (auto table = dyn_cast<tile::PlanRunsOp>(op)) {
      bindTable(table, memory);
      if (fills(table) && failed(planTable(table)))
        return failure();
      continue;
    }
    if (auto longest = dyn_cast<tile::LongestOp>(op)) {
      const RunTable &table = tables.at(longest.getTable());
      bool isKnown =
          memory && !late.contains(longest.getTable().getDefiningOp());
      values[longest] = isKnown
                            ? table.getLongest(emit())
                            : emit().multiply(table.steps, table.columnStep);
      continue;
    }
    if (auto extent = dyn_cast<tile::ExtentOp>(op)) {
      values[extent] = builder.createOrFold<memref::DimOp>(
          location, values.at(extent.getView()), extent.getDimension());
      continue;
    }
    if (auto workspace = dyn_cast<tile::WorkspaceOp>(op)) {
      SmallVector<Value> sizes;
      for (Value extent : workspace.getExtents())
        sizes.push_back(values.at(extent));
      viewSizes[workspace.getView()] = sizes;
      takeView(memory, workspace.getView(), sizes);
      continue;
    }
    if (op.getDialect() == program->getDialect() || op.getNumResults() != 1)
      return op.emitError() << "has no lowering to vectors yet";
    IRMapping mapping;
    for (Value operand : op.getOperands())
      mapping.map(operand, values.at(operand));
    values[op.getResult(0)] = builder.clone(op, mapping)->getResult(0);
  }
  location = program.getLoc();
  return success();
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

func::FuncOp ProgramLowering::createFunction(llvm::StringRef suffix,
                                             TypeRange arguments,
                                             TypeRange results,
                                             bool isPrivate) {
  builder.setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(
      builder, location, (program.getSymName() + suffix).str(),
      builder.getFunctionType(arguments, results));
  if (isPrivate)
    function.setPrivate();
  builder.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

LogicalResult ProgramLowering::emitWorkspace() {
  func::FuncOp function =
      createFunction("_workspace", pointer, builder.getI64Type(), false);
  if (failed(copyProgram(function.getArgument(0), nullptr, nullptr)))
    return failure();
  Value runs =
      plannedRuns.empty() ? i64(0) : emit().multiply(leastRuns, i64(8));
  func::ReturnOp::create(builder, location, emit().add(workspaceEnd, runs));
  return success();
}

LogicalResult ProgramLowering::emitPlan() {
  Type i64Type = builder.getI64Type();
  func::FuncOp function =
      createFunction("_plan", {pointer, pointer, i64Type}, i64Type, false);
  Value args = function.getArgument(0), memory = function.getArgument(1);
  // What the runs come after.
  if (failed(copyProgram(args, nullptr, nullptr)))
    return failure();
  Value start = workspaceEnd, bytes = start;
  if (!plannedRuns.empty()) {
    storeWord(memory, static_cast<int64_t>(steps.size()), start);
    cursor = lateRuns; // which come first
    capacity = emit().op<arith::ShRSIOp>(
        emit().subtract(function.getArgument(2), start), i64(3));
    if (failed(copyProgram(args, memory, nullptr)))
      return failure();
    bytes = emit().add(start, emit().multiply(cursor, i64(8)));
    cursor = capacity = nullptr;
  }
  for (auto [number, step] : llvm::enumerate(steps)) {
    Value items = i64(1);
    if (!step.isPlan)
      for (Value extent :
           {step.launch.getX(), step.launch.getY(), step.launch.getZ()})
        items = emit().multiply(items, emit().toI64(values.at(extent)));
    storeWord(memory, static_cast<int64_t>(number), items);
  }
  func::ReturnOp::create(builder, location, bytes);
  return success();
}

/// A loop over items of one launch with the kernel as its body.
LogicalResult ProgramLowering::emitLaunch(tile::LaunchOp launch,
                                          int64_t number) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
      module, launch.getKernelAttr());
  if (!kernel.getPlan())
    return kernel.emitError() << "has no plan for a CPU";
  FailureOr<LaneAnalysis> lanes = LaneAnalysis::compute(kernel);
  if (failed(lanes))
    return failure();
  int64_t width = lanes->getRows();
  if (!lanes->isColumns() && (!llvm::isPowerOf2_64(width) || width < lanes32))
    return kernel.emitError()
           << "has " << width << " lanes, expected a power of two of at least "
           << lanes32;
  Type i64Type = builder.getI64Type();
  func::FuncOp function = createFunction(
      ("_launch" + llvm::Twine(number)).str(),
      {pointer, pointer, i64Type, i64Type}, {}, /*isPrivate=*/true);
  Block *entry = &function.getBody().front();
  if (failed(copyProgram(entry->getArgument(0), entry->getArgument(1), launch)))
    return failure();
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, location, builder.getIndexType(),
                                      value);
  };
  auto loop =
      scf::ForOp::create(builder, location, toIndex(entry->getArgument(2)),
                         toIndex(entry->getArgument(3)), index(1));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value y = values.at(launch.getY()), z = values.at(launch.getZ());
    Value item = loop.getInductionVar();
    auto split = [&](Value value, Value by) {
      Value whole = arith::DivUIOp::create(builder, location, value, by);
      Value rest = arith::RemUIOp::create(builder, location, value, by);
      return std::pair(whole, rest);
    };
    auto [outer, inner] = split(item, z);
    auto [first, second] = split(outer, y);
    if (Value order = launch.getOrder()) {
      const RunTable &table = tables.at(order);
      Value place = table.getPlace(emit(), first, second, inner);
      inner = emit().toIndex(emit().load(table.order, place));
    }
    KernelLowering lowering(builder, kernel, *lanes, machine, entry);
    Block &body = kernel.getBody().front();
    lowering.bind(body.getArgument(0), first);
    lowering.bind(body.getArgument(1), second);
    lowering.bind(body.getArgument(2), inner);
    for (auto [argument, value] :
         llvm::zip(body.getArguments().drop_front(3), launch.getArgs())) {
      if (isa<tile::RunTableType>(value.getType()))
        lowering.bindTable(argument, tables.at(value));
      else
        lowering.bind(argument, values.at(value));
    }
    if (failed(lowering.lower()))
      return failure();
  }
  func::ReturnOp::create(builder, location);
  return success();
}

LogicalResult ProgramLowering::emitRun() {
  Type i64Type = builder.getI64Type();
  func::FuncOp function = createFunction(
      "_run", {pointer, pointer, i64Type, i64Type, i64Type}, {}, false);
  SmallVector<Value> arguments{function.getArgument(0), function.getArgument(1),
                               function.getArgument(3),
                               function.getArgument(4)};
  for (int64_t n = 0; n < static_cast<int64_t>(steps.size()); ++n) {
    Value isThis =
        arith::CmpIOp::create(builder, location, arith::CmpIPredicate::eq,
                              function.getArgument(2), i64(n));
    auto branch = scf::IfOp::create(builder, location, isThis);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    func::CallOp::create(
        builder, location,
        (program.getSymName() + "_launch" + llvm::Twine(n)).str(), TypeRange(),
        arguments);
  }
  func::ReturnOp::create(builder, location);
  return success();
}

LogicalResult ProgramLowering::lower() {
  llvm::append_range(launches, program.getBody().getOps<tile::LaunchOp>());
  llvm::append_range(plannedRuns, program.getBody().getOps<tile::PlanRunsOp>());
  findContiguous();
  if (failed(findSteps()))
    return failure();
  if (!isForDevice)
    for (auto [n, step] : llvm::enumerate(steps))
      if (failed(step.isPlan ? emitLatePlan(n) : emitLaunch(step.launch, n)))
        return failure();
  std::string forms, plan;
  for (auto [n, launch] : llvm::enumerate(launches)) {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
        module, launch.getKernelAttr());
    llvm::raw_string_ostream form(forms), os(plan);
    if (n > 0) {
      form << "; ";
      os << "; ";
    }
    if (auto text = kernel->getAttrOfType<StringAttr>(tile::kFormAttr))
      form << text.getValue();
    else
      form << kernel.getSymName();
    if (isForDevice) {
      if (std::optional<tile::GpuPlanAttr> gpu = kernel.getGpuPlan())
        os << gpu->getWarps() << " warps, " << gpu->getStages() << " stages"
           << (gpu->getWarpgroups() ? ", products of warpgroups" : "");
      continue;
    }
    tile::CpuPlanAttr cpu = *kernel.getPlan();
    int64_t rows = LaneAnalysis::compute(kernel)->getRows();
    if (cpu.getColumns())
      os << "columns along the lanes for " << rows << " rows, blocks of "
         << cpu.getRows() << " vectors in registers, depth " << cpu.getDepth();
    else
      os << rows << " rows along the lanes, blocks of " << cpu.getRows()
         << " rows in registers, depth " << cpu.getDepth();
  }
  if (failed(emitWorkspace()) || failed(emitPlan()) ||
      failed(isForDevice ? emitDeviceLaunches() : emitRun()))
    return failure();
  SmallVector<bool> flags;
  for (Value argument : program.getBody().front().getArguments())
    flags.push_back(contiguous.contains(argument));
  module->setAttr("rapt.launches", builder.getI64IntegerAttr(steps.size()));
  module->setAttr("rapt.tables", builder.getI64IntegerAttr(plannedRuns.size()));
  SmallVector<bool> listed;
  for (tile::PlanRunsOp table : plannedRuns)
    listed.push_back(table->hasAttr(tile::kListedAttr));
  module->setAttr("rapt.listed", builder.getDenseBoolArrayAttr(listed));
  module->setAttr("rapt.form", builder.getStringAttr(forms));
  module->setAttr("rapt.plan", builder.getStringAttr(plan));
  module->setAttr("rapt.contiguous", builder.getDenseBoolArrayAttr(flags));
  for (tile::LaunchOp launch : launches)
    if (auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
            module, launch.getKernelAttr()))
      kernel.erase();
  program.erase();
  return success();
}

} // namespace conversion

namespace {
struct TileToVector : PassWrapper<TileToVector, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToVector)

  TileToVector() = default;
  TileToVector(const VectorTarget &target, bool isHostPart) {
    lanes32 = target.lanes32;
    l2Bytes = target.l2Bytes;
    scalesByPowers = target.scalesByPowers;
    isForDevice = isHostPart;
  }
  TileToVector(const TileToVector &other) : PassWrapper(other) {
    lanes32 = other.lanes32.getValue();
    l2Bytes = other.l2Bytes.getValue();
    scalesByPowers = other.scalesByPowers.getValue();
    isForDevice = other.isForDevice.getValue();
  }

  StringRef getArgument() const final { return "tile-to-vector"; }
  StringRef getDescription() const final {
    return "Turn tile programs into vector code for a CPU";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                    math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                    vector::VectorDialect>();
  }
  void runOnOperation() override {
    VectorTarget target{lanes32, l2Bytes, scalesByPowers};
    SmallVector<tile::ProgramOp> programs;
    llvm::append_range(programs, getOperation().getOps<tile::ProgramOp>());
    for (tile::ProgramOp program : programs)
      if (failed(conversion::ProgramLowering(program, target, isForDevice)
                     .lower()))
        return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    conversion::populateVectorMathPatterns(patterns, scalesByPowers);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }

  Option<int64_t> lanes32{
      *this, "lanes", llvm::cl::init(16),
      llvm::cl::desc("lanes of 32 bits in one vector register")};
  Option<int64_t> l2Bytes{
      *this, "l2", llvm::cl::init(1048576),
      llvm::cl::desc("bytes of a core's second level cache")};
  Option<bool> scalesByPowers{
      *this, "scale-by-powers", llvm::cl::init(false),
      llvm::cl::desc("2^x by the instructions of AVX-512 for powers of two")};
  Option<bool> isForDevice{
      *this, "for-device", llvm::cl::init(false),
      llvm::cl::desc("only what plans and launches kernels of a GPU")};
};
} // namespace

std::unique_ptr<Pass> createTileToVector(const VectorTarget &target) {
  return std::make_unique<TileToVector>(target, /*isHostPart=*/false);
}

std::unique_ptr<Pass> createTileToVectorForDevice(int64_t lanes32) {
  return std::make_unique<TileToVector>(VectorTarget{lanes32},
                                        /*isHostPart=*/true);
}

void registerTileToVectorPass() { PassRegistration<TileToVector>(); }

} // namespace rapt
