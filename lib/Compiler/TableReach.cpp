// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/TableReach.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Compiler/CodedError.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using llvm::Twine;

namespace rapt {
namespace {

/// The integers of one mask region as `position - start + offset`.
class MaskReader {
public:
  MaskReader(func::FuncOp spec, attn::AttendOp op)
      : spec(spec), op(op), block(op.getMask().front()) {}

  void findAll(std::vector<TableReach> &reaches);

private:
  struct Form {
    std::optional<int64_t> of, start;
    int64_t offset = 0;
  };
  std::optional<int64_t> getArgument(Value tensor);
  std::optional<Form> getForm(Value value);

  func::FuncOp spec;
  attn::AttendOp op;
  Block &block;
};

} // namespace

/// The number of the spec's argument that a captured tensor is.
std::optional<int64_t> MaskReader::getArgument(Value tensor) {
  unsigned captures = op.getCaptures().size();
  unsigned first = block.getNumArguments() - captures;
  auto captured = dyn_cast<BlockArgument>(tensor);
  if (!captured || captured.getOwner() != &block ||
      captured.getArgNumber() < first)
    return std::nullopt;
  auto argument = dyn_cast<BlockArgument>(
      op.getCaptures()[captured.getArgNumber() - first]);
  if (!argument || argument.getOwner() != &spec.getBody().front())
    return std::nullopt;
  return argument.getArgNumber();
}

std::optional<MaskReader::Form> MaskReader::getForm(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    switch (argument.getArgNumber()) {
    case 2:
      return Form{TableReach::Rows, {}, 0};
    case 3:
      return Form{TableReach::Queries, {}, 0};
    case 4:
      return Form{TableReach::Keys, {}, 0};
    default:
      return std::nullopt;
    }
  }
  Operation *def = value.getDefiningOp();
  return llvm::TypeSwitch<Operation *, std::optional<Form>>(def)
      .Case<arith::ExtSIOp, arith::TruncIOp>(
          [&](auto cast) { return getForm(cast.getIn()); })
      .Case([&](arith::ConstantOp constant) -> std::optional<Form> {
        auto number = dyn_cast<IntegerAttr>(constant.getValue());
        if (!number)
          return std::nullopt;
        return Form{{}, {}, number.getInt()};
      })
      .Case([&](attn::ReadOp read) -> std::optional<Form> {
        std::optional<int64_t> argument = getArgument(read.getTensor());
        if (!argument || read.getIndices().size() != 1 ||
            read.getIndices()[0] != block.getArgument(0) ||
            !read.getType().isInteger(32))
          return std::nullopt;
        return Form{{}, *argument, 0};
      })
      .Case([&](arith::AddIOp sum) -> std::optional<Form> {
        std::optional<Form> a = getForm(sum.getLhs());
        std::optional<Form> b = getForm(sum.getRhs());
        // A start that is added is none.
        if (!a || !b || (a->of && b->of) || (a->start && !a->of) ||
            (b->start && !b->of))
          return std::nullopt;
        Form &base = a->of ? *a : *b;
        base.offset = a->offset + b->offset;
        return base;
      })
      .Case([&](arith::SubIOp difference) -> std::optional<Form> {
        std::optional<Form> a = getForm(difference.getLhs());
        std::optional<Form> b = getForm(difference.getRhs());
        if (!a || !b || b->of || (a->start && b->start) || (a->start && !a->of))
          return std::nullopt;
        if (b->start)
          a->start = b->start;
        a->offset -= b->offset;
        return a;
      })
      .Default([](Operation *) { return std::nullopt; });
}

void MaskReader::findAll(std::vector<TableReach> &reaches) {
  block.walk([&](attn::ReadOp read) {
    std::optional<int64_t> tensor = getArgument(read.getTensor());
    if (!tensor)
      return;
    auto axes = attn::getArgumentAxes(spec, static_cast<unsigned>(*tensor));
    for (auto [d, index] : llvm::enumerate(read.getIndices())) {
      // An axis of tokens is as long as the sequence.
      if (d < axes.size() && (axes[d] == "queries" || axes[d] == "keys"))
        continue;
      std::optional<Form> form = getForm(index);
      if (form && form->of && form->start)
        reaches.push_back({*tensor, static_cast<int64_t>(d), *form->start,
                           form->offset, *form->of});
    }
  });
}

std::vector<TableReach> findTableReaches(func::FuncOp spec) {
  std::vector<TableReach> reaches;
  spec.walk([&](attn::AttendOp op) {
    if (!op.getMask().empty())
      MaskReader(spec, op).findAll(reaches);
  });
  return reaches;
}

std::vector<int64_t> toNumbers(llvm::ArrayRef<TableReach> reaches) {
  std::vector<int64_t> numbers;
  for (const TableReach &reach : reaches)
    numbers.insert(numbers.end(), {reach.tensor, reach.dimension, reach.start,
                                   reach.offset, reach.of});
  return numbers;
}

std::vector<TableReach> toReaches(llvm::ArrayRef<int64_t> numbers) {
  std::vector<TableReach> reaches;
  for (; numbers.size() >= TableReach::kNumbers;
       numbers = numbers.drop_front(TableReach::kNumbers))
    reaches.push_back(
        {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]});
  return reaches;
}

llvm::Error checkReaches(llvm::ArrayRef<TableReach> reaches,
                         llvm::ArrayRef<frontend::TensorSignature> arguments,
                         const int64_t *words, const ReachShape &shape) {
  std::vector<const int64_t *> places;
  for (const frontend::TensorSignature &argument : arguments) {
    places.push_back(words);
    words += 1 + 2 * argument.axes.size();
  }
  if (shape.queries == 0 || shape.keys == 0)
    return llvm::Error::success();
  for (const TableReach &reach : reaches) {
    if (reach.of == TableReach::Queries && shape.arePositionsGiven)
      continue;
    const frontend::TensorSignature &table = arguments[reach.tensor];
    const int64_t *start = places[reach.start];
    int64_t extent = places[reach.tensor][1 + reach.dimension];
    bool isRow = reach.of == TableReach::Rows;
    int64_t last = (isRow ? shape.queries : shape.keys) - 1;
    auto *starts =
        reinterpret_cast<const int32_t *>(static_cast<intptr_t>(start[0]));
    for (int64_t b = 0; b < start[1]; ++b) {
      int64_t begin = starts[b * start[2]];
      int64_t index = last - begin + reach.offset;
      if (index < extent)
        continue;
      return makeError(
          ErrorCode::InvalidArgument,
          "'" + table.name + "' is too short: axis '" +
              table.axes[reach.dimension].name + "' has extent " +
              Twine(extent) + ", expected at least " + Twine(index + 1) +
              (isRow ? " for row " : " for position ") + Twine(last) +
              ", as '" + arguments[reach.start].name + "'[" +
              Twine(shape.firstSequence + b) + "] is " + Twine(begin));
    }
  }
  return llvm::Error::success();
}

} // namespace rapt
