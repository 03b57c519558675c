// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Memory and tiles: what each operation of the tile dialect on values does.

#include "lib/Reference/TileValues.h"
#include "lib/Reference/Numbers.h"
#include "llvm/ADT/TypeSwitch.h"
#include <algorithm>
#include <numeric>

// A product and a sum are two roundings, never one.
#pragma STDC FP_CONTRACT OFF

using namespace mlir;
using llvm::Error;

namespace rapt::reference {

template <typename Real>
TileValue<Real>::TileValue(tile::TileType type)
    : shape(type.getShape()), isInteger(type.getElementType().isIntOrIndex()) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  cells.assign(count, Cell<Real>{.integer = 0});
}

/// Calls `body(element, place)` for the elements of a shape in row-major order.
template <typename F>
static void forEachElement(llvm::ArrayRef<int64_t> shape, F body) {
  llvm::SmallVector<int64_t, 4> element(shape.size(), 0);
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  for (int64_t place = 0; place < count; ++place) {
    body(llvm::ArrayRef<int64_t>(element), place);
    for (size_t d = element.size(); d-- > 0;) {
      if (++element[d] < shape[d])
        break;
      element[d] = 0;
    }
  }
}

static int64_t getPlace(llvm::ArrayRef<int64_t> shape,
                        llvm::ArrayRef<int64_t> element) {
  int64_t place = 0;
  for (auto [extent, index] : llvm::zip_equal(shape, element))
    place = place * extent + index;
  return place;
}

namespace {
/// The operations, one function each. A result has been allocated as zeros.
template <typename Real> class TileOperations {
public:
  explicit TileOperations(Environment<Real> &values) : values(values) {}

  Error execute(Operation *op, bool &isKnown) {
    isKnown = true;
    return llvm::TypeSwitch<Operation *, Error>(op)
        .Case<tile::WindowOp, tile::ListRowsOp, tile::GroupRowsOp,
              tile::ExtentOp, tile::LoadOp, tile::StoreOp, tile::PrefetchOp,
              tile::PackOp, tile::GatherOp, tile::ScatterOp, tile::SplatOp,
              tile::ConstantOp, tile::PositionsOp, tile::MmaOp, tile::ReduceOp,
              tile::ScanOp, tile::TransposeOp, tile::SliceOp, tile::SkewOp,
              tile::ConcatOp, tile::SolveOp, tile::TopOp, tile::SortOp>(
            [&](auto known) { return run(known); })
        .Default([&](Operation *) {
          isKnown = false;
          return Error::success();
        });
  }

private:
  using Tile = TileValue<Real>;

  Error run(tile::WindowOp op);
  Error run(tile::ListRowsOp op);
  Error run(tile::GroupRowsOp op);
  Error run(tile::ExtentOp op);
  Error run(tile::LoadOp op);
  Error run(tile::StoreOp op);
  Error run(tile::PrefetchOp op);
  Error run(tile::PackOp op);
  Error run(tile::GatherOp op);
  Error run(tile::ScatterOp op);
  Error run(tile::SplatOp op);
  Error run(tile::ConstantOp op);
  Error run(tile::PositionsOp op);
  Error run(tile::MmaOp op);
  Error run(tile::ReduceOp op);
  Error run(tile::ScanOp op);
  Error run(tile::TransposeOp op);
  Error run(tile::SliceOp op);
  Error run(tile::SkewOp op);
  Error run(tile::ConcatOp op);
  Error run(tile::SolveOp op);
  Error run(tile::TopOp op);
  Error run(tile::SortOp op);

  /// Sets the result of `op` to what `fill` makes of a tile of zeros.
  template <typename Op, typename F> Error setResult(Op op, F fill) {
    Value result = op->getResult(0);
    auto tile = std::make_shared<Tile>(cast<tile::TileType>(result.getType()));
    fill(*tile);
    values.set(result, TilePointer<Real>(std::move(tile)));
    return Error::success();
  }

  Cell<Real> loadCell(const ViewValue &view, llvm::ArrayRef<int64_t> indices);
  void storeCell(const ViewValue &view, llvm::ArrayRef<int64_t> indices,
                 Cell<Real> cell, bool isInteger, bool adds);
  static Cell<Real> combine(tile::Combiner kind, Cell<Real> a, Cell<Real> b,
                            bool isInteger);
  /// An order of all numbers: a NaN comes before every other.
  static bool isLess(Cell<Real> a, Cell<Real> b, bool isInteger) {
    if (isInteger)
      return a.integer < b.integer;
    if (std::isnan(a.real) || std::isnan(b.real))
      return std::isnan(a.real) && !std::isnan(b.real);
    return a.real < b.real;
  }

  Environment<Real> &values;
};
} // namespace

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// The element of memory that an element of a view is; nothing outside it.
static std::optional<llvm::SmallVector<int64_t, 4>>
getPlace(const ViewValue &view, llvm::ArrayRef<int64_t> indices) {
  llvm::SmallVector<int64_t, 4> place(indices);
  for (auto [d, index] : llvm::enumerate(indices))
    if (index < 0 || index >= view.sizes[d])
      return std::nullopt;
  if (view.list) {
    place[0] = (*view.list)[static_cast<size_t>(place[0])];
    if (place[0] < 0 || place[0] >= view.memoryRows)
      return std::nullopt;
  }
  return place;
}

