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
  /// Whether its rows are those of all heads that share keys.
  bool isGrouped = false;

  /// The items of a launch. `table` is their order, if there is one.
  struct Items {
    Value batch, heads, blocks, table;
  };
  /// Creates a kernel and its launch. `shape` has the batch, heads, queries and
  /// keys of the operation, `operands` are the tensors that the kernel reads.
  /// `emit` gets what the kernel is given besides, values or views: `extra`.
  LogicalResult
  launch(Operation *op, llvm::StringRef suffix, tile::PlanAttr plan,
         const Items &items, ArrayRef<Value> shape, ValueRange operands,
         ValueRange extra,
         llvm::function_ref<LogicalResult(KernelScope &, ValueRange)> emit);
  Value blocksOf(Value rows, tile::PlanAttr plan) {
    return scope.fold<arith::CeilDivUIOp>(rows, scope.index(plan.getQueries()));
  }
  Value itemHeads(attn::AttendOp op, Value heads);

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
static std::string describe(Operation *op, tile::PlanAttr plan, bool isGrouped,
                            llvm::StringRef order, llvm::StringRef suffix) {
  if (suffix == "merge")
    return "merge of the splits";
  if (auto map = dyn_cast<attn::MapOp>(op))
    return ("map of rows of " + attn::stringifySide(map.getSide())).str();
  auto attend = cast<attn::AttendOp>(op);
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "flash forward, " << attn::stringifyReduction(attend.getReduction())
     << ", " << plan.getQueries() << " queries";
  if (isGrouped)
    os << " of the heads that share keys";
  os << " by runs of " << plan.getKeys() << " keys";
  if (plan.getSplit() > 0)
    os << ", which are split by " << plan.getSplit() << " or more";
  os << order;
  return text;
}

