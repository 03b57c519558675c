// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Loops over runs by warpgroups. A step has products of what is in memory,
// which give scores, and one of the weights computed from them. That one is put
// off to the step after, so that it runs beside the next scores and while the
// next weights are computed:
//
//   begin S(0); wait; weights(0)
//   for n = 1, 2, ...: begin S(n); begin O(n - 1); wait for S; weights(n);
//                      wait for O; what depends on O
//   begin O(last); wait

#include "lib/Conversion/TileToNv/KernelToNv.h"

using namespace mlir;

namespace rapt::conversion {

FailureOr<KernelToNv::StepProducts> KernelToNv::findProducts(tile::ForRunsOp op,
                                                             Region &region) {
  StepProducts products;
  Block &body = region.front();
  for (auto product : body.getOps<tile::MmaOp>()) {
    // A ring that is refilled has a barrier for being empty.
    auto isRefilled = [&](Value tile) {
      auto ring = ringOf.find(tile);
      return ring != ringOf.end() && rings[ring->second].empty;
    };
    if (!isRefilled(product.getRhs()) || isRefilled(product.getLhs()) ||
        product.getLhsTransposed())
      return notLowered(product,
                        "a product of warpgroups whose right operand "
                        "is not that of a step, or whose left one is,");
    if (ringOf.contains(product.getLhs())) {
      if (product.getAccumulator())
        return notLowered(product, "a sum of products of warpgroups");
      products.first.push_back(product);
      continue;
    }
    if (products.last)
      return notLowered(product, "a second product of weights");
    products.last = product;
  }
  tile::MmaOp last = products.last;
  if (!last || products.first.empty())
    return notLowered(op, "a step without products of scores and of weights");
  bool isCarried = last.getAccumulator() && last.getResult().hasOneUse() &&
                   isa<tile::YieldOp>(*last->user_begin());
  if (!isCarried)
    return notLowered(last, "a product of weights that is not carried");
  products.result = last.getResult().getUses().begin()->getOperandNumber();
  return products;
}

/// Both forms of a step begin with the same products.
static bool isSameProduct(tile::MmaOp a, tile::MmaOp b, unsigned leftA,
                          unsigned leftB, unsigned rightA, unsigned rightB) {
  return leftA == leftB && rightA == rightB &&
         a.getRhsTransposed() == b.getRhsTransposed() &&
         a.getResult().getType() == b.getResult().getType();
}

SmallVector<Value> KernelToNv::beginFirst(const StepProducts &products,
                                          Value step) {
  SmallVector<Value> begun;
  for (tile::MmaOp product : products.first) {
    location = product.getLoc();
    const Ring &left = rings[ringOf.at(product.getLhs())];
    const Ring &right = rings[ringOf.at(product.getRhs())];
    awaitFull(right, step);
    auto type = nv::InFlightType::get(
        builder.getContext(),
        fragmentType(cast<tile::TileType>(product.getResult().getType()),
                     nv::Along::Both));
    begun.push_back(nv::MmaAsyncOp::create(
        builder, location, type, left.buffer, index(0), right.buffer,
        stageOf(right, step), /*accumulator=*/Value(),
        product.getRhsTransposed()));
  }
  return begun;
}

void KernelToNv::releaseFirst(const StepProducts &products, Value step) {
  // What the weights read too is theirs to release.
  tile::MmaOp last = products.last;
  SmallVector<unsigned> done{ringOf.at(last.getRhs())};
  for (tile::MmaOp product : products.first) {
    unsigned ring = ringOf.at(product.getRhs());
    if (llvm::is_contained(done, ring))
      continue;
    release(rings[ring], step);
    done.push_back(ring);
  }
}

Value KernelToNv::beginLast(const StepProducts &products, const PutOff &last,
                            Value step) {
  tile::MmaOp product = products.last;
  const Ring &ring = rings[ringOf.at(product.getRhs())];
  awaitFull(ring, step);
  auto type = nv::InFlightType::get(
      builder.getContext(), cast<nv::FragmentType>(last.accumulator.getType()));
  return nv::MmaAsyncOp::create(builder, location, type, last.weights,
                                /*lhs_stage=*/Value(), ring.buffer,
                                stageOf(ring, step), last.accumulator,
                                product.getRhsTransposed());
}

/// The fragments of products that have begun, once all but `pending` are done.
static SmallVector<Value> awaitProducts(OpBuilder &builder, Location location,
                                        ValueRange products, int64_t pending) {
  SmallVector<Type> types;
  for (Value product : products)
    types.push_back(cast<nv::InFlightType>(product.getType()).getFragment());
  auto wait =
      nv::MmaWaitOp::create(builder, location, types, pending, products);
  return SmallVector<Value>(wait.getResults());
}

FailureOr<SmallVector<Value>>
KernelToNv::lowerStep(tile::ForRunsOp op, Region &region,
                      const StepProducts &products, Value start, Value length,
                      ValueRange scores, ValueRange carried,
                      llvm::function_ref<Value()> awaitAccumulated) {
  Block &body = region.front();
  values.map(body.getArgument(0), start);
  values.map(body.getArgument(1), length);
  Value accumulated = body.getArgument(2 + products.result);
  for (auto [n, argument] : llvm::enumerate(body.getArguments().drop_front(2)))
    if (argument != accumulated)
      bindCarried(argument, carried[n]);
  for (auto [n, score] : llvm::enumerate(scores)) {
    tile::MmaOp product = products.first[n];
    values.map(product.getResult(), score);
  }

  llvm::DenseSet<Value> isAfter{accumulated};
  SmallVector<Operation *> after;
  for (Operation &inner : body.without_terminator()) {
    if (auto product = dyn_cast<tile::MmaOp>(inner)) {
      if (product == products.last && isAfter.contains(product.getLhs()))
        return notLowered(product, "a weight that depends on the sum so far");
      continue;
    }
    if (auto load = dyn_cast<tile::LoadOp>(inner);
        load && ringOf.contains(load.getResult()))
      continue;
    location = inner.getLoc();
    if (llvm::any_of(inner.getOperands(),
                     [&](Value value) { return isAfter.contains(value); })) {
      isAfter.insert(inner.getResults().begin(), inner.getResults().end());
      after.push_back(&inner);
    } else if (failed(lowerOperation(&inner))) {
      return failure();
    }
  }
  tile::MmaOp last = products.last;
  location = last.getLoc();
  Value weights = values.lookup(last.getLhs());
  auto fragment = cast<nv::FragmentType>(weights.getType());
  const Ring &ring = rings[ringOf.at(last.getRhs())];
  weights = nv::PackOp::create(
      builder, location,
      nv::OperandType::get(
          builder.getContext(), fragment.getRows(), fragment.getColumns(),
          cast<nv::BufferType>(ring.buffer.getType()).getElementType()),
      weights);
  values.map(accumulated, awaitAccumulated());
  for (Operation *inner : after) {
    location = inner->getLoc();
    if (failed(lowerOperation(inner)))
      return failure();
  }
  SmallVector<Value> yielded;
  for (auto [n, use] : llvm::enumerate(body.back().getOpOperands())) {
    if (n == products.result)
      continue;
    yielded.push_back(isa<tile::TileType>(use.get().getType())
                          ? fragmentFor(use)
                          : values.lookup(use.get()));
  }
  yielded.push_back(weights);
  yielded.push_back(values.lookup(last.getAccumulator()));
  return yielded;
}

LogicalResult KernelToNv::lowerPipelined(tile::ForRunsOp op) {
  FailureOr<Domain> found = findDomain(op);
  if (failed(found))
    return failure();
  const Domain domain = *found;
  Value width = index(static_cast<int64_t>(op.getFullStep()));
  Region &partial = op.getPartial(), &full = op.getFull();
  bool hasFull = !full.front().without_terminator().empty();
  FailureOr<StepProducts> ofPartial = findProducts(op, partial);
  if (failed(ofPartial))
    return failure();
  FailureOr<StepProducts> ofFull = ofPartial;
  if (hasFull) {
    ofFull = findProducts(op, full);
    if (failed(ofFull))
      return failure();
    bool isSame = ofFull->first.size() == ofPartial->first.size() &&
                  ofFull->result == ofPartial->result &&
                  ringOf.lookup(ofFull->last.getRhs()) ==
                      ringOf.lookup(ofPartial->last.getRhs());
    for (auto [a, b] : llvm::zip(ofFull->first, ofPartial->first))
      isSame &=
          isSameProduct(a, b, ringOf.at(a.getLhs()), ringOf.at(b.getLhs()),
                        ringOf.at(a.getRhs()), ringOf.at(b.getRhs()));
    if (!isSame)
      return notLowered(op, "a loop whose two steps have different products");
  }
  const StepProducts &products = *ofPartial;
  tile::MmaOp weighting = products.last;
  const Ring &weighted = rings[ringOf.at(weighting.getRhs())];
  const size_t others = op.getInits().size() - 1;
  /// All that the loop carries for its body, in order, but for the sum.
  auto withSum = [&](ValueRange carried, Value sum) {
    SmallVector<Value> all(carried.take_front(others));
    all.insert(all.begin() + products.result, sum);
    return all;
  };
  auto awaitLast = [&](Value begun, Value step) {
    Value sum = awaitProducts(builder, location, begun, 0).front();
    release(weighted, step);
    return sum;
  };

  SmallVector<Value> inits = lowerInits(op);
  LogicalResult result = success();
  auto walk = [&](Value begin) -> SmallVector<Value> {
    Step first = beginRun(domain, domain.first);
    SmallVector<Value> none(inits);
    none.push_back(begin);
    auto isSome = scf::IfOp::create(
        builder, location, ValueRange(none).getTypes(), isLeft(domain, first),
        /*addThenBlock=*/true, /*addElseBlock=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(isSome.elseBlock());
    scf::YieldOp::create(builder, location, none);
    builder.setInsertionPointToStart(isSome.thenBlock());

    // The first step, by the form that takes any.
    Step second = advance(domain, first, width);
    SmallVector<Value> scores =
        awaitProducts(builder, location, beginFirst(products, begin), 0);
    releaseFirst(products, begin);
    Value left = this->op<arith::SubIOp>(first.end, first.position);
    FailureOr<SmallVector<Value>> begun =
        lowerStep(op, partial, products, first.position,
                  this->op<arith::MinSIOp>(left, width), scores, inits,
                  [&] { return inits[products.result]; });
    if (failed(begun)) {
      result = failure();
      return none;
    }
    SmallVector<Value> ended = walkSteps(
        domain, second, this->op<arith::AddIOp>(begin, index(1)), *begun,
        [&](const Step &step, Value number, ValueRange tiles) -> StepEnd {
          Value before = this->op<arith::SubIOp>(number, index(1));
          PutOff last{tiles[others], tiles[others + 1]};
          SmallVector<Value> scoring = beginFirst(products, number);
          Value summing = beginLast(products, last, before);
          Step next = advance(domain, step, width);
          SmallVector<Value> scores =
              awaitProducts(builder, location, scoring, /*pending=*/1);
          releaseFirst(products, number);

          Value left = this->op<arith::SubIOp>(step.end, step.position);
          auto lower = [&](Region &region, const StepProducts &own,
                           Value length) -> SmallVector<Value> {
            FailureOr<SmallVector<Value>> yielded =
                lowerStep(op, region, own, step.position, length, scores,
                          withSum(tiles, nullptr),
                          [&] { return awaitLast(summing, before); });
            if (failed(yielded)) {
              result = failure();
              return SmallVector<Value>(tiles);
            }
            return *yielded;
          };
          Value length = this->op<arith::MinSIOp>(left, width);
          SmallVector<Value> yielded;
          if (hasFull) {
            Value isWhole = arith::CmpIOp::create(
                builder, location, arith::CmpIPredicate::sge, left, width);
            Value isFull = this->op<arith::AndIOp>(step.isFull, isWhole);
            auto branch = scf::IfOp::create(builder, location, tiles.getTypes(),
                                            isFull, /*addThenBlock=*/true,
                                            /*addElseBlock=*/true);
            OpBuilder::InsertionGuard guard(builder);
            builder.setInsertionPointToStart(branch.thenBlock());
            yielded = lower(full, *ofFull, width);
            scf::YieldOp::create(builder, location, yielded);
            builder.setInsertionPointToStart(branch.elseBlock());
            yielded = lower(partial, products, length);
            scf::YieldOp::create(builder, location, yielded);
            yielded.assign(branch.getResults().begin(),
                           branch.getResults().end());
          } else {
            yielded = lower(partial, products, length);
          }
          return {next, this->op<arith::AddIOp>(number, index(1)), yielded};
        });
    if (failed(result))
      return none;
    Value last = this->op<arith::SubIOp>(ended.front(), index(1));
    ValueRange done = ValueRange(ended).drop_front();
    Value sum = awaitLast(
        beginLast(products, {done[others], done[others + 1]}, last), last);
    SmallVector<Value> all = withSum(done, sum);
    all.push_back(ended.front());
    scf::YieldOp::create(builder, location, all);
    return SmallVector<Value>(isSome.getResults());
  };
  // One product after the other, all by the form that takes any.
  auto walkCarefully = [&](Value begin) -> SmallVector<Value> {
    SmallVector<Value> ended = walkSteps(
        domain, beginRun(domain, domain.first), begin, inits,
        [&](const Step &step, Value number, ValueRange tiles) -> StepEnd {
          SmallVector<Value> scores =
              awaitProducts(builder, location, beginFirst(products, number), 0);
          releaseFirst(products, number);
          Value left = this->op<arith::SubIOp>(step.end, step.position);
          FailureOr<SmallVector<Value>> yielded =
              lowerStep(op, partial, products, step.position,
                        this->op<arith::MinSIOp>(left, width), scores, tiles,
                        [&] { return tiles[products.result]; });
          Step next = advance(domain, step, width);
          Value nextNumber = this->op<arith::AddIOp>(number, index(1));
          if (failed(yielded)) {
            result = failure();
            return {next, nextNumber, SmallVector<Value>(tiles)};
          }
          ValueRange tilesNow = *yielded;
          PutOff last{tilesNow[others], tilesNow[others + 1]};
          awaitFull(weighted, number);
          last.accumulator =
              takeNotFinite(last.weights, weighted.buffer,
                            stageOf(weighted, number), last.accumulator);
          Value sum = awaitLast(beginLast(products, last, number), number);
          return {next, nextNumber, withSum(tilesNow, sum)};
        });
    std::rotate(ended.begin(), ended.begin() + 1, ended.end());
    return ended;
  };
  SmallVector<Value> all = walkWithCare(op, [&](bool isCareful, Value begin) {
    return isCareful ? walkCarefully(begin) : walk(begin);
  });
  if (failed(result))
    return failure();
  for (auto [value, fragment] : llvm::zip(op.getResults(), all))
    bindCarried(value, fragment);
  return success();
}

} // namespace rapt::conversion
