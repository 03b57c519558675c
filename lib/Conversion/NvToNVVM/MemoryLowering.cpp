// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Views, and fragments from and to global memory.

#include "lib/Conversion/NvToNVVM/ThreadLowering.h"

using namespace mlir;

namespace rapt::conversion {

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

/// Booleans are bytes in memory, and integers have no sign there.
Type ThreadLowering::memoryType(Type element) {
  if (element.isInteger(1))
    return builder.getI8Type();
  if (element.isInteger())
    return builder.getIntegerType(element.getIntOrFloatBitWidth());
  return element;
}

int64_t ThreadLowering::bytesOf(Type element) {
  return memoryType(element).getIntOrFloatBitWidth() / 8;
}

Value ThreadLowering::address(Value base, Value elements, Type element) {
  return LLVM::GEPOp::create(builder, location, base.getType(),
                             memoryType(element), base,
                             ArrayRef<LLVM::GEPArg>{elements});
}

void ThreadLowering::lowerWindow(Operation *operation) {
  auto op = cast<tile::WindowOp>(operation);
  View view = views.at(op.getSource());
  for (Value position : op.getIndices()) {
    Value offset = multiply(toI64(scalars.at(position)), view.strides.front());
    view.base = address(view.base, offset, view.element);
    view.sizes.erase(view.sizes.begin());
    view.strides.erase(view.strides.begin());
  }
  views[op] = view;
}

ThreadLowering::View ThreadLowering::listRows(Value source, Value list) {
  View view = views.at(source);
  view.list = std::make_shared<View>(views.at(list));
  return view;
}

std::pair<Value, Value> ThreadLowering::findRow(const View &view, Value row) {
  row = toI64(row);
  auto isBelow = [&](Value place, Value extent) {
    // As an unsigned number what is below 0 is too large.
    return compare(arith::CmpIPredicate::ult, place, extent);
  };
  if (!view.list)
    return {row, isBelow(row, view.sizes[0])};
  Value isListed = isBelow(row, view.list->sizes[0]);
  Value named = toI64(readElement(*view.list, row, builder.getI32Type()));
  return {named, both(isListed, isBelow(named, view.sizes[0]))};
}

Value ThreadLowering::fromMemory(Value value, Type stored, Type element) {
  if (stored.isInteger(1)) {
    Value holds =
        compare(arith::CmpIPredicate::ne, value, zero(value.getType()));
    if (element.isInteger(1))
      return holds;
    return arith::ExtUIOp::create(builder, location, element, holds);
  }
  if (value.getType() == element)
    return value;
  if (isa<FloatType>(stored))
    return arith::ExtFOp::create(builder, location, element, value);
  if (stored.isUnsignedInteger())
    return arith::ExtUIOp::create(builder, location, element, value);
  return arith::ExtSIOp::create(builder, location, element, value);
}

Value ThreadLowering::toMemory(Value value, Type stored) {
  if (value.getType() == stored)
    return value;
  return arith::TruncFOp::create(builder, location, stored, value);
}

/// One element, zero outside: what lies outside is read from a place of zeros,
/// so that there is no branch.
Value ThreadLowering::readElement(const View &view, ValueRange indices,
                                  Type element) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
  Value offset, isInside;
  for (auto [d, position] : llvm::enumerate(indices)) {
    Value place = toI64(position), inside;
    if (d == 0 && view.list) {
      std::tie(place, inside) = findRow(view, place);
    } else {
      inside = compare(arith::CmpIPredicate::ult, place, view.sizes[d]);
    }
    Value part = multiply(place, view.strides[d]);
    offset = offset ? add(offset, part) : part;
    isInside = isInside ? both(isInside, inside) : inside;
  }
  Value from = view.base;
  if (offset) {
    Value zeros =
        LLVM::AddressOfOp::create(builder, location, pointer, kZerosSymbol);
    from =
        LLVM::SelectOp::create(builder, location, isInside,
                               address(view.base, offset, view.element), zeros);
  }
  Value value =
      LLVM::LoadOp::create(builder, location, memoryType(view.element), from);
  return fromMemory(value, view.element, element);
}