LogicalResult ProgramBuilder::launch(
    Operation *op, llvm::StringRef suffix, tile::PlanAttr plan,
    const Items &items, ArrayRef<Value> shape, ValueRange operands,
    ValueRange extra,
    llvm::function_ref<LogicalResult(KernelScope &, ValueRange)> emit) {
  // Every view once, and the shape.
  SmallVector<Value> arguments(shape);
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
  size_t firstExtra = arguments.size();
  llvm::append_range(arguments, extra);

  std::string name =
      (spec.getName() + "_" + suffix + std::to_string(kernels++)).str();
  OpBuilder::InsertionGuard guard(builder);
  auto launch =
      tile::LaunchOp::create(builder, op->getLoc(), name, items.batch,
                             items.heads, items.blocks, items.table, arguments);

  builder.setInsertionPointAfter(program);
  if (kernels > 1) // in the order of the launches
    for (Operation *next = program->getNextNode();
         next && isa<tile::KernelOp>(next); next = next->getNextNode())
      builder.setInsertionPointAfter(next);
  auto kernel = tile::KernelOp::create(builder, op->getLoc(), name,
                                       plan.getCpu(), plan.getGpu());
  kernel->setAttr(tile::kFormAttr, builder.getStringAttr(describe(
                                       op, plan, isGrouped, order, suffix)));
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
  SmallVector<Value> given;
  for (size_t n = 0; n < extra.size(); ++n)
    given.push_back(argument(firstExtra + n));
  if (failed(emit(inside, given)))
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

/// The heads that differ in their keys or values: each shares them with as many
/// heads of queries as there are. All `heads` (index) if these are not shared
/// by the same ones everywhere.
Value ProgramBuilder::itemHeads(attn::AttendOp op, Value heads) {
  Value most = scope.index(1);
  SmallVector<Value> streams(op.getKeys()), counts;
  streams.push_back(op.getValues());
  for (Value stream : streams) {
    const TensorPlace &place = places.at(stream);
    if (place.dims[1] < 0)
      continue;
    Value count = scope.extent(place.view, place.dims[1]);
    if (llvm::is_contained(counts, count))
      continue;
    counts.push_back(count);
    most = scope.fold<arith::MaxUIOp>(most, count);
  }
  if (counts.size() < 2)
    return most;
  Value result = most;
  for (Value count : counts) {
    Value rest = scope.fold<arith::RemUIOp>(
        most, scope.fold<arith::MaxUIOp>(count, scope.index(1)));
    Value isShared = builder.createOrFold<arith::CmpIOp>(
        scope.location, arith::CmpIPredicate::eq, rest, scope.index(0));
    result = builder.createOrFold<arith::SelectOp>(scope.location, isShared,
                                                   result, heads);
  }
  return result;
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
  SmallVector<Value> shape{batch, heads, queries, keys};
  Items items{batch, heads, Value(), Value()};
  Value rows = queries, group;
  isGrouped =
      plan.getGroup() && llvm::all_of(op.getQueries(), [&](Value query) {
        return places.at(query).isWhole();
      });
  if (isGrouped) {
    items.heads = itemHeads(op, heads);
    // At least 1, so that nothing divides by 0 in a call without heads.
    group = scope.fold<arith::MaxUIOp>(
        scope.fold<arith::DivUIOp>(heads, items.heads), scope.index(1));
    rows = scope.fold<arith::MulIOp>(queries, group);
  }
  Value table;
  conversion::PairLists lists;
  // What the kernel needs to know of them, in this order.
  SmallVector<Value> extra{out, lse};
  if (!op.getMask().empty()) {
    KernelScope whole(builder, op->getLoc());
    whole.batches = batch;
    whole.heads = heads;
    whole.queryCount = queries;
    whole.keyCount = keys;
    whole.group = group;
    whole.places = places;
    whole.seesResults = !plan.getGpu();
    lists.keyCount = keys;
    if (!plan.getInOrder() && !isGrouped) {
      FailureOr<conversion::PairLists> found =
          conversion::emitPairLists(whole, op);
      if (failed(found))
        return failure();
      lists = *found;
    }
    table =
        conversion::emitRunTable(whole, items.heads, op, plan, lists, pyramids);
    llvm::append_range(extra, ValueRange{table, lists.keyCount});
    lists.forEachList([&](Value list) { extra.push_back(list); });
  }
  order = conversion::describeOrder(lists);
  Value blocks = blocksOf(rows, plan), splits, splitKeys;
  items.blocks = blocks;
  items.table = table;
  SmallVector<Value> parts;
  if (plan.getSplit() > 0) {
    Value most = table ? tile::LongestOp::create(builder, scope.location,
                                                 builder.getIndexType(), table)
                             .getResult()
                       : keys;
    // Longer keys have longer splits, not fewer than kManySplits: each begins
    // with keys that nothing has asked for.
    constexpr int64_t kManySplits = 16;
    Value times = scope.fold<arith::MaxUIOp>(
        scope.fold<arith::DivUIOp>(most,
                                   scope.index(kManySplits * plan.getSplit())),
        scope.index(1));
    splitKeys = scope.fold<arith::MulIOp>(times, scope.index(plan.getSplit()));
    splits = scope.fold<arith::MaxUIOp>(
        scope.fold<arith::CeilDivUIOp>(most, splitKeys), scope.index(1));
    items.blocks = scope.fold<arith::MulIOp>(blocks, splits);
    items.table = nullptr;
    // Fewer keys may have more splits, up to twice as many as that: the next
    // longer split is taken where there would be more. Memory is taken for a
    // number that grows with the keys.
    Value mostSplits = scope.fold<arith::MinUIOp>(
        scope.fold<arith::MaxUIOp>(
            scope.fold<arith::CeilDivUIOp>(most, scope.index(plan.getSplit())),
            scope.index(1)),
        scope.index(2 * kManySplits));
    Value partRows =
        scope.fold<arith::MulIOp>(scope.fold<arith::MulIOp>(blocks, mostSplits),
                                  scope.index(plan.getQueries()));
    for (ArrayRef<int64_t> row : conversion::getCarriedShapes(op)) {
      SmallVector<Value> sizes{batch, items.heads, partRows};
      for (int64_t extent : row)
        sizes.push_back(scope.index(extent));
      auto type = tile::ViewType::get(builder.getF32Type(), sizes.size());
      parts.push_back(
          tile::WorkspaceOp::create(builder, scope.location, type, sizes));
    }
    extra.append({splits, splitKeys});
    llvm::append_range(extra, parts);
  }
  if (group)
    extra.push_back(group);
  auto enterGroup = [&](KernelScope &inside, ValueRange values) {
    Value item = inside.head;
    if (group) {
      inside.group = values.back();
      inside.head = inside.fold<arith::MulIOp>(item, inside.group);
    }
    return item;
  };
  if (failed(launch(
          op, "attend", plan, items, shape, operands, extra,
          [&](KernelScope &inside, ValueRange values) {
            Value item = enterGroup(inside, values);
            conversion::AttendResults results{values[0], values[1], {}, {}, {}};
            conversion::PairLists own = lists;
            unsigned next = table ? 3 : 2;
            own.keyCount = table ? values[next++] : inside.keyCount;
            own.forEachList([&](Value &list) { list = values[next++]; });
            if (splits) {
              results.splits = values[next++];
              results.splitKeys = values[next++];
              for (size_t n = 0; n < parts.size(); ++n)
                results.parts.push_back(values[next++]);
            }
            return conversion::emitAttendKernel(inside, op, plan,
                                                table ? values[2] : Value(),
                                                item, own, results);
          })))
    return failure();
  if (splits) {
    SmallVector<Value> merged{out, lse, splits};
    llvm::append_range(merged, parts);
    if (lists.queries)
      merged.push_back(lists.queries);
    if (group)
      merged.push_back(group);
    items.blocks = blocks;
    auto emitMerge = [&](KernelScope &inside, ValueRange values) {
      Value item = enterGroup(inside, values);
      ValueRange own = values.slice(3, parts.size());
      conversion::AttendResults results{values[0], values[1], values[2],
                                        SmallVector<Value>(own), Value()};
      Value order = lists.queries ? values[3 + parts.size()] : Value();
      return conversion::emitMergeKernel(inside, op, plan, item, order,
                                         results);
    };
    if (failed(launch(op, "merge", plan, items, shape, op.getCaptures(), merged,
                      emitMerge)))
      return failure();
  }
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
  Value batch = extents.at(op.getBatch()), heads = extents.at(op.getHeads());
  Value queries = extents.at(op.getQueryCount());
  Value keys = extents.at(op.getKeyCount());
  Value rows = op.getSide() == attn::Side::Queries ? queries : keys;
  order = "";
  isGrouped = false;
  if (failed(launch(
          op, "map", plan, {batch, heads, blocksOf(rows, plan), Value()},
          {batch, heads, queries, keys}, operands, out,
          [&](KernelScope &inside, ValueRange values) {
            auto type = cast<tile::ViewType>(values[0].getType());
            Value window = tile::WindowOp::create(
                builder, op->getLoc(),
                tile::ViewType::get(type.getElementType(), type.getRank() - 2),
                values[0], ValueRange{inside.batch, inside.head});
            return conversion::emitMapKernel(inside, op, plan, window);
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
