// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// From a spec and its tensors to nodes; all that can be wrong with them is
// found here.

#include "lib/Reference/AttnGraph.h"
#include "lib/Reference/WholeTensors.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace rapt::reference {

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(message);
}

/// The element type of a tensor of the spec.
static Expected<support::ElementType> requireElementType(Type type) {
  if (std::optional<support::ElementType> element = getElementType(type))
    return *element;
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return makeError("no tensor has elements of type " + text);
}

namespace {
class GraphBuilder {
public:
  GraphBuilder(func::FuncOp spec, Graph &graph, const Materialize &materialize)
      : spec(spec), graph(graph), materialize(materialize) {}

  Error build(llvm::ArrayRef<NamedTensor> tensors) {
    if (Error error = bindArguments(tensors))
      return error;
    if (!spec.getBody().hasOneBlock())
      return makeError("a spec must have one block");
    findWholeValues();
    for (Operation &op : spec.getBody().front())
      if (Error error = build(&op))
        return error;
    return Error::success();
  }

private:
  Error bindArguments(llvm::ArrayRef<NamedTensor> tensors);
  void findWholeValues();
  Error build(Operation *op);
  Error buildAxis(attn::AxisOp op);
  Error buildUnsqueeze(attn::UnsqueezeOp op);
  Error buildMap(attn::MapOp op);
  Error buildAttend(attn::AttendOp op);
  Error buildScan(attn::ScanOp op);
  Error buildWhole(Operation *op);
  Error buildMerge(attn::MergeOp op);
  Error buildAffineScan(attn::AffineScanOp op);
  template <typename Op> Error setScan(Op op, ScanNode &node);
  static Expected<RegionProgram> compileStep(Region &region, size_t captures);
  Error finishScan(Operation *op, const ScanNode &node);
  Error buildReturn(func::ReturnOp op);

  template <typename Op> Error setShape(Op op, Shape &shape);
  Error setCaptures(OperandRange captures, Node &node);
  Error setResult(Value result, int64_t length, Node &node);
  Error getSource(Value value, int64_t length, Node &node, Source &source);
  Expected<TensorView> getView(Value value);
  static Error compile(Region &region, ArrayRef<Level> levels,
                       std::optional<RegionProgram> &program);
  /// Numbers the node, and computes it at once if its rows are not enough.
  void finish(std::unique_ptr<Node> node, Value result);

  func::FuncOp spec;
  Graph &graph;
  const Materialize &materialize;
  llvm::DenseMap<Value, TensorView> views;  ///< tensors in memory
  llvm::DenseMap<Value, const Node *> rows; ///< tensors computed by rows
  llvm::DenseMap<Value, const Node *> lses; ///< by the value of log-sum-exp
  llvm::DenseMap<Value, int64_t> extents;
  llvm::DenseSet<Value> whole;
};
} // namespace

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

static Error checkTensor(StringRef name, const TensorView &view,
                         RankedTensorType type) {
  auto element = requireElementType(type.getElementType());
  if (!element)
    return element.takeError();
  if (view.type != *element)
    return makeError(llvm::formatv("'{0}' has element type {1}, expected {2}",
                                   name, support::getElementTypeName(view.type),
                                   support::getElementTypeName(*element)));
  if (view.getRank() != type.getRank() ||
      view.strides.size() != view.sizes.size())
    return makeError(llvm::formatv("'{0}' has {1} dimensions, expected {2}",
                                   name, view.getRank(), type.getRank()));
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (view.sizes[d] < 0 ||
        (!type.isDynamicDim(d) && view.sizes[d] != type.getDimSize(d)))
      return makeError(llvm::formatv(
          "'{0}' has extent {1} in dimension {2}, expected {3}", name,
          view.sizes[d], d,
          type.isDynamicDim(d) ? "0 or more"
                               : std::to_string(type.getDimSize(d))));
  return Error::success();
}

