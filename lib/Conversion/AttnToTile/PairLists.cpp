// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Orders of queries and keys in which the pairs of a mask are dense.

#include "lib/Analysis/MaskStructure.h"
#include "lib/Conversion/AttnToTile/KernelScope.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace rapt::conversion {
namespace {

/// Integers of one side of a mask as a table, one for each position.
class Tabulation {
public:
  Tabulation(KernelScope &program, attn::AttendOp op, bool isOfKeys)
      : program(program), op(op), mask(op.getMask().front()),
        isOfKeys(isOfKeys) {}

  /// Adds what `value` is computed from. False if it reads a tensor that
  /// cannot be seen outside of kernels.
  bool add(Value value);
  /// `values`, which have been added, as i64 for the batch and head of a scope
  /// and the query or key `number` (i32).
  FailureOr<SmallVector<Value>> emitAt(KernelScope &scope, Value number,
                                       ArrayRef<Value> values) const;
  /// A table of integers of `bits` bits that `compute` (i64) makes of `values`
  /// at every position, or at those that `list` names.
  using Compute = llvm::function_ref<Value(KernelScope &, ValueRange)>;
  FailureOr<Value> emit(ArrayRef<Value> values, Value list, unsigned bits,
                        Compute compute);

  /// Whether what has been added reads what earlier launches compute.
  bool isLate() const { return usesResults; }

private:
  KernelScope &program;
  attn::AttendOp op;
  Block &mask;
  bool isOfKeys;
  bool usesBatch = false, usesHead = false, usesResults = false;
  llvm::DenseSet<Operation *> needed;
};

} // namespace

bool Tabulation::add(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    usesBatch |= argument.getArgNumber() == 0;
    usesHead |= argument.getArgNumber() == 1;
    return true;
  }
  Operation *inner = value.getDefiningOp();
  if (!needed.insert(inner).second)
    return true;
  for (Value operand : inner->getOperands()) {
    auto argument = dyn_cast<BlockArgument>(operand);
    unsigned captures = op.getCaptures().size();
    unsigned first = mask.getNumArguments() - captures;
    if (argument && argument.getArgNumber() >= first) {
      Value tensor = op.getCaptures()[argument.getArgNumber() - first];
      const TensorPlace &place = program.places.at(tensor);
      if (!program.isSeen(place))
        return false;
      usesResults |= !isa<BlockArgument>(place.view);
    } else if (!add(operand)) {
      return false;
    }
  }
  return true;
}

FailureOr<SmallVector<Value>> Tabulation::emitAt(KernelScope &scope,
                                                 Value number,
                                                 ArrayRef<Value> values) const {
  OpBuilder &builder = scope.builder;
  attn::AttendOp attend = op;
  Type i64 = builder.getI64Type();
  RegionCopier copier(scope, nullptr);
  copier.bind(mask.getArgument(0), scope.toI32(scope.batch));
  copier.bind(mask.getArgument(1), scope.toI32(scope.head));
  if (isOfKeys) {
    copier.bind(mask.getArgument(4), number);
  } else {
    Value offset = scope.fold<arith::SubIOp>(scope.keyCount, scope.queryCount);
    copier.bind(mask.getArgument(2), number);
    copier.bind(mask.getArgument(3),
                scope.fold<arith::AddIOp>(number, scope.toI32(offset)));
  }
  unsigned next = mask.getNumArguments() - attend.getCaptures().size();
  for (Value capture : attend.getCaptures())
    copier.bindTensor(mask.getArgument(next++), scope.places.at(capture));
  for (Operation &inner : mask.without_terminator())
    if (needed.contains(&inner) && failed(copier.copy(&inner)))
      return failure();
  SmallVector<Value> wide;
  for (Value value : values) {
    value = copier.lookup(value);
    if (value.getType().isInteger(1))
      value = arith::ExtUIOp::create(builder, scope.location, i64, value);
    else if (!value.getType().isInteger(64))
      value = arith::ExtSIOp::create(builder, scope.location, i64, value);
    wide.push_back(value);
  }
  return wide;
}