template <typename Real>
Cell<Real> TileOperations<Real>::loadCell(const ViewValue &view,
                                          llvm::ArrayRef<int64_t> indices) {
  Cell<Real> cell{.integer = 0};
  auto place = getPlace(view, indices);
  if (!place)
    return cell;
  indices = *place;
  if (support::isFloat(view.type))
    cell.real = static_cast<Real>(readReal(view.asMemory(), indices));
  else
    cell.integer = readInteger(view.asMemory(), indices);
  return cell;
}

template <typename Real>
void TileOperations<Real>::storeCell(const ViewValue &view,
                                     llvm::ArrayRef<int64_t> indices,
                                     Cell<Real> cell, bool isInteger,
                                     bool adds) {
  auto found = getPlace(view, indices);
  if (!found)
    return; // outside: dropped
  int64_t place = 0;
  for (auto [index, stride] : llvm::zip_equal(*found, view.strides))
    place += index * stride;
  Cell<Real> old = adds ? loadCell(view, indices) : Cell<Real>{.integer = 0};
  if (isInteger)
    support::storeInteger(view.type, view.data, place,
                          adds ? addWrapped(cell.integer, old.integer)
                               : cell.integer);
  else
    support::storeReal(view.type, view.data, place,
                       adds ? cell.real + old.real : cell.real);
}

template <typename Real> Error TileOperations<Real>::run(tile::WindowOp op) {
  ViewValue view = values.getView(op.getSource());
  auto count = static_cast<int64_t>(op.getIndices().size());
  bool isInside = true;
  for (auto [d, operand] : llvm::enumerate(op.getIndices())) {
    int64_t index = values.getInteger(operand);
    if (index < 0 || index >= view.sizes[d])
      isInside = false;
    else
      view.data += index * view.strides[d] * support::getElementSize(view.type);
  }
  view.sizes.erase(view.sizes.begin(), view.sizes.begin() + count);
  view.strides.erase(view.strides.begin(), view.strides.begin() + count);
  if (!isInside) { // a window of nothing: every element lies outside
    view.sizes.assign(view.sizes.size(), 0);
    if (view.sizes.empty())
      return llvm::createStringError("tile.window of one element lies outside");
  }
  values.set(op.getResult(), view);
  return Error::success();
}