Error GraphBuilder::bindArguments(llvm::ArrayRef<NamedTensor> tensors) {
  // Where an axis was seen first, for the message when a tensor disagrees.
  llvm::StringMap<std::pair<int64_t, std::string>> axes;
  for (BlockArgument argument : spec.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto name = spec.getArgAttrOfType<StringAttr>(index, attn::kNameAttr);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!name || !type)
      return makeError(llvm::formatv(
          "argument {0} of the spec is not a tensor with a name", index));
    auto *tensor = llvm::find_if(tensors, [&](const NamedTensor &candidate) {
      return candidate.name == name.getValue();
    });
    if (tensor == tensors.end())
      return makeError("no tensor is given for '" + name.getValue() + "'");
    if (Error error = checkTensor(name, tensor->view, type))
      return error;
    views[argument] = tensor->view;
    for (auto [d, axis] : llvm::enumerate(attn::getArgumentAxes(spec, index))) {
      if (d >= tensor->view.sizes.size())
        break;
      int64_t found = tensor->view.sizes[d];
      auto [entry, isNew] = axes.try_emplace(axis, found, name.str());
      if (!isNew && entry->second.first != found)
        return makeError(llvm::formatv(
            "axis '{0}' has extent {1} in '{2}', expected {3} as in '{4}'",
            axis, found, name.getValue(), entry->second.first,
            entry->second.second));
    }
  }
  return Error::success();
}

/// Operations whose results are computed whole, from tensors in memory.
static bool isWhole(Operation *op) {
  return isa<attn::PoolOp, attn::RegroupOp, attn::ReorderOp, attn::WeightsOp,
             attn::SelectOp, attn::AggregateOp>(op);
}

