// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Programs: the entries of the kernel contract, one function for each launch.

#include "lib/Conversion/TileToVector/TileToVector.h"
#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "lib/Conversion/TileToVector/Pointers.h"
#include "lib/Conversion/TileToVector/VectorMath.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace rapt {
namespace {

using namespace conversion;

class ProgramLowering {
public:
  ProgramLowering(tile::ProgramOp program, int64_t lanes32)
      : program(program), builder(program), location(program.getLoc()),
        lanes32(lanes32), module(program->getParentOfType<ModuleOp>()),
        pointer(LLVM::LLVMPointerType::get(program.getContext())) {}

  LogicalResult lower();

private:
  void findContiguous();
  MemRefType memoryOf(Value view);
  func::FuncOp createFunction(llvm::StringRef suffix, TypeRange arguments,
                              TypeRange results, bool isPrivate);
  Value i64(int64_t value) {
    return arith::ConstantOp::create(builder, location,
                                     builder.getI64IntegerAttr(value));
  }
  Value toI64(Value index) {
    return arith::IndexCastOp::create(builder, location, builder.getI64Type(),
                                      index);
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(builder, location, value);
  }
  Value bytesOf(tile::WorkspaceOp op);

  /// Values of the program in the function that is being built: arguments from
  /// their words, workspaces (if there is memory for them) and scalars.
  LogicalResult copyProgram(Value args, Value memory, Operation *until);
  LogicalResult emitWorkspace();
  LogicalResult emitPlan();
  LogicalResult emitLaunch(tile::LaunchOp launch, int64_t number);
  LogicalResult emitRun();

  tile::ProgramOp program;
  OpBuilder builder;
  Location location;
  int64_t lanes32;
  ModuleOp module;
  Type pointer;
  llvm::DenseMap<Value, Value> values;
  llvm::DenseSet<Value> contiguous;
  SmallVector<tile::LaunchOp> launches;
  /// Bytes that the workspaces met so far take, after the counts of items.
  Value workspaceEnd;
};

} // namespace

constexpr int64_t kAlignment = 64;

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
        origin[window] = origin[window.getSource()];
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

Value ProgramLowering::bytesOf(tile::WorkspaceOp op) {
  auto type = cast<tile::ViewType>(op.getView().getType());
  unsigned bits = type.getElementType().getIntOrFloatBitWidth();
  Value bytes = i64(llvm::divideCeil(bits, 8));
  for (Value extent : op.getExtents())
    bytes = arith::MulIOp::create(builder, location, bytes,
                                  toI64(values.at(extent)));
  bytes = arith::AddIOp::create(builder, location, bytes, i64(kAlignment - 1));
  return arith::AndIOp::create(builder, location, bytes, i64(-kAlignment));
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
  // The head of the workspace has the number of items of each launch.
  workspaceEnd = i64(llvm::alignTo(8 * launches.size(), kAlignment));
  for (Operation &op : body) {
    if (&op == until)
      break;
    location = op.getLoc();
    if (isa<tile::LaunchOp>(op))
      continue;
    if (auto extent = dyn_cast<tile::ExtentOp>(op)) {
      values[extent] = builder.createOrFold<memref::DimOp>(
          location, values.at(extent.getView()), extent.getDimension());
      continue;
    }
    if (auto workspace = dyn_cast<tile::WorkspaceOp>(op)) {
      if (memory) {
        SmallVector<Value> sizes, strides(workspace.getExtents().size());
        for (Value extent : workspace.getExtents())
          sizes.push_back(toI64(values.at(extent)));
        Value stride = i64(1);
        for (size_t d = sizes.size(); d-- > 0;) {
          strides[d] = stride;
          stride = arith::MulIOp::create(builder, location, stride, sizes[d]);
        }
        values[workspace.getView()] =
            makeMemRef(builder, location, memoryOf(workspace.getView()),
                       movePointer(builder, location, memory, workspaceEnd),
                       sizes, strides);
      }
      workspaceEnd = arith::AddIOp::create(builder, location, workspaceEnd,
                                           bytesOf(workspace));
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
  func::ReturnOp::create(builder, location, workspaceEnd);
  return success();
}

LogicalResult ProgramLowering::emitPlan() {
  func::FuncOp function =
      createFunction("_plan", {pointer, pointer}, {}, false);
  if (failed(copyProgram(function.getArgument(0), nullptr, nullptr)))
    return failure();
  for (auto [number, launch] : llvm::enumerate(launches)) {
    Value items = i64(1);
    for (Value extent : {launch.getX(), launch.getY(), launch.getZ()})
      items = arith::MulIOp::create(builder, location, items,
                                    toI64(values.at(extent)));
    Value place = movePointer(builder, location, function.getArgument(1),
                              i64(8 * number));
    LLVM::StoreOp::create(builder, location, items, place);
  }
  func::ReturnOp::create(builder, location);
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
  int64_t width = lanes->getLanes();
  if (!llvm::isPowerOf2_64(width) || width < lanes32)
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
    if (launch.getDescending()) {
      Value last = arith::SubIOp::create(builder, location, z, index(1));
      inner = arith::SubIOp::create(builder, location, last, inner);
    }
    KernelLowering lowering(builder, kernel, *lanes, lanes32, entry);
    Block &body = kernel.getBody().front();
    lowering.bind(body.getArgument(0), first);
    lowering.bind(body.getArgument(1), second);
    lowering.bind(body.getArgument(2), inner);
    for (auto [argument, value] :
         llvm::zip(body.getArguments().drop_front(3), launch.getArgs()))
      lowering.bind(argument, values.at(value));
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
  for (int64_t n = 0; n < static_cast<int64_t>(launches.size()); ++n) {
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
  findContiguous();
  std::string forms, plan;
  for (auto [n, launch] : llvm::enumerate(launches)) {
    if (failed(emitLaunch(launch, n)))
      return failure();
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
    tile::CpuPlanAttr cpu = *kernel.getPlan();
    os << LaneAnalysis::compute(kernel)->getLanes()
       << " rows along the lanes, blocks of " << cpu.getRows()
       << " rows in registers, depth " << cpu.getDepth();
  }
  if (failed(emitWorkspace()) || failed(emitPlan()) || failed(emitRun()))
    return failure();
  SmallVector<bool> flags;
  for (Value argument : program.getBody().front().getArguments())
    flags.push_back(contiguous.contains(argument));
  module->setAttr("rapt.launches", builder.getI64IntegerAttr(launches.size()));
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

namespace {
struct TileToVector : PassWrapper<TileToVector, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToVector)

  TileToVector() = default;
  explicit TileToVector(int64_t lanes) { lanes32 = lanes; }
  TileToVector(const TileToVector &other) : PassWrapper(other) {
    lanes32 = other.lanes32.getValue();
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
    SmallVector<tile::ProgramOp> programs;
    llvm::append_range(programs, getOperation().getOps<tile::ProgramOp>());
    for (tile::ProgramOp program : programs)
      if (failed(ProgramLowering(program, lanes32).lower()))
        return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    populateVectorMathPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }

  Option<int64_t> lanes32{
      *this, "lanes", llvm::cl::init(16),
      llvm::cl::desc("lanes of 32 bits in one vector register")};
};
} // namespace

std::unique_ptr<Pass> createTileToVector(int64_t lanes32) {
  return std::make_unique<TileToVector>(lanes32);
}

void registerTileToVectorPass() { PassRegistration<TileToVector>(); }

} // namespace rapt