/// Whether all rows of the view begin at multiples of `bytes`.
Value ThreadLowering::isAligned(const View &view, int64_t bytes) {
  Value bits = LLVM::PtrToIntOp::create(builder, location, builder.getI64Type(),
                                        view.base);
  Value pitch = multiply(view.strides[0], i64(bytesOf(view.element)));
  Value rest = both(op<arith::OrIOp>(bits, pitch), i64(bytes - 1));
  return compare(arith::CmpIPredicate::eq, rest, i64(0));
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

LogicalResult ThreadLowering::lowerLoad(nv::LoadOp op) {
  const View view = views.at(op.getView());
  nv::FragmentType type = op.getResult().getType();
  Type element = type.getElementType();
  Slots slots(type, warps);
  SmallVector<Value> offsets;
  for (Value offset : op.getOffsets())
    offsets.push_back(toI64(scalars.at(offset)));
  if (type.getShape().size() == 1) {
    Registers values;
    for (int64_t n = 0; n < slots.count(); ++n) {
      Value place = type.hasRows() ? rowOf(n, slots.rows) : columnOf(n);
      values.push_back(
          readElement(view, add(offsets[0], toI64(place)), element));
    }
    registers[op] = values;
    return success();
  }
  // Two columns at a time where they lie side by side in one word.
  Type stored = memoryType(view.element);
  Value columns = toI64(columnOf(0));
  Value firstColumn = add(offsets[1], columns);
  bool isInside = op.getInBounds() && (*op.getInBounds())[1];
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
  SmallVector<Value> starts;
  for (int64_t r = 0; r < slots.rows; ++r) {
    auto [row, isRow] =
        findRow(view, add(offsets[0], toI64(rowOf(r, slots.rows))));
    Value start = add(multiply(row, view.strides[0]),
                      multiply(firstColumn, view.strides[1]));
    Value from = address(view.base, start, view.element);
    Value zeros =
        LLVM::AddressOfOp::create(builder, location, pointer, kZerosSymbol);
    starts.push_back(
        LLVM::SelectOp::create(builder, location, isRow, from, zeros));
    starts.push_back(isRow);
  }
  auto loadAll = [&](bool isPaired) {
    Registers values;
    for (int64_t r = 0; r < slots.rows; ++r) {
      Value start = starts[2 * r], isRow = starts[2 * r + 1];
      for (int64_t c = 0; c < slots.columns; ++c) {
        // All zeros are in one place.
        Value step = select(isRow, i64(columnOffset(c)), i64(0));
        if (!isInside) {
          Value isColumn =
              compare(arith::CmpIPredicate::ult,
                      add(firstColumn, i64(columnOffset(c))), view.sizes[1]);
          Value from = address(start, step, view.element);
          Value zeros = LLVM::AddressOfOp::create(builder, location, pointer,
                                                  kZerosSymbol);
          from =
              LLVM::SelectOp::create(builder, location, isColumn, from, zeros);
          values.push_back(
              fromMemory(LLVM::LoadOp::create(builder, location, stored, from),
                         view.element, element));
          continue;
        }
        Value from = address(start, step, view.element);
        if (!isPaired) {
          values.push_back(
              fromMemory(LLVM::LoadOp::create(builder, location, stored, from),
                         view.element, element));
          continue;
        }
        if (c % 2)
          continue;
        Value pair = LLVM::LoadOp::create(
            builder, location, VectorType::get({2}, stored), from,
            /*alignment=*/2 * bytesOf(view.element));
        for (int64_t e : {0, 1})
          values.push_back(fromMemory(
              LLVM::ExtractElementOp::create(builder, location, pair, i32(e)),
              view.element, element));
      }
    }
    return values;
  };
  if (!isInside || !isa<FloatType>(stored)) {
    registers[op] = loadAll(false);
    return success();
  }
  Value isPaired =
      both(isAligned(view, 2 * bytesOf(view.element)),
           compare(arith::CmpIPredicate::eq, both(offsets[1], i64(1)), i64(0)));
  SmallVector<Type> types(slots.count(), element);
  registers[op] = choose(
      isPaired, types, [&] { return loadAll(true); },
      [&] { return loadAll(false); });
  return success();
}

LogicalResult ThreadLowering::lowerStore(nv::StoreOp op) {
  const View view = views.at(op.getView());
  nv::FragmentType type = op.getFragment().getType();
  const Registers values = registers.at(op.getFragment());
  Slots slots(type, warps);
  SmallVector<Value> offsets;
  for (Value offset : op.getOffsets())
    offsets.push_back(toI64(scalars.at(offset)));
  Type stored = memoryType(view.element);
  if (isa<IntegerType>(stored) && stored != type.getElementType())
    return notLowered(op);
  if (type.getAlong() == nv::Along::Columns)
    return notLowered(op);
  if (type.getAlong() == nv::Along::Rows) {
    // One of the four threads that have the row.
    Value isFirst =
        compare(arith::CmpIPredicate::eq, both(lane, i32(3)), i32(0));
    doIf(isFirst, [&] {
      for (int64_t r = 0; r < slots.rows; ++r) {
        auto [row, isRow] =
            findRow(view, add(offsets[0], toI64(rowOf(r, slots.rows))));
        Value place = multiply(row, view.strides[0]);
        doIf(isRow, [&] {
          LLVM::StoreOp::create(builder, location,
                                toMemory(values[r], view.element),
                                address(view.base, place, view.element));
        });
      }
    });
    return success();
  }
  Value firstColumn = add(offsets[1], toI64(columnOf(0)));
  auto storeAll = [&](bool isPaired) {
    for (int64_t r = 0; r < slots.rows; ++r) {
      auto [row, isRow] =
          findRow(view, add(offsets[0], toI64(rowOf(r, slots.rows))));
      Value start =
          address(view.base, add(multiply(row, view.strides[0]), firstColumn),
                  view.element);
      doIf(isRow, [&] {
        for (int64_t c = 0; c < slots.columns; c += isPaired ? 2 : 1) {
          Value value = values[r * slots.columns + c];
          Value to = address(start, i64(columnOffset(c)), view.element);
          Value isColumn =
              compare(arith::CmpIPredicate::ult,
                      add(firstColumn, i64(columnOffset(c))), view.sizes[1]);
          doIf(isColumn, [&] {
            if (!isPaired) {
              LLVM::StoreOp::create(builder, location,
                                    toMemory(value, view.element), to);
              return;
            }
            Value pair = LLVM::PoisonOp::create(builder, location,
                                                VectorType::get({2}, stored));
            for (int64_t e : {0, 1})
              pair = LLVM::InsertElementOp::create(
                  builder, location, pair,
                  toMemory(values[r * slots.columns + c + e], view.element),
                  i32(e));
            LLVM::StoreOp::create(builder, location, pair, to,
                                  /*alignment=*/2 * bytesOf(view.element));
          });
        }
      });
    }
  };
  if (!isa<FloatType>(stored)) {
    storeAll(false);
    return success();
  }
  // An odd width would cut a pair in two.
  Value odd = both(this->op<arith::OrIOp>(offsets[1], view.sizes[1]), i64(1));
  Value isPaired = both(isAligned(view, 2 * bytesOf(view.element)),
                        compare(arith::CmpIPredicate::eq, odd, i64(0)));
  doEither(isPaired, [&] { storeAll(true); }, [&] { storeAll(false); });
  return success();
}

} // namespace rapt::conversion