/// Values that are needed as a whole: captured or reshaped ones, and every
/// attend that another attend is computed from.
void GraphBuilder::findWholeValues() {
  llvm::SmallVector<Value> beforeAttend;
  for (Operation &op : spec.getBody().front()) {
    if (auto attend = dyn_cast<attn::AttendOp>(op)) {
      whole.insert_range(attend.getCaptures());
      whole.insert_range(attend.getSteps());
      llvm::append_range(beforeAttend, attend.getQueries());
      llvm::append_range(beforeAttend, attend.getKeys());
      beforeAttend.push_back(attend.getValues());
    } else if (auto map = dyn_cast<attn::MapOp>(op)) {
      whole.insert_range(map.getCaptures());
    } else if (isa<attn::ScanOp, attn::AffineScanOp>(op)) {
      whole.insert_range(op.getOperands());
    } else if (auto unsqueeze = dyn_cast<attn::UnsqueezeOp>(op)) {
      whole.insert(unsqueeze.getSource());
    } else if (isWhole(&op)) {
      whole.insert_range(op.getOperands());
      llvm::append_range(beforeAttend, op.getOperands());
    }
  }
  llvm::DenseSet<Value> visited;
  while (!beforeAttend.empty()) {
    Value value = beforeAttend.pop_back_val();
    if (!visited.insert(value).second)
      continue;
    Operation *op = value.getDefiningOp();
    if (isa_and_nonnull<attn::AttendOp>(op))
      whole.insert(value);
    else if (op)
      llvm::append_range(beforeAttend, op->getOperands());
  }
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

Error GraphBuilder::build(Operation *op) {
  return llvm::TypeSwitch<Operation *, Error>(op)
      .Case([&](attn::AxisOp axis) { return buildAxis(axis); })
      .Case([&](attn::UnsqueezeOp unsqueeze) {
        return buildUnsqueeze(unsqueeze);
      })
      .Case([&](attn::MapOp map) { return buildMap(map); })
      .Case([&](attn::AttendOp attend) { return buildAttend(attend); })
      .Case([&](attn::ScanOp scan) { return buildScan(scan); })
      .Case<attn::PoolOp, attn::RegroupOp, attn::ReorderOp, attn::WeightsOp,
            attn::SelectOp, attn::AggregateOp>(
          [&](Operation *op) { return buildWhole(op); })
      .Case([&](attn::MergeOp merge) { return buildMerge(merge); })
      .Case([&](arith::CeilDivSIOp division) -> Error {
        auto lhs = extents.find(division.getLhs());
        auto rhs = extents.find(division.getRhs());
        if (lhs == extents.end() || rhs == extents.end() || rhs->second < 1)
          return makeError("a quotient of a spec must be one of extents");
        extents[division] = (lhs->second + rhs->second - 1) / rhs->second;
        return Error::success();
      })
      .Case([&](attn::AffineScanOp scan) { return buildAffineScan(scan); })
      .Case([&](func::ReturnOp op) { return buildReturn(op); })
      .Case([&](arith::ConstantOp constant) -> Error {
        auto value = dyn_cast<IntegerAttr>(constant.getValue());
        if (!value || !constant.getType().isIndex())
          return makeError("a constant of a spec must be an index");
        extents[constant] = value.getInt();
        return Error::success();
      })
      .Default([](Operation *op) {
        return makeError("operation " + op->getName().getStringRef() +
                         " is not part of a spec");
      });
}

Error GraphBuilder::buildAxis(attn::AxisOp op) {
  std::optional<attn::AxisPlace> place = attn::findAxis(spec, op.getName());
  if (!place)
    return makeError("no argument has the axis '" + op.getName() + "'");
  const TensorView &view = views[spec.getArgument(place->argument)];
  if (place->dimension >= view.sizes.size())
    return makeError("axis '" + op.getName() +
                     "' is not a dimension of its tensor");
  extents[op] = view.sizes[place->dimension];
  return Error::success();
}

Error GraphBuilder::buildUnsqueeze(attn::UnsqueezeOp op) {
  Expected<TensorView> view = getView(op.getSource());
  if (!view)
    return view.takeError();
  view->sizes.insert(view->sizes.begin() + op.getPosition(), 1);
  view->strides.insert(view->strides.begin() + op.getPosition(), 0);
  views[op.getResult()] = *view;
  return Error::success();
}

Expected<TensorView> GraphBuilder::getView(Value value) {
  auto view = views.find(value);
  if (view == views.end())
    return makeError("a captured value is not a tensor of the spec");
  return view->second;
}

template <typename Op> Error GraphBuilder::setShape(Op op, Shape &shape) {
  auto get = [&](Value extent, int64_t &target) -> Error {
    auto known = extents.find(extent);
    if (known == extents.end() || known->second < 0)
      return makeError("an extent of a spec must be an axis or a constant");
    target = known->second;
    return Error::success();
  };
  if (Error error = get(op.getBatch(), shape.batch))
    return error;
  if (Error error = get(op.getHeads(), shape.heads))
    return error;
  if (Error error = get(op.getQueryCount(), shape.queries))
    return error;
  if (Error error = get(op.getKeyCount(), shape.keys))
    return error;
  shape.placement = graph.placement;
  auto given = static_cast<int64_t>(shape.placement.positions.size());
  if (given > 0 && given != shape.queries)
    return makeError("there is not one position for each query");
  return Error::success();
}

Error GraphBuilder::setCaptures(OperandRange captures, Node &node) {
  for (Value capture : captures) {
    Expected<TensorView> view = getView(capture);
    if (!view)
      return view.takeError();
    node.captures.push_back(*view);
  }
  return Error::success();
}

Error GraphBuilder::setResult(Value result, int64_t length, Node &node) {
  auto type = cast<RankedTensorType>(result.getType());
  auto element = requireElementType(type.getElementType());
  if (!element)
    return element.takeError();
  node.resultType = *element;
  node.length = length;
  node.features = type.getDimSize(3);
  return Error::success();
}

Error GraphBuilder::getSource(Value value, int64_t length, Node &node,
                              Source &source) {
  if (auto computed = rows.find(value); computed != rows.end()) {
    const Node &producer = *computed->second;
    bool sameHeads = producer.shape.batch == node.shape.batch &&
                     producer.shape.heads == node.shape.heads;
    // The tables of an attend are those of one head at a time, so whoever reads
    // its rows must walk the same heads.
    if (producer.readsAttend && !sameHeads) {
      views[value] = materialize.rows(producer);
      rows.erase(computed);
    } else {
      source = {{},
                &producer,
                producer.shape.batch,
                producer.shape.heads,
                producer.length,
                producer.features,
                !support::isFloat(producer.resultType)};
      node.readsAttend |= producer.readsAttend;
    }
  }
  if (!source.node) {
    Expected<TensorView> view = getView(value);
    if (!view)
      return view.takeError();
    if (view->getRank() != 4)
      return makeError("rows must come from a tensor of rank 4");
    source = {*view,
              nullptr,
              view->sizes[0],
              view->sizes[1],
              view->sizes[2],
              view->sizes[3],
              !support::isFloat(view->type)};
  }
  if (source.length != length)
    return makeError(llvm::formatv("an operand has {0} rows, expected {1}",
                                   source.length, length));
  bool empty = node.shape.batch == 0 || node.shape.heads == 0;
  if (!empty && (source.batch < 1 || source.batch > node.shape.batch ||
                 source.heads < 1 || source.heads > node.shape.heads))
    return makeError(llvm::formatv("an operand has {0} batches and {1} heads, "
                                   "expected at most {2} and {3}",
                                   source.batch, source.heads, node.shape.batch,
                                   node.shape.heads));
  return Error::success();
}

Error GraphBuilder::compile(Region &region, ArrayRef<Level> levels,
                            std::optional<RegionProgram> &program) {
  if (region.empty())
    return Error::success();
  Expected<RegionProgram> compiled = RegionProgram::compile(region, levels);
  if (!compiled)
    return compiled.takeError();
  program = std::move(*compiled);
  return Error::success();
}

void GraphBuilder::finish(std::unique_ptr<Node> node, Value result) {
  const Node *finished = node.get();
  node->number = graph.nodes.size();
  graph.nodes.push_back(std::move(node));
  if (whole.contains(result))
    views[result] = materialize.rows(*finished);
  else
    rows[result] = finished;
}

Error GraphBuilder::buildMap(attn::MapOp op) {
  auto node = std::make_unique<MapNode>();
  if (Error error = setShape(op, node->shape))
    return error;
  node->overKeys = op.getSide() == attn::Side::Keys;
  int64_t length = node->overKeys ? node->shape.keys : node->shape.queries;
  if (Error error = setCaptures(op.getCaptures(), *node))
    return error;
  for (Value row : op.getRows())
    if (Error error = getSource(row, length, *node, node->rows.emplace_back()))
      return error;
  if (Error error = setResult(op.getResult(), length, *node))
    return error;
  SmallVector<Level> levels{Level::Head, Level::Head, Level::Pair, Level::Pair};
  levels.append(node->rows.size(), Level::Pair);
  std::optional<RegionProgram> body;
  if (Error error = compile(op.getBody(), levels, body))
    return error;
  node->body = std::move(*body);
  finish(std::move(node), op.getResult());
  return Error::success();
}

Error GraphBuilder::buildAttend(attn::AttendOp op) {
  auto node = std::make_unique<AttendNode>();
  if (Error error = setShape(op, node->shape))
    return error;
  node->readsAttend = true;
  node->reduction = op.getReduction();
  if (auto epsilon = op.getEpsilon())
    node->epsilon = epsilon->convertToDouble();
  if (Error error = setCaptures(op.getCaptures(), *node))
    return error;
  for (Value query : op.getQueries())
    if (Error error = getSource(query, node->shape.queries, *node,
                                node->queries.emplace_back()))
      return error;
  for (Value key : op.getKeys())
    if (Error error =
            getSource(key, node->shape.keys, *node, node->keys.emplace_back()))
      return error;
  if (Error error =
          getSource(op.getValues(), node->shape.keys, *node, node->values))
    return error;
  if (Error error = setResult(op.getResult(), node->shape.queries, *node))
    return error;
  for (Value step : op.getSteps()) {
    Source source;
    if (Error error = getSource(step, node->shape.keys, *node, source))
      return error;
    node->steps.push_back(source.view);
  }
  node->isPerFeature = op.isPerFeature();

  // b, h; row, i; j and the products.
  SmallVector<Level> pair{Level::Head, Level::Head, Level::Row, Level::Row,
                          Level::Pair};
  pair.append(op.getNumProducts(), Level::Pair);
  SmallVector<Level> row{Level::Head, Level::Head, Level::Row, Level::Row};
  std::optional<RegionProgram> score;
  if (Error error = compile(op.getScore(), pair, score))
    return error;
  if (!score)
    return makeError("an attend must have a score");
  node->score = std::move(*score);
  if (Error error = compile(op.getMask(), pair, node->mask))
    return error;
  if (Error error = compile(op.getFactor(), pair, node->factor))
    return error;
  if (Error error = compile(op.getSink(), row, node->sink))
    return error;
  SmallVector<Level> carry{Level::Head, Level::Head};
  carry.append(1 + op.getKeys().size() + 1 + op.getSteps().size(), Level::Pair);
  if (Error error = compile(op.getCarry(), carry, node->carry))
    return error;
  lses[op.getLse()] = node.get();
  finish(std::move(node), op.getResult());
  return Error::success();
}

Error GraphBuilder::buildWhole(Operation *op) {
  if (!graph.placement.positions.empty())
    return makeError("a value of all queries is not evaluated at positions");
  auto find = [&](Value value) -> Expected<int64_t> {
    auto known = extents.find(value);
    if (known == extents.end() || known->second < 0)
      return makeError("an extent of a spec must be an axis or a constant");
    return known->second;
  };
  Workshop workshop{graph.isRounded, graph.threads, &graph.storage};
  Expected<TensorView> view = evaluateWhole(
      op, [&](Value value) { return getView(value); }, find, workshop);
  if (!view)
    return view.takeError();
  views[op->getResult(0)] = *view;
  return Error::success();
}

Error GraphBuilder::buildMerge(attn::MergeOp op) {
  auto node = std::make_unique<MergeNode>();
  node->readsAttend = true;
  for (auto [branch, lse] : llvm::zip(op.getBranches(), op.getLses())) {
    const Node *source = lses.lookup(lse);
    if (!source)
      return makeError("a merge needs the log-sum-exp of an attend");
    if (node->lses.empty()) {
      node->shape = source->shape;
    } else if (source->shape.batch != node->shape.batch ||
               source->shape.heads != node->shape.heads ||
               source->shape.queries != node->shape.queries) {
      return makeError("merged branches must have the same rows");
    }
    node->lses.push_back(source);
    if (Error error = getSource(branch, node->shape.queries, *node,
                                node->branches.emplace_back()))
      return error;
  }
  if (Error error = setResult(op.getResult(), node->shape.queries, *node))
    return error;
  lses[op.getLse()] = node.get();
  finish(std::move(node), op.getResult());
  return Error::success();
}

/// What scans have in common with those in normal form.
template <typename Op> Error GraphBuilder::setScan(Op op, ScanNode &node) {
  if (Error error = setShape(op, node.shape))
    return error;
  node.isReverse = op.getReverse();
  node.states = op.getNumStates();
  for (Type state : op.getStateTypes()) {
    node.stateExtents.emplace_back();
    if (auto tensor = dyn_cast<RankedTensorType>(state))
      llvm::append_range(node.stateExtents.back(), tensor.getShape());
  }
  auto setRows = [&](OperandRange operands, int64_t length,
                     std::vector<TensorView> &views) -> Error {
    // A node without places of its own, to check the extents.
    Node reader;
    reader.shape = node.shape;
    for (Value operand : operands) {
      Source source;
      if (Error error = getSource(operand, length, reader, source))
        return error;
      views.push_back(source.view);
    }
    return Error::success();
  };
  if (Error error = setRows(op.getQueries(), node.shape.queries, node.queries))
    return error;
  if (Error error = setRows(op.getKeys(), node.shape.keys, node.keys))
    return error;
  for (Value capture : op.getCaptures()) {
    Expected<TensorView> view = getView(capture);
    if (!view)
      return view.takeError();
    node.captures.push_back(*view);
  }
  for (Value output : op.getOutputs()) {
    auto element = requireElementType(
        cast<RankedTensorType>(output.getType()).getElementType());
    if (!element)
      return element.takeError();
    node.outputTypes.push_back(*element);
  }
  std::optional<RegionProgram> initial;
  SmallVector<Level> levels(Op::kInitialPositions, Level::Head);
  if (Error error = compile(op.getInitial(), levels, initial))
    return error;
  node.initial = std::move(*initial);
  return Error::success();
}

/// A region of a scan: b, h; everything else changes with the step.
Expected<RegionProgram> GraphBuilder::compileStep(Region &region,
                                                  size_t captures) {
  SmallVector<Level> levels(2, Level::Head);
  levels.append(region.getNumArguments() - levels.size() - captures,
                Level::Pair);
  return RegionProgram::compile(region, levels);
}

Error GraphBuilder::finishScan(Operation *op, const ScanNode &node) {
  for (auto [result, view] :
       llvm::zip(op->getResults(), materialize.scan(node)))
    views[result] = view;
  return Error::success();
}

Error GraphBuilder::buildScan(attn::ScanOp op) {
  ScanNode node;
  if (!graph.placement.positions.empty())
    return makeError("a recurrence is not evaluated at positions");
  if (Error error = setScan(op, node))
    return error;
  auto body = compileStep(op.getBody(), node.captures.size());
  if (!body)
    return body.takeError();
  node.body = std::move(*body);
  return finishScan(op, node);
}

Error GraphBuilder::buildAffineScan(attn::AffineScanOp op) {
  ScanNode node;
  if (!graph.placement.positions.empty())
    return makeError("a recurrence is not evaluated at positions");
  if (Error error = setScan(op, node))
    return error;
  auto step = compileStep(op.getStep(), node.captures.size());
  if (!step)
    return step.takeError();
  auto read = compileStep(op.getRead(), node.captures.size());
  if (!read)
    return read.takeError();
  node.affine = AffineBody{std::move(*step), std::move(*read), {}, {}};
  for (unsigned state = 0; state < node.states; ++state) {
    attn::TransitionAttr transition = op.getTransition(state);
    node.affine->transitions.push_back(transition);
    node.affine->valueCounts.push_back(
        transition.getValueTypes(op.getStateTypes()[state]).size());
  }
  return finishScan(op, node);
}

Error GraphBuilder::buildReturn(func::ReturnOp op) {
  if (op.getNumOperands() < 1)
    return makeError("a spec returns its output");
  // The output is read like the rows of a map over all its own extents.
  Value output = op.getOperand(0);
  Node reader;
  int64_t length = 0;
  if (auto computed = rows.find(output); computed != rows.end()) {
    reader.shape = computed->second->shape;
    length = computed->second->length;
  } else {
    Expected<TensorView> view = getView(output);
    if (!view)
      return view.takeError();
    if (view->getRank() != 4)
      return makeError("the output of a spec must have rank 4");
    reader.shape = {view->sizes[0], view->sizes[1], view->sizes[2], 0};
    length = view->sizes[2];
  }
  if (Error error = getSource(output, length, reader, graph.output))
    return error;
  auto type = requireElementType(
      cast<RankedTensorType>(output.getType()).getElementType());
  if (!type)
    return type.takeError();
  graph.outputType = *type;
  if (op.getNumOperands() == 1)
    return Error::success();

  // After the output: the states of scans, or a log-sum-exp.
  if (isa_and_nonnull<attn::ScanOp, attn::AffineScanOp>(
          op.getOperand(1).getDefiningOp())) {
    for (OpOperand &operand : llvm::drop_begin(op->getOpOperands())) {
      Operation *scan = operand.get().getDefiningOp();
      if (!isa_and_nonnull<attn::ScanOp, attn::AffineScanOp>(scan))
        return makeError("a result beside states must be a state");
      auto name = spec.getResultAttrOfType<StringAttr>(
          operand.getOperandNumber(), attn::kNameAttr);
      graph.states.push_back(
          {name ? name.str() : std::string(), views.at(operand.get())});
    }
    return Error::success();
  }
  graph.lse = lses.lookup(op.getOperand(1));
  if (!graph.lse || op.getNumOperands() > 2)
    return makeError("the second result of a spec must be a log-sum-exp");
  const Shape &lseShape = graph.lse->shape;
  if (lseShape.batch != graph.output.batch ||
      lseShape.heads != graph.output.heads ||
      lseShape.queries != graph.output.length)
    return makeError("output and log-sum-exp must have the same rows");
  return Error::success();
}

Error buildGraph(func::FuncOp spec, llvm::ArrayRef<NamedTensor> tensors,
                 Graph &graph, const Materialize &materialize) {
  return GraphBuilder(spec, graph, materialize).build(tensors);
}

} // namespace rapt::reference