FailureOr<Value> Tabulation::emit(ArrayRef<Value> values, Value list,
                                  unsigned bits, Compute compute) {
  OpBuilder &builder = program.builder;
  Type index = builder.getIndexType();
  auto table = tile::TabulateOp::create(
      builder, program.location,
      tile::ViewType::get(builder.getIntegerType(bits), 3),
      usesBatch ? program.batches : program.index(1),
      usesHead ? program.heads : program.index(1),
      isOfKeys ? program.keyCount : program.queryCount);
  OpBuilder::InsertionGuard guard(builder);
  Block *block =
      builder.createBlock(&table.getBody(), {}, {index, index, index},
                          SmallVector<Location>(3, program.location));
  KernelScope scope = program;
  scope.batch = block->getArgument(0);
  scope.head = block->getArgument(1);
  Value number = scope.toI32(block->getArgument(2));
  if (list)
    number = tile::ReadOp::create(builder, scope.location, builder.getI32Type(),
                                  list, block->getArguments());
  auto wide = emitAt(scope, number, values);
  if (failed(wide))
    return failure();
  tile::YieldOp::create(builder, scope.location, compute(scope, *wide));
  return table.getResult();
}

static Value i64Constant(KernelScope &scope, int64_t value) {
  return arith::ConstantOp::create(scope.builder, scope.location,
                                   scope.builder.getI64IntegerAttr(value));
}

/// The first value as it is.
static Value keepFirst(KernelScope &, ValueRange values) { return values[0]; }

/// The class of `id`, computed from its value and, if there is one, modulus.
static Value computeClass(KernelScope &scope,
                          const analysis::EqualClasses::Id &id,
                          ValueRange values) {
  if (!id.modulus)
    return values[0];
  Value modulus = scope.fold<arith::MaxSIOp>(values[1], i64Constant(scope, 1));
  Value scaled =
      scope.fold<arith::MulIOp>(values[0], i64Constant(scope, id.sign));
  Value moved =
      scope.fold<arith::AddIOp>(scaled, i64Constant(scope, id.offset));
  Value whole = scope.fold<arith::MulIOp>(
      scope.fold<arith::FloorDivSIOp>(moved, modulus), modulus);
  Value residue = scope.fold<arith::SubIOp>(moved, whole);
  if (id.offset == 0)
    return residue;
  // A remainder that the divisor cannot leave is a class of its own.
  auto isRemainder = scope.builder.createOrFold<arith::CmpIOp>(
      scope.location, arith::CmpIPredicate::ult, i64Constant(scope, id.offset),
      modulus);
  return scope.builder.createOrFold<arith::SelectOp>(
      scope.location, isRemainder, residue, i64Constant(scope, -1));
}

static SmallVector<Value> valuesOf(const analysis::EqualClasses::Id &id) {
  SmallVector<Value> values{id.value};
  if (id.modulus)
    values.push_back(id.modulus);
  return values;
}

/// The table of the classes of one side, and what emits the class of one row.
static FailureOr<Value> emitClasses(const Tabulation &side,
                                    const analysis::EqualClasses::Id &id,
                                    PairLists::EmitClass &emitOne) {
  SmallVector<Value> values = valuesOf(id);
  emitOne = [=](KernelScope &scope, Value number) -> Value {
    auto wide = side.emitAt(scope, number, values);
    // The table has been emitted from the same values.
    assert(succeeded(wide));
    return computeClass(scope, id, *wide);
  };
  // A remainder is below its divisor.
  Value widest = values.back();
  return Tabulation(side).emit(values, nullptr,
                               widest.getType().isInteger(64) ? 64 : 32,
                               [&](KernelScope &scope, ValueRange wide) {
                                 return computeClass(scope, id, wide);
                               });
}

static Value sort(KernelScope &program, Value ids) {
  return tile::SortRowsOp::create(
      program.builder, program.location,
      tile::ViewType::get(program.builder.getI32Type(), 3), ids);
}