template <typename Real> Error TileOperations<Real>::run(tile::ListRowsOp op) {
  ViewValue view = values.getView(op.getSource());
  const ViewValue &list = values.getView(op.getList());
  auto rows = std::make_shared<std::vector<int64_t>>();
  for (int64_t n = 0; n < list.sizes[0]; ++n)
    rows->push_back(readInteger(list.asTensor(), n));
  view.memoryRows = view.sizes[0];
  view.sizes[0] = list.sizes[0];
  view.list = std::move(rows);
  values.set(op.getResult(), view);
  return Error::success();
}

template <typename Real> Error TileOperations<Real>::run(tile::GroupRowsOp op) {
  ViewValue view = values.getView(op.getSource());
  int64_t first = values.getInteger(op.getFirst());
  int64_t count = values.getInteger(op.getCount());
  int64_t of = values.getInteger(op.getOf());
  if (count < 1 || first < 0 || first + count > of)
    return llvm::createStringError(
        "tile.group_rows of heads " + llvm::Twine(first) + " to " +
        llvm::Twine(first + count) + " of " + llvm::Twine(of));
  if (view.list)
    return llvm::createStringError("tile.group_rows of listed rows");
  // A row of memory is where an element may lie: the list has offsets.
  auto rows = std::make_shared<std::vector<int64_t>>();
  for (int64_t n = 0; n < view.sizes[1] * count; ++n)
    rows->push_back((first + n % count) * view.sizes[0] / of * view.strides[0] +
                    n / count * view.strides[1]);
  view.sizes.erase(view.sizes.begin());
  view.strides.erase(view.strides.begin());
  view.strides[0] = 1;
  view.memoryRows = 1;
  for (int64_t row : *rows)
    view.memoryRows = std::max(view.memoryRows, row + 1);
  view.sizes[0] = static_cast<int64_t>(rows->size());
  view.list = std::move(rows);
  values.set(op.getResult(), view);
  return Error::success();
}

template <typename Real> Error TileOperations<Real>::run(tile::ExtentOp op) {
  values.set(
      op.getResult(),
      Cell<Real>{.integer =
                     values.getView(op.getView()).sizes[op.getDimension()]});
  return Error::success();
}

