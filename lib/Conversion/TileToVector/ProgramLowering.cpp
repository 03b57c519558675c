// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Programs: the entries of the kernel contract, one function for each launch.

#include "lib/Conversion/TileToVector/ProgramLowering.h"
#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "lib/Conversion/TileToVector/PlanLists.h"
#include "lib/Conversion/TileToVector/Pointers.h"
#include "lib/Support/WorkspaceHead.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace rapt::conversion {

/// Words of memory for runs that a workspace has at least.
constexpr int64_t kLeastRuns = 64;

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

/// Whether any region that is lowered asks for bounds: where the next column is
/// known, nothing is classified.
static bool isAsked(tile::PyramidOp op) {
  return llvm::any_of(op->getUsers(), [](Operation *user) {
    Region *region = user->getParentRegion();
    auto runs = dyn_cast<tile::PlanRunsOp>(region->getParentOp());
    return !runs || runs.getNext().empty() || region != &runs.getClassify();
  });
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
      if (fills(pyramid) && pyramids.at(pyramid.getPyramid()).capacity)
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
    if (cpu.getPairs())
      os << ", pairs of bf16";
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

} // namespace rapt::conversion