/// Queries and keys sorted by the class that they must share.
static LogicalResult sortByClass(KernelScope &program, attn::AttendOp op,
                                 const analysis::EqualClasses &classes,
                                 PairLists &lists) {
  Tabulation queries(program, op, /*isOfKeys=*/false);
  Tabulation keys(program, op, /*isOfKeys=*/true);
  for (auto [side, id] :
       {std::pair(&queries, &classes.query), std::pair(&keys, &classes.key)})
    if (!side->add(id->value) || (id->modulus && !side->add(id->modulus)))
      return success(); // known only to kernels
  FailureOr<Value> queryIds =
      emitClasses(queries, classes.query, lists.queryClass);
  FailureOr<Value> keyIds = emitClasses(keys, classes.key, lists.keyClass);
  if (failed(queryIds) || failed(keyIds))
    return failure();
  lists.queries = sort(program, *queryIds);
  lists.keys = sort(program, *keyIds);
  lists.keyCount = program.keyCount;
  lists.equal = classes.condition;
  lists.areLate = queries.isLate() || keys.isLate();
  return success();
}

/// The keys, and then the marked ones once more.
static LogicalResult listMarked(KernelScope &program, attn::AttendOp op,
                                Value marked, PairLists &lists) {
  OpBuilder &builder = program.builder;
  Tabulation keys(program, op, /*isOfKeys=*/true);
  if (!keys.add(marked))
    return success();
  FailureOr<Value> marks = keys.emit(marked, nullptr, 8, keepFirst);
  if (failed(marks))
    return failure();
  auto type = tile::ViewType::get(builder.getI32Type(), 3);
  auto list =
      tile::ListMarkedOp::create(builder, program.location, type, type, *marks);
  lists.keys = list.getOrder();
  lists.markedCount = list.getCount();
  lists.keyCount =
      program.fold<arith::MulIOp>(program.keyCount, program.index(2));
  lists.marked = marked;
  lists.areLate = keys.isLate();
  return success();
}

/// How many blocks along a coordinate are told apart: as many as there are, if
/// it is a remainder.
static int64_t countBlocks(Value coordinate, int64_t extent) {
  constexpr int64_t most = 1 << 10;
  IntegerAttr divisor;
  if (auto remainder = coordinate.getDefiningOp<attn::ModOp>())
    if (matchPattern(remainder.getRhs(), m_Constant(&divisor)) &&
        divisor.getInt() > 0)
      return std::min(most, (divisor.getInt() - 1) / extent + 1);
  return most;
}

/// Queries in blocks along all coordinates; keys stay where they are, a few of
/// them beside each other being close as well. The coordinates of the queries
/// in that order are tables of their own, so that their bounds are exact.
static LogicalResult sortByBlock(KernelScope &program, attn::AttendOp op,
                                 const analysis::Neighbourhood &near,
                                 PairLists &lists) {
  Tabulation queries(program, op, /*isOfKeys=*/false);
  SmallVector<Value> values;
  for (const auto &coordinate : near.coordinates) {
    values.push_back(coordinate.query);
    if (!queries.add(coordinate.query))
      return success(); // known only to kernels
  }
  SmallVector<int64_t> extents = near.getBlockExtents();
  // Where 32 bits are not enough blocks mix, which makes more tiles.
  FailureOr<Value> ids = queries.emit(
      values, nullptr, 32, [&](KernelScope &scope, ValueRange wide) -> Value {
        Value id = i64Constant(scope, 0);
        for (auto [n, value, extent] : llvm::enumerate(wide, extents)) {
          Value number = scope.fold<arith::FloorDivSIOp>(
              value, i64Constant(scope, extent));
          Value upper = scope.fold<arith::MulIOp>(
              id, i64Constant(scope, countBlocks(values[n], extent)));
          id = scope.fold<arith::AddIOp>(upper, number);
        }
        return id;
      });
  if (failed(ids))
    return failure();
  lists.queries = sort(program, *ids);
  lists.areLate = queries.isLate();
  for (Value value : values) {
    FailureOr<Value> table =
        queries.emit(value, lists.queries,
                     value.getType().isInteger(64) ? 64 : 32, keepFirst);
    if (failed(table))
      return failure();
    lists.known.push_back({value, *table});
  }
  return success();
}

