// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/AttnToTile/AttnToTile.h"
#include "lib/Conversion/AttnToTile/KernelScope.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt {
namespace {

using conversion::KernelScope;
using conversion::TensorPlace;

/// Turns one spec into a program.
class ProgramBuilder {
public:
  ProgramBuilder(func::FuncOp spec)
      : spec(spec), builder(spec), scope(builder, spec.getLoc()),
        pyramids(builder) {}

  LogicalResult build();

private:
  LogicalResult buildOperation(Operation *op);
  LogicalResult buildAttend(attn::AttendOp op);
  LogicalResult buildMap(attn::MapOp op);
  void bindUnsqueezed(attn::UnsqueezeOp op);
  Value placeOf(Value result);
  tile::ViewType viewType(Type type) {
    auto tensor = cast<RankedTensorType>(type);
    return tile::ViewType::get(tensor.getElementType(), tensor.getRank());
  }

  /// In which order the kernel that is being made takes queries and keys, as
  /// text; empty if in that of their positions.
  llvm::StringRef order;

  /// Creates a kernel and its launch. `rows` many rows are cut into blocks of
  /// `step`; `operands` are the tensors that the kernel reads, `results` the
  /// views it writes. `table` is the order of the items, if there is one.
  /// `emit` gets the results of the item and then what is `extra`.
  LogicalResult
  launch(Operation *op, llvm::StringRef suffix, tile::PlanAttr plan, Value rows,
         Value batch, Value heads, Value queries, Value keys, Value table,
         ValueRange operands, ValueRange results, ValueRange extra,
         llvm::function_ref<LogicalResult(KernelScope &, ValueRange)> emit);

  func::FuncOp spec;
  OpBuilder builder;
  KernelScope scope; ///< For values of the program.
  tile::ProgramOp program;
  llvm::DenseMap<Value, Value> extents; ///< attn.axis to index
  llvm::DenseMap<Value, TensorPlace> places;
  conversion::Pyramids pyramids;
  unsigned kernels = 0;
};

} // namespace

LogicalResult ProgramBuilder::build() {
  SmallVector<Type> types;
  for (Type type : spec.getArgumentTypes())
    types.push_back(viewType(type));
  for (Type type : spec.getResultTypes())
    types.push_back(viewType(type));
  program = tile::ProgramOp::create(builder, spec.getLoc(), spec.getName());
  Block *body =
      builder.createBlock(&program.getBody(), {}, types,
                          SmallVector<Location>(types.size(), spec.getLoc()));
  builder.setInsertionPointToEnd(body);
  for (BlockArgument argument : spec.getArguments()) {
    TensorPlace place{body->getArgument(argument.getArgNumber()), {}};
    auto type = cast<tile::ViewType>(place.view.getType());
    for (unsigned d = 0; d < type.getRank(); ++d)
      place.dims.push_back(d);
    places[argument] = place;
  }
  for (Operation &op : spec.getBody().front().without_terminator())
    if (failed(buildOperation(&op)))
      return failure();
  // What describes the arguments is the program's now.
  if (auto attrs = spec.getArgAttrsAttr())
    program->setAttr("arguments", attrs);
  if (auto attrs = spec.getResAttrsAttr())
    program->setAttr("results", attrs);
  spec.erase();
  return success();
}

LogicalResult ProgramBuilder::buildOperation(Operation *op) {
  scope.location = op->getLoc();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](attn::AxisOp op) {
        std::optional<attn::AxisPlace> place =
            attn::findAxis(spec, op.getName());
        Value view = places.at(spec.getArgument(place->argument)).view;
        extents[op] = scope.extent(view, place->dimension);
        return success();
      })
      .Case([&](arith::ConstantOp op) {
        extents[op] = builder.clone(*op.getOperation())->getResult(0);
        return success();
      })
      .Case([&](attn::UnsqueezeOp op) {
        bindUnsqueezed(op);
        return success();
      })
      .Case([&](attn::ListRowsOp op) {
        places[op] = places.at(op.getSource());
        places[op].rows = places.at(op.getList()).view;
        return success();
      })
      .Case([&](attn::AttendOp op) { return buildAttend(op); })
      .Case([&](attn::MapOp op) { return buildMap(op); })
      .Default([&](Operation *op) {
        return op->emitOpError() << "is not part of a spec";
      });
}

void ProgramBuilder::bindUnsqueezed(attn::UnsqueezeOp op) {
  TensorPlace place = places.at(op.getSource());
  place.dims.insert(place.dims.begin() + op.getPosition(), -1);
  places[op] = place;
}