template <typename Real> Error TileOperations<Real>::run(tile::LoadOp op) {
  const ViewValue &view = values.getView(op.getView());
  // A kernel that is told so does not look: a broken promise is found here.
  for (auto [d, offset] : llvm::enumerate(op.getOffsets())) {
    int64_t first = values.getInteger(offset);
    int64_t extent = op.getResult().getType().getShape()[d];
    if (op.isInBounds(d) && (first < 0 || first + extent > view.sizes[d]))
      return llvm::createStringError(
          "tile.load promises to stay in bounds, but reads " +
          llvm::Twine(first) + " to " + llvm::Twine(first + extent) +
          " of dimension " + llvm::Twine(d) + ", whose extent is " +
          llvm::Twine(view.sizes[d]));
  }
  return setResult(op, [&](Tile &result) {
    forEachElement(result.shape,
                   [&](llvm::ArrayRef<int64_t> element, int64_t place) {
                     llvm::SmallVector<int64_t, 4> indices(element);
                     for (auto [d, offset] : llvm::enumerate(op.getOffsets()))
                       indices[d] += values.getInteger(offset);
                     result.cells[place] = loadCell(view, indices);
                   });
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::PrefetchOp) {
  return Error::success();
}

template <typename Real> Error TileOperations<Real>::run(tile::StoreOp op) {
  const ViewValue &view = values.getView(op.getView());
  if (!view.isWritable)
    return llvm::createStringError("tile.store writes an argument");
  const Tile &tile = values.getTile(op.getTile());
  forEachElement(tile.shape,
                 [&](llvm::ArrayRef<int64_t> element, int64_t place) {
                   llvm::SmallVector<int64_t, 4> indices(element);
                   for (auto [d, offset] : llvm::enumerate(op.getOffsets()))
                     indices[d] += values.getInteger(offset);
                   storeCell(view, indices, tile.cells[place], tile.isInteger,
                             op.getMode() == tile::StoreMode::Add);
                 });
  return Error::success();
}

template <typename Real> Error TileOperations<Real>::run(tile::PackOp op) {
  values.set(op.getResult(), values.get(op.getSource()));
  return Error::success();
}

template <typename Real> Error TileOperations<Real>::run(tile::GatherOp op) {
  const ViewValue &view = values.getView(op.getView());
  const Tile &rows = values.getTile(op.getRows());
  return setResult(op, [&](Tile &result) {
    forEachElement(
        result.shape, [&](llvm::ArrayRef<int64_t> element, int64_t place) {
          result.cells[place] =
              loadCell(view, {rows.cells[element[0]].integer, element[1]});
        });
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::ScatterOp op) {
  const ViewValue &view = values.getView(op.getView());
  if (!view.isWritable)
    return llvm::createStringError("tile.scatter writes an argument");
  const Tile &tile = values.getTile(op.getTile());
  const Tile &rows = values.getTile(op.getRows());
  forEachElement(tile.shape,
                 [&](llvm::ArrayRef<int64_t> element, int64_t place) {
                   storeCell(view, {rows.cells[element[0]].integer, element[1]},
                             tile.cells[place], tile.isInteger,
                             op.getMode() == tile::StoreMode::Add);
                 });
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Making and rearranging tiles
//===----------------------------------------------------------------------===//

template <typename Real> Error TileOperations<Real>::run(tile::SplatOp op) {
  return setResult(op, [&](Tile &result) {
    std::fill(result.cells.begin(), result.cells.end(),
              values.getScalar(op.getValue()));
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::ConstantOp op) {
  return setResult(op, [&](Tile &result) {
    if (result.isInteger)
      for (auto [cell, value] :
           llvm::zip(result.cells, op.getValue().getValues<APInt>()))
        cell.integer = value.getSExtValue();
    else
      for (auto [cell, value] :
           llvm::zip(result.cells, op.getValue().getValues<APFloat>()))
        cell.real = static_cast<Real>(value.convertToDouble());
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::PositionsOp op) {
  return setResult(op, [&](Tile &result) {
    for (int64_t k = 0; k < result.count(); ++k)
      result.cells[k].integer = values.getInteger(op.getFirst()) + k;
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::TransposeOp op) {
  const Tile &source = values.getTile(op.getSource());
  return setResult(op, [&](Tile &result) {
    forEachElement(
        source.shape, [&](llvm::ArrayRef<int64_t> element, int64_t place) {
          result.cells[getPlace(result.shape, {element[1], element[0]})] =
              source.cells[place];
        });
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::SliceOp op) {
  const Tile &source = values.getTile(op.getSource());
  return setResult(op, [&](Tile &result) {
    forEachElement(
        result.shape, [&](llvm::ArrayRef<int64_t> element, int64_t place) {
          llvm::SmallVector<int64_t, 3> from(element);
          from[op.getDimension()] += op.getOffset();
          result.cells[place] = source.cells[getPlace(source.shape, from)];
        });
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::SkewOp op) {
  const Tile &source = values.getTile(op.getSource());
  return setResult(op, [&](Tile &result) {
    forEachElement(
        result.shape, [&](llvm::ArrayRef<int64_t> element, int64_t place) {
          int64_t n = element[0] - element[1] + result.shape[1] - 1;
          int64_t from[] = {n % source.shape[0], n / source.shape[0]};
          result.cells[place] = source.cells[getPlace(source.shape, from)];
        });
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::ConcatOp op) {
  return setResult(op, [&](Tile &result) {
    int64_t offset = 0;
    for (Value operand : op.getSources()) {
      const Tile &source = values.getTile(operand);
      forEachElement(
          source.shape, [&](llvm::ArrayRef<int64_t> element, int64_t place) {
            llvm::SmallVector<int64_t, 3> to(element);
            to[op.getDimension()] += offset;
            result.cells[getPlace(result.shape, to)] = source.cells[place];
          });
      offset += source.shape[op.getDimension()];
    }
  });
}

//===----------------------------------------------------------------------===//
// Products and reductions
//===----------------------------------------------------------------------===//

template <typename Real> Error TileOperations<Real>::run(tile::MmaOp op) {
  const Tile &lhs = values.getTile(op.getLhs());
  const Tile &rhs = values.getTile(op.getRhs());
  bool lhsTransposed = op.getLhsTransposed(),
       rhsTransposed = op.getRhsTransposed();
  auto real = [](const Tile &tile, int64_t row, int64_t column,
                 bool transposed) {
    Cell<Real> cell = tile.cells[transposed ? column * tile.shape[1] + row
                                            : row * tile.shape[1] + column];
    return tile.isInteger ? static_cast<Real>(cell.integer) : cell.real;
  };
  int64_t depth = lhs.shape[lhsTransposed ? 0 : 1];
  // A kernel that is told so does not look: a broken promise is found here.
  int64_t promised = op.getDepth() ? values.getInteger(op.getDepth()) : depth;
  for (int64_t k = promised; k < depth; ++k)
    for (int64_t row = 0; row < lhs.shape[lhsTransposed ? 1 : 0]; ++row)
      if (Real a = real(lhs, row, k, lhsTransposed); a != 0 && !std::isnan(a))
        return llvm::createStringError(
            "tile.mma promises zeros from depth " + llvm::Twine(promised) +
            " on, but has others at " + llvm::Twine(k));
  return setResult(op, [&](Tile &result) {
    if (op.getAccumulator())
      result.cells = values.getTile(op.getAccumulator()).cells;
    else
      std::fill(result.cells.begin(), result.cells.end(),
                Cell<Real>{.real = 0});
    forEachElement(result.shape,
                   [&](llvm::ArrayRef<int64_t> element, int64_t place) {
                     Real sum = result.cells[place].real;
                     for (int64_t k = 0; k < depth; ++k) {
                       Real a = real(lhs, element[0], k, lhsTransposed);
                       if (!op.getSkipZeros() || a != 0)
                         sum += a * real(rhs, k, element[1], rhsTransposed);
                     }
                     result.cells[place].real = sum;
                   });
  });
}

template <typename Real>
Cell<Real> TileOperations<Real>::combine(tile::Combiner kind, Cell<Real> a,
                                         Cell<Real> b, bool isInteger) {
  Cell<Real> result = a;
  switch (kind) {
  case tile::Combiner::Add:
    if (isInteger)
      result.integer = addWrapped(a.integer, b.integer);
    else
      result.real = a.real + b.real;
    break;
  case tile::Combiner::Mul:
    if (isInteger)
      result.integer = mulWrapped(a.integer, b.integer);
    else
      result.real = a.real * b.real;
    break;
  case tile::Combiner::Max:
    if (isInteger)
      result.integer = std::max(a.integer, b.integer);
    else
      result.real = maximum(a.real, b.real);
    break;
  case tile::Combiner::Min:
    if (isInteger)
      result.integer = std::min(a.integer, b.integer);
    else
      result.real = minimum(a.real, b.real);
    break;
  case tile::Combiner::Argmax:
    break; // not a combination of two elements; see reduce
  }
  return result;
}

template <typename Real> Error TileOperations<Real>::run(tile::ReduceOp op) {
  const Tile &source = values.getTile(op.getSource());
  auto dimension = static_cast<size_t>(op.getDimension());
  return setResult(op, [&](Tile &result) {
    forEachElement(
        result.shape, [&](llvm::ArrayRef<int64_t> element, int64_t place) {
          llvm::SmallVector<int64_t, 3> from(element);
          from.insert(from.begin() + dimension, 0);
          Cell<Real> value = source.cells[getPlace(source.shape, from)];
          int64_t best = 0;
          for (int64_t k = 1; k < source.shape[dimension]; ++k) {
            from[dimension] = k;
            Cell<Real> next = source.cells[getPlace(source.shape, from)];
            if (op.getKind() != tile::Combiner::Argmax) {
              value = combine(op.getKind(), value, next, source.isInteger);
            } else if (isLess(value, next, source.isInteger)) {
              value = next;
              best = k;
            }
          }
          if (op.getKind() == tile::Combiner::Argmax)
            value.integer = best;
          result.cells[place] = value;
        });
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::ScanOp op) {
  const Tile &source = values.getTile(op.getSource());
  if (op.getKind() == tile::Combiner::Argmax || op.getExclusive())
    if (op.getKind() != tile::Combiner::Add)
      return llvm::createStringError("tile.scan has no meaning for this kind");
  auto dimension = static_cast<size_t>(op.getDimension());
  return setResult(op, [&](Tile &result) {
    forEachElement(source.shape, [&](llvm::ArrayRef<int64_t> element,
                                     int64_t place) {
      // In row-major order the element before this one is already done.
      llvm::SmallVector<int64_t, 3> before(element);
      bool isFirst = before[dimension]-- == 0;
      if (op.getExclusive()) {
        if (isFirst) {
          if (!source.isInteger)
            result.cells[place].real = 0;
          return;
        }
        int64_t previous = getPlace(source.shape, before);
        result.cells[place] = combine(op.getKind(), result.cells[previous],
                                      source.cells[previous], source.isInteger);
        return;
      }
      result.cells[place] =
          isFirst ? source.cells[place]
                  : combine(op.getKind(),
                            result.cells[getPlace(source.shape, before)],
                            source.cells[place], source.isInteger);
    });
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::SolveOp op) {
  const Tile &lower = values.getTile(op.getLower());
  const Tile &rhs = values.getTile(op.getRhs());
  int64_t rows = rhs.shape[0], columns = rhs.shape[1];
  return setResult(op, [&](Tile &result) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) {
        Real value = rhs.cells[r * columns + c].real;
        for (int64_t k = 0; k < r; ++k)
          value -= lower.cells[r * rows + k].real *
                   result.cells[k * columns + c].real;
        result.cells[r * columns + c].real = value;
      }
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::TopOp op) {
  const Tile &source = values.getTile(op.getSource());
  int64_t width = source.shape.back();
  return setResult(op, [&](Tile &result) {
    int64_t picks = result.shape.back();
    for (int64_t row = 0; row < source.count() / width; ++row) {
      const Cell<Real> *elements = &source.cells[row * width];
      std::vector<int64_t> order(width);
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        bool isLarger = isLess(elements[b], elements[a], source.isInteger);
        bool isSmaller = isLess(elements[a], elements[b], source.isInteger);
        return isLarger || (!isSmaller && a < b); // ties to the smaller index
      });
      order.resize(picks);
      std::sort(order.begin(), order.end());
      for (int64_t k = 0; k < picks; ++k)
        result.cells[row * picks + k].integer = order[k];
    }
  });
}

template <typename Real> Error TileOperations<Real>::run(tile::SortOp op) {
  const Tile &source = values.getTile(op.getSource());
  return setResult(op, [&](Tile &result) {
    std::vector<int64_t> order(source.count());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      bool isSmaller =
          isLess(source.cells[a], source.cells[b], source.isInteger);
      bool isLarger =
          isLess(source.cells[b], source.cells[a], source.isInteger);
      return isSmaller || (!isLarger && a < b); // stable
    });
    for (int64_t k = 0; k < result.count(); ++k)
      result.cells[k].integer = order[k];
  });
}

template <typename Real>
Error executeTileOperation(Operation *op, Environment<Real> &values,
                           bool &isKnown) {
  return TileOperations<Real>(values).execute(op, isKnown);
}

template struct TileValue<double>;
template struct TileValue<float>;
template Error executeTileOperation<double>(Operation *, Environment<double> &,
                                            bool &);
template Error executeTileOperation<float>(Operation *, Environment<float> &,
                                           bool &);

} // namespace rapt::reference