/// Where the keys of the list lie in memory, for the operands whose rows are
/// listed themselves.
static void composeRows(KernelScope &program, attn::AttendOp op,
                        PairLists &lists) {
  if (!lists.keys)
    return;
  OpBuilder &builder = program.builder;
  Type index = builder.getIndexType();
  Operation *made = lists.keys.getDefiningOp();
  Value source = isa<tile::SortRowsOp>(made)
                     ? cast<tile::SortRowsOp>(made).getIds()
                     : cast<tile::ListMarkedOp>(made).getMarks();
  auto lines = source.getDefiningOp<tile::TabulateOp>();
  llvm::DenseMap<Value, Value> composed;
  SmallVector<Value> operands(op.getKeys());
  operands.push_back(op.getValues());
  for (Value operand : operands) {
    Value rows = program.places.at(operand).rows;
    if (rows && !composed.contains(rows)) {
      auto table = tile::TabulateOp::create(
          builder, program.location,
          tile::ViewType::get(builder.getI32Type(), 3), lines.getBatches(),
          lines.getHeads(), lists.keyCount);
      OpBuilder::InsertionGuard guard(builder);
      Block *block =
          builder.createBlock(&table.getBody(), {}, {index, index, index},
                              SmallVector<Location>(3, program.location));
      auto read = [&](Value view, ValueRange indices) -> Value {
        return tile::ReadOp::create(builder, program.location,
                                    builder.getI32Type(), view, indices);
      };
      Value row = read(rows, read(lists.keys, block->getArguments()));
      Value wide = arith::ExtSIOp::create(builder, program.location,
                                          builder.getI64Type(), row);
      tile::YieldOp::create(builder, program.location, wide);
      composed[rows] = table;
    }
    lists.rows.push_back(rows ? composed.at(rows) : Value());
  }
}

static FailureOr<PairLists> findPairLists(KernelScope &program,
                                          attn::AttendOp op) {
  PairLists lists;
  lists.keyCount = program.keyCount;
  if (auto classes = analysis::findEqualClasses(op))
    if (failed(sortByClass(program, op, *classes, lists)))
      return failure();
  if (lists.queries)
    return lists;
  if (auto near = analysis::findNeighbourhood(op))
    if (failed(sortByBlock(program, op, *near, lists)))
      return failure();
  if (lists.queries)
    return lists;
  if (auto found = analysis::findMarkedKeys(op))
    if (failed(listMarked(program, op, found->marked, lists)))
      return failure();
  return lists;
}

FailureOr<PairLists> emitPairLists(KernelScope &program, attn::AttendOp op) {
  FailureOr<PairLists> lists = findPairLists(program, op);
  if (succeeded(lists))
    composeRows(program, op, *lists);
  return lists;
}

llvm::StringRef describeOrder(const PairLists &lists) {
  if (lists.equal)
    return ", queries and keys sorted by the class that the mask compares";
  if (!lists.known.empty())
    return ", queries in blocks of their coordinates";
  if (lists.marked)
    return ", keys that the mask marks listed after the others";
  return "";
}

Value getListOfItem(KernelScope &scope, Value lists) {
  Value batch = scope.share(scope.batch, lists, 0, scope.batches);
  Value head = scope.share(scope.head, lists, 1, scope.heads);
  auto type = cast<tile::ViewType>(lists.getType());
  return tile::WindowOp::create(scope.builder, scope.location,
                                tile::ViewType::get(type.getElementType(), 1),
                                lists, ValueRange{batch, head});
}

} // namespace rapt::conversion