/// Where a result of an operation is kept: in the result of the spec if it is
/// one, else in a workspace.
Value ProgramBuilder::placeOf(Value result) {
  Operation *terminator = spec.getBody().front().getTerminator();
  unsigned inputs = spec.getNumArguments();
  for (OpOperand &use : result.getUses())
    if (use.getOwner() == terminator)
      return program.getBody().front().getArgument(inputs +
                                                   use.getOperandNumber());
  auto type = cast<RankedTensorType>(result.getType());
  Operation *op = result.getDefiningOp();
  SmallVector<Value> sizes;
  if (auto attend = dyn_cast<attn::AttendOp>(op))
    sizes = {extents.at(attend.getBatch()), extents.at(attend.getHeads()),
             extents.at(attend.getQueryCount())};
  else if (auto map = dyn_cast<attn::MapOp>(op))
    sizes = {extents.at(map.getBatch()), extents.at(map.getHeads()),
             extents.at(map.getSide() == attn::Side::Queries
                            ? map.getQueryCount()
                            : map.getKeyCount())};
  if (type.getRank() == 4)
    sizes.push_back(scope.index(type.getDimSize(3)));
  return tile::WorkspaceOp::create(builder, scope.location, viewType(type),
                                   sizes);
}

/// The algorithm of a kernel, as text for the user.
static std::string describe(Operation *op, tile::PlanAttr plan,
                            llvm::StringRef order) {
  if (auto map = dyn_cast<attn::MapOp>(op))
    return ("map of rows of " + attn::stringifySide(map.getSide())).str();
  auto attend = cast<attn::AttendOp>(op);
  return ("flash forward, " + attn::stringifyReduction(attend.getReduction()) +
          ", " + llvm::Twine(plan.getQueries()) + " queries by runs of " +
          llvm::Twine(plan.getKeys()) + " keys" + order)
      .str();
}

LogicalResult ProgramBuilder::launch(
    Operation *op, llvm::StringRef suffix, tile::PlanAttr plan, Value rows,
    Value batch, Value heads, Value queries, Value keys, Value table,
    ValueRange operands, ValueRange results, ValueRange extra,
    llvm::function_ref<LogicalResult(KernelScope &, ValueRange)> emit) {
  // Every view once, and the shape.
  SmallVector<Value> arguments{batch, heads, queries, keys};
  llvm::DenseMap<Value, unsigned> numbers;
  auto pass = [&](Value view) {
    auto [entry, isNew] = numbers.try_emplace(view, arguments.size());
    if (isNew)
      arguments.push_back(view);
    return entry->second;
  };
  for (Value operand : operands) {
    const TensorPlace &place = places.at(operand);
    pass(place.view);
    if (place.rows)
      pass(place.rows);
  }
  for (Value view : results)
    pass(view);
  size_t firstExtra = arguments.size();
  llvm::append_range(arguments, extra);

  std::string name =
      (spec.getName() + "_" + suffix + std::to_string(kernels++)).str();
  auto launched =
      scope.fold<arith::CeilDivUIOp>(rows, scope.index(plan.getQueries()));
  OpBuilder::InsertionGuard guard(builder);
  auto launch = tile::LaunchOp::create(builder, op->getLoc(), name, batch,
                                       heads, launched, table, arguments);

  builder.setInsertionPointAfter(program);
  if (kernels > 1) // in the order of the launches
    for (Operation *next = program->getNextNode();
         next && isa<tile::KernelOp>(next); next = next->getNextNode())
      builder.setInsertionPointAfter(next);
  auto kernel =
      tile::KernelOp::create(builder, op->getLoc(), name, plan.getCpu());
  kernel->setAttr(tile::kFormAttr,
                  builder.getStringAttr(describe(op, plan, order)));
  SmallVector<Type> types(3, builder.getIndexType());
  llvm::append_range(types, launch.getArgs().getTypes());
  Block *block =
      builder.createBlock(&kernel.getBody(), {}, types,
                          SmallVector<Location>(types.size(), op->getLoc()));
  KernelScope inside(builder, op->getLoc());
  inside.batch = block->getArgument(0);
  inside.head = block->getArgument(1);
  inside.block = block->getArgument(2);
  auto argument = [&](unsigned n) { return block->getArgument(3 + n); };
  inside.batches = argument(0);
  inside.heads = argument(1);
  inside.queryCount = argument(2);
  inside.keyCount = argument(3);
  for (Value operand : operands) {
    TensorPlace place = places.at(operand);
    place.view = argument(numbers.at(place.view));
    if (place.rows)
      place.rows = argument(numbers.at(place.rows));
    inside.places[operand] = place;
  }
  SmallVector<Value> written;
  for (Value view : results) {
    Value whole = argument(numbers.at(view));
    auto type = cast<tile::ViewType>(whole.getType());
    written.push_back(tile::WindowOp::create(
        builder, op->getLoc(),
        tile::ViewType::get(type.getElementType(), type.getRank() - 2), whole,
        ValueRange{inside.batch, inside.head}));
  }
  for (size_t n = 0; n < extra.size(); ++n)
    written.push_back(argument(firstExtra + n));
  if (failed(emit(inside, written)))
    return failure();
  tile::ReturnOp::create(builder, op->getLoc());
  return success();
}

