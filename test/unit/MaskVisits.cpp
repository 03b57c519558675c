// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "MaskVisits.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Conversion/AttnToTile/AttnToTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using mlir::Value;

namespace rapt::testing {

/// Replaces the loop by stores of kPartial and kFull to out[first query of the
/// block, number of the run].
static void keepOnlyVisits(tile::KernelOp kernel, int64_t queriesPerTile,
                           int64_t keysPerTile) {
  mlir::Block &body = kernel.getBody().front();
  mlir::Operation *runs = nullptr;
  for (mlir::Operation &op : body)
    if (mlir::isa<tile::RunsOp, tile::DomainOp>(op))
      runs = &op;
  Value out;
  for (auto store : body.getOps<tile::StoreOp>())
    if (mlir::cast<tile::TileType>(store.getTile().getType()).getRank() == 2)
      out = store.getView();
  // A window of an argument.
  out.getDefiningOp()->moveBefore(runs);
  mlir::Location location = kernel.getLoc();
  mlir::OpBuilder builder(runs);
  builder.setInsertionPointAfter(runs);
  auto index = [&](int64_t value) -> Value {
    return mlir::arith::ConstantIndexOp::create(builder, location, value);
  };
  Value first = mlir::arith::MulIOp::create(
      builder, location, body.getArgument(2), index(queriesPerTile));
  auto loop = tile::ForRunsOp::create(builder, location, mlir::TypeRange(),
                                      runs->getResult(0), keysPerTile,
                                      keysPerTile, mlir::ValueRange());
  for (mlir::Region *region : {&loop.getFull(), &loop.getPartial()}) {
    mlir::OpBuilder::InsertionGuard guard(builder);
    mlir::Type type = builder.getIndexType();
    mlir::Block *block =
        builder.createBlock(region, {}, {type, type}, {location, location});
    Value run = mlir::arith::DivUIOp::create(
        builder, location, block->getArgument(0), index(keysPerTile));
    Value mark = mlir::arith::ConstantOp::create(
        builder, location,
        builder.getF32FloatAttr(region == &loop.getFull() ? kFull : kPartial));
    auto tileType = tile::TileType::get({1, 1}, builder.getF32Type());
    Value tile = tile::SplatOp::create(builder, location, tileType, mark);
    tile::StoreOp::create(builder, location, tile::StoreMode::Set, tile, out,
                          mlir::ValueRange{first, run});
    tile::YieldOp::create(builder, location, mlir::ValueRange());
  }
  while (&body.back() != loop.getOperation())
    body.back().erase();
  builder.setInsertionPointToEnd(&body);
  tile::ReturnOp::create(builder, location);
}

llvm::Error makeTileProgram(mlir::ModuleOp module, MaskTiles tiles) {
  mlir::MLIRContext *context = module.getContext();
  auto cpu = tile::CpuPlanAttr::get(context, 4, 4, 4);
  module.walk([&](mlir::Operation *op) {
    if (mlir::isa<attn::AttendOp, attn::MapOp>(op))
      op->setAttr(tile::kPlanAttr,
                  tile::PlanAttr::get(context, tiles.queries, tiles.keys, cpu,
                                      tiles.edge, /*grain=*/0,
                                      tiles.isInOrder));
  });
  mlir::PassManager passes(context);
  passes.addPass(createAttnToTile());
  passes.addPass(mlir::createCSEPass());
  passes.addPass(mlir::createCanonicalizerPass());
  if (failed(passes.run(module)))
    return llvm::createStringError("attn-to-tile failed");
  return llvm::Error::success();
}

llvm::Expected<SpecTensor> getVisits(SpecCase &spec, MaskTiles tiles) {
  mlir::OwningOpRef<mlir::ModuleOp> module = spec.emit();
  if (llvm::Error error = makeTileProgram(*module, tiles))
    return std::move(error);
  keepOnlyVisits(*module->getOps<tile::KernelOp>().begin(), tiles.queries,
                 tiles.getStep());
  const SpecSetting &setting = spec.getSetting();
  SpecTensor out("out", support::ElementType::F32,
                 {setting.batch, setting.heads, setting.queries, setting.keys});
  reference::ResultView unwanted{
      nullptr, support::ElementType::F32, {0, 0, 0}, {0, 0, 0}};
  if (llvm::Error error = reference::evaluateTileProgram(
          *module->getOps<tile::ProgramOp>().begin(), spec.views(),
          {out.result(), unwanted}, reference::Precision::Exact))
    return error;
  return out;
}

SpecTensor getKept(SpecCase &spec) {
  const SpecSetting &setting = spec.getSetting();
  SpecTensor kept(
      "kept", support::ElementType::Boolean,
      {setting.batch, setting.heads, setting.queries, setting.keys});
  reference::AttnEvaluator evaluator =
      spec.evaluator(reference::Precision::Exact);
  int64_t n = 0;
  for (const reference::Row &row : evaluator.evaluateRows(spec.allRows()))
    for (double value : row.out)
      kept.set(n++, value != 0);
  return kept;
}

VisitCounts &VisitCounts::operator+=(const VisitCounts &other) {
  tiles += other.tiles;
  skipped += other.skipped;
  full += other.full;
  needless += other.needless;
  missed += other.missed;
  return *this;
}

VisitCounts compareVisits(SpecCase &spec, const SpecTensor &visits,
                          const SpecTensor &kept, MaskTiles tiles,
                          std::string &error) {
  const SpecSetting &setting = spec.getSetting();
  int64_t queriesPerTile = tiles.queries, keysPerTile = tiles.getStep();
  VisitCounts counts;
  for (int64_t item = 0; item < setting.batch * setting.heads; ++item)
    for (int64_t i = 0; i < setting.queries; i += queriesPerTile)
      for (int64_t j = 0; j < setting.keys; j += keysPerTile) {
        int64_t endI = std::min(i + queriesPerTile, setting.queries);
        int64_t endJ = std::min(j + keysPerTile, setting.keys);
        bool any = false, all = true;
        for (int64_t row = i; row < endI; ++row)
          for (int64_t key = j; key < endJ; ++key) {
            bool isKept =
                kept.get((item * setting.queries + row) * setting.keys + key);
            any |= isKept;
            all &= isKept;
          }
        bool isWhole = endJ - j == keysPerTile;
        int64_t mark = static_cast<int64_t>(visits.get(
            (item * setting.queries + i) * setting.keys + j / keysPerTile));
        ++counts.tiles;
        counts.skipped += mark == kSkipped;
        counts.full += mark == kFull;
        counts.needless += mark != kSkipped && !any;
        counts.missed += mark == kPartial && all && isWhole;
        const char *wrong = mark == kSkipped && any ? "skipped but has pairs"
                            : mark == kFull && !all ? "full but drops pairs"
                            : mark == kFull && !isWhole
                                ? "full but shorter than a tile"
                                : nullptr;
        if (wrong && error.empty())
          error = "batch and head " + std::to_string(item) + ", queries " +
                  std::to_string(i) + " to " + std::to_string(endI - 1) +
                  ", keys " + std::to_string(j) + " to " +
                  std::to_string(endJ - 1) + ": " + wrong;
      }
  return counts;
}

void showPairs(SpecCase &spec) {
  for (SpecTensor &tensor : spec.tensors)
    if (tensor.name == "q" || tensor.name == "k")
      for (int64_t n = 0; n < tensor.count(); ++n)
        tensor.set(n, 0);
  SpecTensor &values = *spec.find("v");
  int64_t keys = spec.getSetting().keys;
  for (int64_t n = 0; n < values.count(); ++n)
    values.set(n, n / keys % keys == n % keys);
}

} // namespace rapt::testing
