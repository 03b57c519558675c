// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/TileEvaluator.h"
#include "lib/Reference/TileValues.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <array>
#include <numeric>

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace rapt::reference {

namespace {
/// Walks a program: launches, loops and the operations inside them.
template <typename Real> class TileEvaluator {
public:
  Error runProgram(tile::ProgramOp program, llvm::ArrayRef<ViewValue> views);

private:
  Error runBlock(Block &block, Environment<Real> &values);
  Error run(Operation *op, Environment<Real> &values);
  Error runWorkspace(tile::WorkspaceOp op, Environment<Real> &values);
  Error runLaunch(tile::LaunchOp op, Environment<Real> &values);
  Error runFor(tile::ForOp op, Environment<Real> &values);
  ViewValue makeTable(std::vector<int64_t> sizes, support::ElementType type);
  Error runTabulate(tile::TabulateOp op, Environment<Real> &values);
  Error runSortRows(tile::SortRowsOp op, Environment<Real> &values);
  Error runListMarked(tile::ListMarkedOp op, Environment<Real> &values);
  Error runPlanRuns(tile::PlanRunsOp op, Environment<Real> &values);
  Expected<std::vector<int64_t>> findGroups(tile::PlanRunsOp op, int64_t batch,
                                            int64_t head, bool isRow,
                                            Environment<Real> &values);
  Expected<std::pair<bool, bool>> askNext(tile::PlanRunsOp op,
                                          ArrayRef<int64_t> arguments,
                                          Environment<Real> &values);
  /// Batch, head, first and last row, first and last column.
  using Rectangle = std::array<int64_t, 6>;
  Expected<std::pair<bool, bool>> askRun(tile::PlanRunsOp op,
                                         const Rectangle &rectangle,
                                         ArrayRef<std::vector<int64_t>> groups,
                                         Environment<Real> &values);
  Error runDomain(tile::DomainOp op, Environment<Real> &values);
  Error runBounds(tile::BoundsOp op, Environment<Real> &values);
  Error runFind(tile::FindOp op, Environment<Real> &values);
  Error runRuns(tile::RunsOp op, Environment<Real> &values);
  void runLongest(tile::LongestOp op, Environment<Real> &values);
  Error runWithin(tile::WithinOp op, Environment<Real> &values);
  Error runForRuns(tile::ForRunsOp op, Environment<Real> &values);

  static std::vector<RuntimeValue<Real>> getAll(ValueRange operands,
                                                Environment<Real> &values) {
    std::vector<RuntimeValue<Real>> known;
    for (Value operand : operands)
      known.push_back(values.get(operand));
    return known;
  }
  static void setIndex(Value value, int64_t index, Environment<Real> &values) {
    values.set(value, Cell<Real>{.integer = index});
  }
  /// Runs the body of a loop once: takes and gives the carried values.
  Error runBody(Block &body, unsigned firstCarried,
                std::vector<RuntimeValue<Real>> &carried,
                Environment<Real> &values) {
    for (auto [argument, value] :
         llvm::zip_equal(body.getArguments().drop_front(firstCarried), carried))
      values.set(argument, value);
    if (Error error = runBlock(body, values))
      return error;
    carried = getAll(cast<tile::YieldOp>(body.back()).getValues(), values);
    return Error::success();
  }

  std::vector<std::unique_ptr<std::vector<char>>> workspaces;
};
} // namespace

template <typename Real>
Error TileEvaluator<Real>::runProgram(tile::ProgramOp program,
                                      llvm::ArrayRef<ViewValue> views) {
  Block &body = program.getBody().front();
  if (body.getNumArguments() != views.size())
    return llvm::createStringError(
        llvm::formatv("the program has {0} arguments and results, got {1}",
                      body.getNumArguments(), views.size()));
  Environment<Real> values;
  for (auto [argument, view] : llvm::zip_equal(body.getArguments(), views)) {
    auto type = dyn_cast<tile::ViewType>(argument.getType());
    auto element = type ? getElementType(type.getElementType()) : std::nullopt;
    unsigned index = argument.getArgNumber();
    if (!element)
      return llvm::createStringError(
          llvm::formatv("argument {0} of the program is not a view", index));
    bool bothFloat = support::isFloat(*element) && support::isFloat(view.type);
    if (view.type != *element && !(bothFloat && view.isWritable))
      return llvm::createStringError(
          llvm::formatv("argument {0} has element type {1}, expected {2}",
                        index, support::getElementTypeName(view.type),
                        support::getElementTypeName(*element)));
    if (view.sizes.size() != type.getRank() ||
        view.strides.size() != type.getRank())
      return llvm::createStringError(
          llvm::formatv("argument {0} has {1} dimensions, expected {2}", index,
                        view.sizes.size(), type.getRank()));
    values.set(argument, view);
  }
  return runBlock(body, values);
}

template <typename Real>
Error TileEvaluator<Real>::runBlock(Block &block, Environment<Real> &values) {
  for (Operation &op : block)
    if (!isa<tile::YieldOp, tile::ReturnOp>(op))
      if (Error error = run(&op, values))
        return error;
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::run(Operation *op, Environment<Real> &values) {
  bool isKnown = true;
  Error error =
      llvm::TypeSwitch<Operation *, Error>(op)
          .Case([&](tile::WorkspaceOp op) { return runWorkspace(op, values); })
          .Case([&](tile::LaunchOp op) { return runLaunch(op, values); })
          .Case([&](tile::ForOp op) { return runFor(op, values); })
          .Case([&](tile::TabulateOp op) { return runTabulate(op, values); })
          .Case([&](tile::SortRowsOp op) { return runSortRows(op, values); })
          .Case(
              [&](tile::ListMarkedOp op) { return runListMarked(op, values); })
          .Case([&](tile::PlanRunsOp op) { return runPlanRuns(op, values); })
          .Case([&](tile::LongestOp op) {
            runLongest(op, values);
            return Error::success();
          })
          .Case([&](tile::DomainOp op) { return runDomain(op, values); })
          .Case([&](tile::PyramidOp op) {
            // What it would remember is looked up in the view itself.
            values.set(op.getPyramid(), values.get(op.getView()));
            return Error::success();
          })
          .Case([&](tile::BoundsOp op) { return runBounds(op, values); })
          .Case([&](tile::FindOp op) { return runFind(op, values); })
          .Case([&](tile::RunsOp op) { return runRuns(op, values); })
          .Case([&](tile::WithinOp op) { return runWithin(op, values); })
          .Case([&](tile::ForRunsOp op) { return runForRuns(op, values); })
          .Case([&](tile::MapOp op) { return executeMap(op, values); })
          .Default([&](Operation *op) -> Error {
            if (Error error = executeTileOperation(op, values, isKnown))
              return error;
            return isKnown ? Error::success()
                           : executeScalar(op, values, isKnown);
          });
  if (error)
    return error;
  if (!isKnown)
    return llvm::createStringError("the Reference cannot evaluate " +
                                   op->getName().getStringRef() +
                                   ": not an operation of a tile program");
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

template <typename Real>
Error TileEvaluator<Real>::runWorkspace(tile::WorkspaceOp op,
                                        Environment<Real> &values) {
  ViewValue view;
  auto type = cast<tile::ViewType>(op.getView().getType());
  auto element = getElementType(type.getElementType());
  if (!element)
    return llvm::createStringError("a workspace must have numbers as elements");
  // In double nothing is rounded on the way through memory either.
  bool isWide = std::is_same_v<Real, double> && support::isFloat(*element);
  view.type = isWide ? support::ElementType::F64 : *element;
  view.isWritable = true;
  int64_t bytes = support::getElementSize(view.type);
  for (Value extent : op.getExtents()) {
    view.sizes.push_back(values.getInteger(extent));
    if (view.sizes.back() < 0 ||
        llvm::MulOverflow(bytes, view.sizes.back(), bytes) ||
        bytes > (int64_t(1) << 40))
      return llvm::createStringError("a workspace has a wrong extent");
  }
  view.strides = TensorView::getDenseStrides(view.sizes);
  // All bits set: a NaN in every float type.
  workspaces.push_back(std::make_unique<std::vector<char>>(bytes, '\xff'));
  view.data = workspaces.back()->data();
  values.set(op.getView(), view);
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runLaunch(tile::LaunchOp op,
                                     Environment<Real> &values) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
      op->getParentOp(), op.getKernelAttr());
  if (!kernel)
    return llvm::createStringError("tile.launch names no kernel: " +
                                   op.getKernel());
  Block &body = kernel.getBody().front();
  int64_t last = values.getInteger(op.getZ());
  for (int64_t x = 0; x < values.getInteger(op.getX()); ++x)
    for (int64_t y = 0; y < values.getInteger(op.getY()); ++y)
      for (int64_t z = 0; z < last; ++z) {
        Environment<Real> own; // kernels are isolated from above
        setIndex(body.getArgument(0), x, own);
        setIndex(body.getArgument(1), y, own);
        setIndex(body.getArgument(2), z, own);
        for (auto [argument, value] :
             llvm::zip_equal(body.getArguments().drop_front(3), op.getArgs()))
          own.set(argument, values.get(value));
        if (Error error = runBlock(body, own))
          return error;
      }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

template <typename Real>
Error TileEvaluator<Real>::runFor(tile::ForOp op, Environment<Real> &values) {
  Block &body = op.getBody().front();
  int64_t step = values.getInteger(op.getStep());
  if (step <= 0)
    return llvm::createStringError(
        llvm::formatv("tile.for must have a positive step, got {0}", step));
  std::vector<RuntimeValue<Real>> carried = getAll(op.getInits(), values);
  int64_t upper = values.getInteger(op.getUpper());
  for (int64_t k = values.getInteger(op.getLower()); k < upper; k += step) {
    setIndex(body.getArgument(0), k, values);
    if (Error error = runBody(body, 1, carried, values))
      return error;
  }
  for (auto [result, value] : llvm::zip_equal(op.getResults(), carried))
    values.set(result, value);
  return Error::success();
}

/// Memory of integers in C order.
template <typename Real>
ViewValue TileEvaluator<Real>::makeTable(std::vector<int64_t> sizes,
                                         support::ElementType type) {
  ViewValue view;
  view.type = type;
  view.isWritable = true;
  view.sizes.assign(sizes.begin(), sizes.end());
  view.strides = TensorView::getDenseStrides(sizes);
  int64_t bytes = support::getElementSize(type);
  for (int64_t size : sizes)
    bytes *= size;
  workspaces.push_back(std::make_unique<std::vector<char>>(bytes));
  view.data = workspaces.back()->data();
  return view;
}

template <typename Real>
Error TileEvaluator<Real>::runTabulate(tile::TabulateOp op,
                                       Environment<Real> &values) {
  int64_t batches = values.getInteger(op.getBatches());
  int64_t heads = values.getInteger(op.getHeads());
  int64_t length = values.getInteger(op.getLength());
  Type element =
      cast<tile::ViewType>(op.getResult().getType()).getElementType();
  ViewValue table =
      makeTable({batches, heads, length},
                element.isInteger(8)    ? support::ElementType::I8
                : element.isInteger(32) ? support::ElementType::I32
                                        : support::ElementType::I64);
  Block &body = op.getBody().front();
  int64_t place = 0;
  for (int64_t batch = 0; batch < batches; ++batch)
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t n = 0; n < length; ++n) {
        setIndex(body.getArgument(0), batch, values);
        setIndex(body.getArgument(1), head, values);
        setIndex(body.getArgument(2), n, values);
        if (Error error = runBlock(body, values))
          return error;
        Value result = cast<tile::YieldOp>(body.back()).getValues()[0];
        support::storeInteger(table.type, table.data, place++,
                              values.getInteger(result));
      }
  values.set(op.getResult(), table);
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runSortRows(tile::SortRowsOp op,
                                       Environment<Real> &values) {
  const ViewValue &ids = values.getView(op.getIds());
  std::vector<int64_t> sizes(ids.sizes.begin(), ids.sizes.end());
  ViewValue order = makeTable(sizes, support::ElementType::I32);
  int64_t length = sizes[2];
  for (int64_t line = 0; line < sizes[0] * sizes[1]; ++line) {
    auto idAt = [&](int64_t n) {
      return support::loadInteger(ids.type, ids.data, line * length + n);
    };
    std::vector<int64_t> numbers(static_cast<size_t>(length));
    std::iota(numbers.begin(), numbers.end(), 0);
    llvm::sort(numbers, [&](int64_t a, int64_t b) {
      return std::pair(idAt(a), a) < std::pair(idAt(b), b);
    });
    for (auto [n, number] : llvm::enumerate(numbers)) {
      int64_t place = line * length + static_cast<int64_t>(n);
      support::storeInteger(order.type, order.data, place, number);
    }
  }
  values.set(op.getOrder(), order);
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runListMarked(tile::ListMarkedOp op,
                                         Environment<Real> &values) {
  const ViewValue &marks = values.getView(op.getMarks());
  int64_t length = marks.sizes[2];
  std::vector<int64_t> sizes{marks.sizes[0], marks.sizes[1], 2 * length};
  ViewValue order = makeTable(sizes, support::ElementType::I32);
  ViewValue count =
      makeTable({sizes[0], sizes[1], 1}, support::ElementType::I32);
  for (int64_t line = 0; line < sizes[0] * sizes[1]; ++line) {
    int64_t next = 2 * line * length;
    auto append = [&](int64_t number) {
      support::storeInteger(order.type, order.data, next++, number);
    };
    for (int64_t n = 0; n < length; ++n)
      append(n);
    for (int64_t n = 0; n < length; ++n)
      if (support::loadInteger(marks.type, marks.data, line * length + n) != 0)
        append(n);
    support::storeInteger(count.type, count.data, line,
                          next - (2 * line + 1) * length);
    while (next < 2 * (line + 1) * length)
      append(0);
  }
  values.set(op.getOrder(), order);
  values.set(op.getCount(), count);
  return Error::success();
}

/// The groups of all rows, or columns, of one batch and head.
template <typename Real>
Expected<std::vector<int64_t>>
TileEvaluator<Real>::findGroups(tile::PlanRunsOp op, int64_t batch,
                                int64_t head, bool isRow,
                                Environment<Real> &values) {
  Block &body = op.getGroups().front();
  Value yielded = cast<tile::YieldOp>(body.back()).getValues()[isRow ? 0 : 1];
  std::vector<int64_t> groups;
  int64_t count = values.getInteger(isRow ? op.getRows() : op.getColumns());
  for (int64_t place = 0; place < count; ++place) {
    int64_t places[] = {batch, head, isRow ? place : 0, isRow ? 0 : place};
    for (auto [argument, index] : llvm::zip_equal(body.getArguments(), places))
      setIndex(argument, index, values);
    if (Error error = runBlock(body, values))
      return error;
    groups.push_back(values.getInteger(yielded));
  }
  if (!llvm::is_sorted(groups))
    return llvm::createStringError("tile.plan_runs: groups do not ascend");
  return groups;
}

/// Asks the second region about a column: whether a pair of it and one of the
/// rows may be kept, and whether all are.
template <typename Real>
Expected<std::pair<bool, bool>>
TileEvaluator<Real>::askNext(tile::PlanRunsOp op, ArrayRef<int64_t> arguments,
                             Environment<Real> &values) {
  Block &next = op.getNext().front();
  auto said = cast<tile::YieldOp>(next.back());
  for (auto [argument, index] : llvm::zip_equal(next.getArguments(), arguments))
    setIndex(argument, index, values);
  if (Error error = runBlock(next, values))
    return error;
  int64_t column = arguments[4];
  auto isAt = [&](unsigned number) {
    return values.getInteger(said.getValues()[number]) == column;
  };
  if (isAt(0) == isAt(1) || isAt(2) == isAt(3))
    return llvm::createStringError(
        "tile.plan_runs: column " + llvm::Twine(column) +
        " is both inside and outside of a set of columns");
  return std::pair(isAt(0), isAt(3));
}

/// The same for a run of columns and a block of rows of one head, of which
/// `groups` has those of all rows and of all columns, if there are any.
template <typename Real>
Expected<std::pair<bool, bool>>
TileEvaluator<Real>::askRun(tile::PlanRunsOp op, const Rectangle &rectangle,
                            ArrayRef<std::vector<int64_t>> groups,
                            Environment<Real> &values) {
  auto [batch, head, row, lastRow, start, last] = rectangle;
  Block &body = op.getClassify().front();
  auto yield = cast<tile::YieldOp>(body.back());
  for (auto [argument, index] : llvm::zip_equal(body.getArguments(), rectangle))
    setIndex(argument, index, values);
  if (Error error = runBlock(body, values))
    return error;
  bool any = values.getInteger(yield.getValues()[0]);
  bool all = values.getInteger(yield.getValues()[1]);
  if (op.getNext().empty())
    return std::pair(any, all);
  // Which columns are kept, and which dropped, one after the other.
  any = false, all = true;
  for (int64_t column = start; column <= last; ++column) {
    SmallVector<int64_t> place{batch, head, row, lastRow, column};
    if (!groups.empty()) {
      int64_t group = groups[1][column];
      auto rowsOfBlock = ArrayRef(groups[0]).slice(row, lastRow + 1 - row);
      auto [low, high] =
          std::equal_range(rowsOfBlock.begin(), rowsOfBlock.end(), group);
      if (low != rowsOfBlock.begin() || high != rowsOfBlock.end())
        all = false;
      if (low == high)
        continue;
      place[2] = row + (low - rowsOfBlock.begin());
      place[3] = row + (high - rowsOfBlock.begin()) - 1;
      place.push_back(llvm::upper_bound(groups[1], group) - groups[1].begin());
    }
    auto said = askNext(op, place, values);
    if (!said)
      return said.takeError();
    any |= said->first;
    all &= said->second;
  }
  return std::pair(any, all);
}

template <typename Real>
Error TileEvaluator<Real>::runPlanRuns(tile::PlanRunsOp op,
                                       Environment<Real> &values) {
  int64_t rows = values.getInteger(op.getRows());
  int64_t columns = values.getInteger(op.getColumns());
  auto rowStep = static_cast<int64_t>(op.getRowStep());
  auto columnStep = static_cast<int64_t>(op.getColumnStep());
  int64_t headsOfItem = op.getGroup() ? values.getInteger(op.getGroup()) : 1;
  auto table = std::make_shared<RunTable>();
  table->heads = values.getInteger(op.getHeads());
  table->blocks = llvm::divideCeil(rows, rowStep);
  for (int64_t batch = 0; batch < values.getInteger(op.getBatches()); ++batch)
    for (int64_t item = 0; item < table->heads; ++item) {
      std::vector<std::vector<int64_t>> groups;
      if (!op.getGroups().empty())
        for (bool isRow : {true, false}) {
          auto found = findGroups(op, batch, item, isRow, values);
          if (!found)
            return found.takeError();
          groups.push_back(std::move(*found));
        }
      for (int64_t row = 0; row < rows; row += rowStep) {
        auto runs = std::make_shared<std::vector<Run>>();
        for (int64_t start = 0; start < columns; start += columnStep) {
          int64_t length = std::min(columnStep, columns - start);
          int64_t lastRow = std::min(row + rowStep, rows) - 1;
          bool any = false, all = true;
          for (int64_t n = 0; n < headsOfItem; ++n) {
            int64_t head = item * headsOfItem + n;
            auto said = askRun(
                op, {batch, head, row, lastRow, start, start + length - 1},
                groups, values);
            if (!said)
              return said.takeError();
            any |= said->first;
            all &= said->second;
          }
          if (any)
            runs->push_back({start, length, all && length == columnStep});
        }
        table->domains.push_back(std::move(runs));
      }
    }
  values.set(op.getTable(), std::shared_ptr<const RunTable>(table));
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runDomain(tile::DomainOp op,
                                     Environment<Real> &values) {
  auto table =
      std::get<std::shared_ptr<const RunTable>>(values.get(op.getTable()));
  int64_t batch = values.getInteger(op.getBatch());
  int64_t head = values.getInteger(op.getHead());
  int64_t block = values.getInteger(op.getBlock());
  auto number = static_cast<size_t>(
      (batch * table->heads + head) * table->blocks + block);
  if (number >= table->domains.size())
    return llvm::createStringError("tile.domain of a block outside the table");
  values.set(op.getDomain(), table->domains[number]);
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runBounds(tile::BoundsOp op,
                                     Environment<Real> &values) {
  const ViewValue &view = values.getView(op.getPyramid());
  auto pyramid = op.getPyramid().getDefiningOp<tile::PyramidOp>();
  auto along = static_cast<size_t>(pyramid.getDimension());
  SmallVector<int64_t> others;
  bool isInside = true;
  for (Value index : op.getIndices()) {
    size_t d = others.size() < along ? others.size() : others.size() + 1;
    others.push_back(values.getInteger(index));
    isInside &= others.back() >= 0 && others.back() < view.sizes[d];
  }
  int64_t first = values.getInteger(op.getFirst());
  int64_t last = values.getInteger(op.getLast());
  int64_t extent = view.sizes[along];
  std::optional<int64_t> least, largest;
  bool hasPromise =
      op.getAscending() && values.getInteger(op.getAscending()) != 0;
  bool isKept = isInside && first >= 0 && first <= last && last < extent;
  auto join = [&](int64_t value) {
    isKept &= !largest || value >= *largest;
    least = std::min(value, least.value_or(value));
    largest = std::max(value, largest.value_or(value));
  };
  if (!isInside || first < 0 || last >= extent)
    join(0);
  int64_t end = isInside ? std::min(last + 1, extent) : 0;
  for (int64_t n = std::max<int64_t>(first, 0); n < end; ++n) {
    int64_t offset = n * view.strides[along];
    for (auto [d, index] : llvm::enumerate(others))
      offset += index * view.strides[d < along ? d : d + 1];
    join(support::loadInteger(view.type, view.data, offset));
  }
  if (hasPromise && !isKept)
    return llvm::createStringError(
        "tile.bounds promises a range that ascends, but from " +
        llvm::Twine(first) + " to " + llvm::Twine(last) + " it does not");
  values.set(op.getLeast(), Cell<Real>{.integer = least.value_or(0)});
  values.set(op.getLargest(), Cell<Real>{.integer = largest.value_or(0)});
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runFind(tile::FindOp op, Environment<Real> &values) {
  const ViewValue &view = values.getView(op.getView());
  int64_t line = 0, end = values.getInteger(op.getEnd());
  for (auto [d, index] : llvm::enumerate(op.getIndices()))
    line += values.getInteger(index) * view.strides[d];
  int64_t first = values.getInteger(op.getFirst());
  if (first < end && (first < 0 || end > view.sizes.back()))
    return llvm::createStringError("tile.find asks about places outside");
  int64_t found = first;
  while (found < end &&
         support::loadInteger(view.type, view.data,
                              line + found * view.strides.back()) <
             values.getInteger(op.getValue()))
    ++found;
  setIndex(op.getPlace(), found, values);
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runRuns(tile::RunsOp op, Environment<Real> &values) {
  int64_t extent = values.getInteger(op.getExtent());
  auto step = static_cast<int64_t>(op.getStep());
  auto runs = std::make_shared<std::vector<Run>>();
  for (int64_t start = 0; start < extent; start += step) {
    int64_t length = std::min(step, extent - start);
    runs->push_back({start, length, length == step});
  }
  values.set(op.getDomain(), std::shared_ptr<const std::vector<Run>>(runs));
  return Error::success();
}

template <typename Real>
void TileEvaluator<Real>::runLongest(tile::LongestOp op,
                                     Environment<Real> &values) {
  auto table =
      std::get<std::shared_ptr<const RunTable>>(values.get(op.getTable()));
  auto plan = op.getTable().getDefiningOp<tile::PlanRunsOp>();
  auto step = static_cast<int64_t>(plan.getColumnStep());
  int64_t longest = 0;
  for (const auto &runs : table->domains) {
    int64_t columns = 0;
    for (const Run &run : *runs)
      columns += (run.length + step - 1) / step * step;
    longest = std::max(longest, columns);
  }
  setIndex(op.getResult(), longest, values);
}

template <typename Real>
Error TileEvaluator<Real>::runWithin(tile::WithinOp op,
                                     Environment<Real> &values) {
  auto whole = std::get<std::shared_ptr<const std::vector<Run>>>(
      values.get(op.getDomain()));
  int64_t first = values.getInteger(op.getFirst());
  int64_t end = values.getInteger(op.getEnd());
  auto parts = std::make_shared<std::vector<Run>>();
  int64_t passed = 0;
  for (const Run &run : *whole) {
    int64_t from = std::max<int64_t>(first - passed, 0);
    int64_t to = std::min(end - passed, run.length);
    if (from < to)
      parts->push_back({run.start + from, to - from, run.isFull});
    passed += run.length;
  }
  values.set(op.getResult(), std::shared_ptr<const std::vector<Run>>(parts));
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runForRuns(tile::ForRunsOp op,
                                      Environment<Real> &values) {
  auto runs = std::get<std::shared_ptr<const std::vector<Run>>>(
      values.get(op.getDomain()));
  std::vector<RuntimeValue<Real>> carried = getAll(op.getInits(), values);
  auto visit = [&](Block &body, int64_t start, int64_t length) {
    setIndex(body.getArgument(0), start, values);
    setIndex(body.getArgument(1), length, values);
    return runBody(body, 2, carried, values);
  };
  auto fullStep = static_cast<int64_t>(op.getFullStep());
  auto partialStep = static_cast<int64_t>(op.getPartialStep());
  for (size_t n = 0; n < runs->size();) {
    // Runs that touch each other are one.
    Run run = (*runs)[n++];
    for (; n < runs->size() && (*runs)[n].isFull == run.isFull &&
           (*runs)[n].start == run.start + run.length;
         ++n)
      run.length += (*runs)[n].length;
    int64_t start = run.start, end = run.start + run.length;
    for (; run.isFull && end - start >= fullStep; start += fullStep)
      if (Error error = visit(op.getFull().front(), start, fullStep))
        return error;
    for (; start < end; start += partialStep)
      if (Error error = visit(op.getPartial().front(), start,
                              std::min(partialStep, end - start)))
        return error;
  }
  for (auto [result, value] : llvm::zip_equal(op.getResults(), carried))
    values.set(result, value);
  return Error::success();
}

Error evaluateTileProgram(tile::ProgramOp program,
                          llvm::ArrayRef<TensorView> arguments,
                          llvm::ArrayRef<ResultView> results,
                          Precision precision) {
  std::vector<ViewValue> views;
  auto addView = [&](void *data, bool isWritable, const auto &view) {
    ViewValue value;
    value.data = static_cast<char *>(data);
    value.isWritable = isWritable;
    value.type = view.type;
    value.sizes = view.sizes;
    value.strides = view.strides;
    views.push_back(std::move(value));
  };
  for (const TensorView &view : arguments) // not writable, so never written
    addView(const_cast<void *>(view.data), false, view);
  for (const ResultView &view : results)
    addView(view.data, true, view);
  if (precision == Precision::Exact)
    return TileEvaluator<double>().runProgram(program, views);
  return TileEvaluator<float>().runProgram(program, views);
}

} // namespace rapt::reference
