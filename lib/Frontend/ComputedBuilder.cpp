// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/ComputedBuilder.h"
#include <cmath>

namespace rapt::frontend {

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

ComputedBuilder::Shape ComputedBuilder::join(llvm::ArrayRef<Node *> nodes) {
  Shape shape;
  for (const Node *node : nodes) {
    if (!node)
      continue;
    if (node->variesOver(VariesQuery) && !(shape.varies & VariesQuery))
      shape.queryAxis = node->queryAxis;
    if (node->variesOver(VariesKey) && !(shape.varies & VariesKey))
      shape.keyAxis = node->keyAxis;
    shape.varies |= node->varies;
  }
  return shape;
}

/// The axis that counts all heads that something varies over; empty for none.
static std::string getHeadAxis(unsigned varies) {
  switch (varies & VariesAnyHead) {
  case 0:
    return "";
  case VariesKeyHead:
    return "kv_heads";
  case VariesGroup:
    return "groups";
  default:
    return "heads";
  }
}

const Computed &ComputedBuilder::add(Computed prototype, const Shape &shape,
                                     std::optional<Interval> range) {
  for (const Computed &known : program.computed)
    if (known.computesSame(prototype))
      return known;
  Computed &computed = program.computed.emplace_back(std::move(prototype));
  InputTensor &tensor = computed.tensor;
  tensor.name = "computed " + std::to_string(program.computed.size());
  tensor.range = computed.range;
  tensor.computed = &computed;
  tensor.isSet = shape.scalar == Scalar::Set;
  tensor.interval = range;
  tensor.elementType = shape.scalar == Scalar::Real ? support::ElementType::F32
                       : shape.scalar == Scalar::Integer
                           ? support::ElementType::I64
                           : support::ElementType::Boolean;
  auto addAxis = [&](TensorAxis axis, unsigned dimension) {
    tensor.axes.push_back(std::move(axis));
    computed.dimensions.push_back(dimension);
  };
  addAxis({"batch", false, {}}, 0);
  if (std::string heads = getHeadAxis(shape.varies); !heads.empty())
    addAxis({heads, false, {}}, 1);
  if (shape.varies & VariesQuery)
    addAxis({describeAxis(shape.queryAxis, true), false, {}, shape.queryAxis},
            2);
  if (shape.varies & VariesKey)
    addAxis({describeAxis(shape.keyAxis, false), false, {}, shape.keyAxis},
            shape.isPair ? 3 : 2);
  // Features are last; the first of two stands where queries would.
  unsigned dimension = 4 - shape.features.size();
  for (const Feature &feature : shape.features) {
    std::optional<int64_t> extent;
    if (feature.isKnown())
      extent = feature.extent;
    addAxis(
        {feature.name.empty() ? std::to_string(feature.extent) : feature.name,
         true, extent},
        dimension++);
  }
  if (tensor.isSet)
    addAxis({"elements", true, {}}, 3);
  return computed;
}

Loop *ComputedBuilder::addLoop() {
  Loop *loop = &program.loops.emplace_back();
  loop->number = program.loops.size();
  return loop;
}

std::string ComputedBuilder::getGroupAxis() const {
  if (const InputTensor *keys = program.findInput("k"))
    for (const TensorAxis &axis : keys->axes)
      if (axis.name == "kv_heads" || axis.name == "groups" ||
          axis.name == "heads")
        return axis.name;
  return "kv_heads";
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

Node *ComputedBuilder::weights(Loop *loop, SourceRange range) {
  Computed computed;
  computed.kind = Computed::Kind::Weights;
  computed.range = range;
  computed.loop = loop;
  Shape shape = join({loop->score, loop->mask, loop->factor, loop->sink});
  shape.isPair = true;
  shape.varies |= VariesKey;
  shape.queryAxis = loop->queryAxis;
  shape.keyAxis = loop->keyAxis;
  return read(add(std::move(computed), shape));
}

const Computed *ComputedBuilder::result(Loop *loop, SourceRange range) {
  Computed computed;
  computed.kind = Computed::Kind::Result;
  computed.range = range;
  computed.loop = loop;
  Shape shape = join({loop->score, loop->mask, loop->factor, loop->sink,
                      loop->values, loop->out});
  shape.varies &= ~VariesPair;
  shape.features.assign(loop->out->features.begin(), loop->out->features.end());
  // Whatever its values were, the result is that of a mechanism: its row is
  // matched by its extent, unless it is vdim by name.
  for (Feature &feature : shape.features)
    if (feature.name != "vdim" && feature.isKnown())
      feature.name.clear();
  if (loop->queryAxis &&
      loop->queryAxis->kind == SequenceAxis::Kind::Features) {
    // Queries that came from a feature axis are one again.
    shape.features.insert(shape.features.begin(),
                          {loop->queryAxis->name, loop->queryAxis->extent});
  } else {
    shape.varies |= VariesQuery;
    shape.queryAxis = loop->queryAxis;
  }
  return &add(std::move(computed), shape);
}

const Computed *ComputedBuilder::merge(std::vector<const Computed *> parts,
                                       SourceRange range) {
  Computed computed;
  computed.kind = Computed::Kind::Merge;
  computed.range = range;
  Shape shape;
  shape.varies = VariesQuery;
  for (const Computed *part : parts)
    shape.varies |= b.read(part->tensor)->varies;
  const Node *first = b.read(parts.front()->tensor);
  shape.queryAxis = first->queryAxis;
  shape.features.assign(first->features.begin(), first->features.end());
  computed.parts = std::move(parts);
  return &add(std::move(computed), shape);
}

Node *ComputedBuilder::sumOverKeys(Operand x, Node *mask) {
  Node *carried = nullptr;
  walk(x.node, [&](Node *node) {
    if (node->op == Op::Carried)
      carried = node;
  });
  if (carried)
    return b.notCompiled(x.range, "this sum over keys of carried rows");
  if (mask)
    x.node = b.zeroUnless({mask, x.range}, x);
  if (!x.node->isPoison() && !x.node->variesOver(VariesKey)) {
    Operand count{b.axisLength(nullptr, x.range), x.range};
    return b.arithmetic(Op::Mul, x, {b.toReal(count), x.range});
  }
  return x.node->isPoison()
             ? x.node
             : aggregate(Computed::Reduction::Add, Computed::Over::Keys, x.node,
                         nullptr, x.range);
}

Node *ComputedBuilder::softmaxOfRow(const Node *softmax, Node *mask) {
  SourceRange range = softmax->place;
  auto at = [&](Node *node) { return Operand{node, range}; };
  Operand x = at(softmax->operands[0]), kept = x;
  if (mask)
    kept.node = b.select(at(mask), x, at(b.real(-HUGE_VAL)));
  if (kept.node->isPoison())
    return kept.node;
  Operand largest = at(aggregate(Computed::Reduction::Max, Computed::Over::Keys,
                                 kept.node, nullptr, range));
  bool hasSink = softmax->operands.size() > 1;
  if (hasSink)
    largest.node = b.arithmetic(Op::Maximum, largest, at(softmax->operands[1]));
  auto exponential = [&](Operand value) {
    return at(
        b.realFunction(Op::Exp, at(b.arithmetic(Op::Sub, value, largest))));
  };
  Operand e = exponential(x);
  Operand sum = at(sumOverKeys(e, mask));
  if (hasSink)
    sum.node =
        b.arithmetic(Op::Add, sum, exponential(at(softmax->operands[1])));
  Node *weights = b.divide(e, sum);
  return mask ? b.zeroUnless(at(mask), at(weights)) : weights;
}

Node *ComputedBuilder::settle(Node *node, Node *mask) {
  // Inner ones first: an outer one is made anew around them.
  for (;;) {
    Node *innermost = nullptr;
    walk(node, [&](Node *next) {
      bool isNormal =
          next->op == Op::KeySoftmax || next->op == Op::KeyNormalize;
      if (isNormal && (!innermost || next->id < innermost->id))
        innermost = next;
    });
    if (!innermost || node->isPoison())
      return node;
    Node *value = nullptr;
    if (!innermost->isScalar()) {
      value = softmaxOfRow(innermost, mask);
    } else {
      Loop *loop = addLoop();
      loop->nameRange = innermost->place;
      loop->kind = innermost->op == Op::KeySoftmax ? WeightKind::Softmax
                                                   : WeightKind::Ratio;
      loop->epsilon = innermost->real;
      loop->score = innermost->operands[0];
      if (innermost->operands.size() > 1)
        loop->sink = innermost->operands[1];
      loop->queryAxis = innermost->queryAxis;
      loop->keyAxis = innermost->keyAxis;
      loop->mask = mask;
      value = weights(loop, innermost->place);
    }
    node = b.replace(node, {{innermost, value}});
  }
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Node *ComputedBuilder::pool(Operand x, Computed::Pooling how, Node *weights,
                            int64_t size, int64_t stride, bool isOverQueries,
                            SourceRange range) {
  Computed computed;
  computed.kind = Computed::Kind::Pool;
  computed.range = range;
  computed.pooling = how;
  computed.value = b.toReal(x);
  computed.weights = weights;
  computed.isOverQueries = isOverQueries;
  computed.size = size;
  computed.stride = stride;
  Shape shape = join({x.node, weights});
  computed.from = isOverQueries ? shape.queryAxis : shape.keyAxis;
  computed.to = program.getWindows(isOverQueries, computed.from, size, stride);
  (isOverQueries ? shape.queryAxis : shape.keyAxis) = computed.to;
  shape.features.assign(x.node->features.begin(), x.node->features.end());
  shape.isPair = (shape.varies & VariesPair) == VariesPair;
  computed.headAxis = getHeadAxis(shape.varies);
  if (computed.value->isPoison())
    return computed.value;
  return read(add(std::move(computed), shape));
}

Node *ComputedBuilder::poolByMatrix(Operand x, Node *matrix,
                                    SourceRange range) {
  const Feature rows = matrix->features.front();
  Loop *loop = addLoop();
  loop->nameRange = range;
  loop->kind = WeightKind::Sum;
  loop->mask = b.boolean(true);
  loop->queryAxis = program.getFeatureAxis(/*isQuery=*/true, rows);
  loop->keyAxis = x.node->keyAxis;
  loop->score = b.elementAt(matrix, b.place(Op::Row, loop->queryAxis), range);
  loop->values = b.toReal(x);
  Node *product =
      b.arithmetic(Op::Mul, {b.roleValue(RoleKind::Weight), range}, x);
  Node sum = *b.keyReduction(Op::KeySum, product, 0, range);
  sum.integer = loop->number;
  loop->keySum = loop->out = b.remake(std::move(sum), range);
  if (loop->score->isPoison() || loop->values->isPoison() ||
      loop->out->isPoison())
    return b.poison();
  return read(*result(loop, range));
}

Node *ComputedBuilder::regroup(Operand x, int64_t block, SourceRange range) {
  Computed computed;
  computed.kind = Computed::Kind::Regroup;
  computed.range = range;
  computed.value = b.toReal(x);
  Shape shape = join({x.node});
  computed.from = shape.keyAxis;
  computed.to =
      program.getWindows(/*isQuery=*/false, computed.from->base, block, block);
  shape.keyAxis = computed.to;
  shape.isPair = true;
  computed.headAxis = getHeadAxis(shape.varies);
  return read(add(std::move(computed), shape));
}

Node *ComputedBuilder::rank(Operand x, SourceRange range) {
  Computed computed;
  computed.kind = Computed::Kind::Rank;
  computed.range = range;
  computed.value = x.node;
  computed.isOverQueries = x.node->variesOver(VariesQuery);
  Shape shape = join({x.node});
  shape.scalar = Scalar::Integer;
  return read(
      add(std::move(computed), shape, Interval{0, Builder::maxLength - 1}));
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

/// Makes a loop over pairs run over what its parts vary over.
template <typename Shape>
static void setLoop(Computed &computed, const Shape &shape) {
  computed.hasQueries = shape.varies & VariesQuery;
  computed.hasKeys = shape.varies & VariesKey;
  computed.queryAxis = shape.queryAxis;
  computed.keyAxis = shape.keyAxis;
  computed.headAxis = getHeadAxis(shape.varies);
}

Node *ComputedBuilder::select(Computed::Selection kind, Node *limit,
                              Node *score, Node *where, Node *force,
                              SourceRange range) {
  Computed computed;
  computed.kind = Computed::Kind::Select;
  computed.range = range;
  computed.selection = kind;
  computed.limit = limit;
  computed.value = score;
  computed.where = where;
  computed.force = force;
  Shape shape = join({score, where, force, limit});
  setLoop(computed, shape);
  shape.varies &= ~VariesKey;
  shape.scalar = Scalar::Set;
  return read(add(std::move(computed), shape));
}

Node *ComputedBuilder::aggregate(Computed::Reduction kind, Computed::Over over,
                                 Node *value, Node *by, SourceRange range) {
  Computed computed;
  computed.kind = Computed::Kind::Aggregate;
  computed.range = range;
  computed.reduction = kind;
  computed.over = over;
  computed.value = value;
  computed.by = by;
  Shape shape = join({value, by});
  setLoop(computed, shape);
  shape.scalar = value->scalar;
  shape.features.assign(value->features.begin(), value->features.end());
  std::optional<Interval> interval;
  if (value->scalar == Scalar::Integer) {
    interval = value->range;
    if (kind == Computed::Reduction::Add)
      interval = interval->join(value->range * Interval{0, Builder::maxLength});
    // Of a value that no pair has, the maximum is the least integer.
    else if (over == Computed::Over::Pairs)
      interval = Interval::ofBits(64);
    if (!interval->fits(64))
      return b.error(range, "sum may not fit 64 bits, its range is " +
                                interval->str());
  }
  switch (over) {
  case Computed::Over::Queries:
    shape.varies &= ~VariesQuery;
    break;
  case Computed::Over::Keys:
    shape.varies &= ~VariesKey;
    if (kind == Computed::Reduction::Argmax) {
      shape.scalar = Scalar::Integer;
      interval = Interval{0, Builder::maxLength - 1};
    }
    break;
  case Computed::Over::Group: {
    std::string group = getGroupAxis();
    computed.into = b.extent(Op::LeadingExtent, group);
    shape.isPair = value->isScalar();
    shape.varies &= ~VariesAnyHead;
    shape.varies |= group == "kv_heads" ? VariesKeyHead
                    : group == "groups" ? VariesGroup
                                        : VariesHead;
    break;
  }
  case Computed::Over::Pairs: {
    // One result for each value of `by`: 0 .. keys - 1.
    shape.varies &= ~VariesPair;
    shape.varies |= VariesKey;
    shape.keyAxis = program.getValueAxis();
    break;
  }
  }
  return read(add(std::move(computed), shape, interval));
}

} // namespace rapt::frontend