static tile::PlanAttr getPlan(Operation *op) {
  auto plan = op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr);
  if (!plan)
    op->emitOpError() << "has no tile.plan";
  return plan;
}

LogicalResult ProgramBuilder::buildAttend(attn::AttendOp op) {
  tile::PlanAttr plan = getPlan(op);
  if (!plan)
    return failure();
  Value out = placeOf(op.getResult()), lse = placeOf(op.getLse());
  SmallVector<Value> operands(op.getQueries());
  llvm::append_range(operands, op.getKeys());
  operands.push_back(op.getValues());
  llvm::append_range(operands, op.getCaptures());
  Value batch = extents.at(op.getBatch()), heads = extents.at(op.getHeads());
  Value queries = extents.at(op.getQueryCount());
  Value keys = extents.at(op.getKeyCount());
  Value table;
  conversion::PairLists lists;
  // What the kernel needs to know of them, in this order.
  SmallVector<Value> extra;
  if (!op.getMask().empty()) {
    KernelScope whole(builder, op->getLoc());
    whole.batches = batch;
    whole.heads = heads;
    whole.queryCount = queries;
    whole.keyCount = keys;
    whole.places = places;
    lists.keyCount = keys;
    if (!plan.getInOrder()) {
      FailureOr<conversion::PairLists> found =
          conversion::emitPairLists(whole, op);
      if (failed(found))
        return failure();
      lists = *found;
    }
    table = conversion::emitRunTable(whole, op, plan, lists, pyramids);
    extra = {table, lists.keyCount};
    lists.forEachList([&](Value list) { extra.push_back(list); });
  }
  order = conversion::describeOrder(lists);
  if (failed(launch(op, "attend", plan, queries, batch, heads, queries, keys,
                    table, operands, {out, lse}, extra,
                    [&](KernelScope &inside, ValueRange values) {
                      conversion::PairLists own = lists;
                      unsigned next = 3;
                      own.keyCount = table ? values[next++] : inside.keyCount;
                      own.forEachList(
                          [&](Value &list) { list = values[next++]; });
                      return conversion::emitAttendKernel(
                          inside, op, plan, table ? values[2] : Value(), own,
                          values[0], values[1]);
                    })))
    return failure();
  places[op.getResult()] = {out, {0, 1, 2, 3}};
  places[op.getLse()] = {lse, {0, 1, 2}};
  return success();
}

LogicalResult ProgramBuilder::buildMap(attn::MapOp op) {
  tile::PlanAttr plan = getPlan(op);
  if (!plan)
    return failure();
  Value out = placeOf(op.getResult());
  SmallVector<Value> operands(op.getRows());
  llvm::append_range(operands, op.getCaptures());
  Value queries = extents.at(op.getQueryCount());
  Value keys = extents.at(op.getKeyCount());
  Value rows = op.getSide() == attn::Side::Queries ? queries : keys;
  order = "";
  if (failed(launch(
          op, "map", plan, rows, extents.at(op.getBatch()),
          extents.at(op.getHeads()), queries, keys, Value(), operands, out,
          ValueRange(), [&](KernelScope &inside, ValueRange results) {
            return conversion::emitMapKernel(inside, op, plan, results[0]);
          })))
    return failure();
  places[op.getResult()] = {out, {0, 1, 2, 3}};
  return success();
}

namespace {
struct AttnToTile : PassWrapper<AttnToTile, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(AttnToTile)

  StringRef getArgument() const final { return "attn-to-tile"; }
  StringRef getDescription() const final {
    return "Turn specs into tile programs";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry
        .insert<tile::TileDialect, arith::ArithDialect, math::MathDialect>();
  }
  void runOnOperation() override {
    SmallVector<func::FuncOp> specs;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(attn::kSpecAttr))
        specs.push_back(function);
    for (func::FuncOp spec : specs)
      if (failed(ProgramBuilder(spec).build()))
        return signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> createAttnToTile() {
  return std::make_unique<AttnToTile>();
}

void registerAttnToTilePass() { PassRegistration<AttnToTile>(); }

} // namespace rapt
