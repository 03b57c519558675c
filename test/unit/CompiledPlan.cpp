// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "CompiledPlan.h"
#include "lib/Codegen/Codegen.h"
#include "lib/Compiler/LowerToLLVM.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Compiler/ReadRunTables.h"
#include "lib/Conversion/TileToVector/TileToVector.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"

namespace rapt::testing {

llvm::Expected<std::unique_ptr<CompiledPlan>>
CompiledPlan::create(SpecCase &spec, MaskTiles tiles,
                     llvm::function_ref<void(tile::ProgramOp)> edit) {
  mlir::OwningOpRef<mlir::ModuleOp> module = spec.emit();
  if (llvm::Error error = makeTileProgram(*module, tiles))
    return std::move(error);
  auto program = *module->getOps<tile::ProgramOp>().begin();
  std::string name = program.getSymName().str();
  for (auto launch :
       llvm::make_early_inc_range(program.getBody().getOps<tile::LaunchOp>()))
    launch.erase();
  for (auto kernel :
       llvm::make_early_inc_range(module->getOps<tile::KernelOp>()))
    kernel.erase();
  if (edit)
    edit(program);
  const target::CpuTarget &target = target::getHostTarget();
  mlir::PassManager passes(module->getContext());
  passes.addPass(createTileToVector(
      {target.getLanes32(), target.l2Bytes, target.scalesByPowers}));
  passes.addPass(mlir::createCanonicalizerPass());
  passes.addPass(mlir::createCSEPass());
  passes.addPass(createLowerToLLVM());
  if (failed(passes.run(*module)))
    return llvm::createStringError("the program does not lower");
  llvm::LLVMContext context;
  auto translated = translateToLLVM(*module, context);
  if (!translated)
    return translated.takeError();
  if (llvm::Error error = codegen::optimize(**translated, target))
    return std::move(error);
  auto object = codegen::emitObject(**translated, target);
  if (!object)
    return object.takeError();
  auto kernel = runtime::LoadedKernel::load(std::move(*object), name);
  if (!kernel)
    return kernel.takeError();
  auto result = std::make_unique<CompiledPlan>();
  result->tables =
      (*module)->getAttrOfType<mlir::IntegerAttr>("rapt.tables").getInt();
  result->kernel = std::move(*kernel);
  return result;
}

std::vector<int64_t> CompiledPlan::getWords(const SpecCase &spec) {
  std::vector<int64_t> words;
  for (const SpecTensor &tensor : spec.tensors) {
    words.push_back(reinterpret_cast<intptr_t>(tensor.data.data()));
    llvm::append_range(words, tensor.sizes);
    llvm::append_range(words, tensor.strides);
  }
  // The addresses and extents of out and lse.
  words.insert(words.end(), (1 + 2 * 4) + (1 + 2 * 3), 0);
  return words;
}

llvm::ArrayRef<KeyRun> getRuns(const RunTable &table, int64_t place) {
  return llvm::ArrayRef<KeyRun>(table.runs)
      .slice(table.offsets[place],
             table.offsets[place + 1] - table.offsets[place]);
}

llvm::Expected<RunTable> CompiledPlan::run(const SpecCase &spec) const {
  auto found = runAll(spec);
  if (!found)
    return found.takeError();
  return std::move(found->front());
}

llvm::Expected<std::vector<RunTable>>
CompiledPlan::runAll(const SpecCase &spec) const {
  std::vector<int64_t> words = getWords(spec);
  Workspace workspace(getBytes(words));
  int64_t needed = plan(words, workspace);
  if (needed > workspace.bytes && workspace.isGuardIntact()) {
    workspace = Workspace(needed);
    if (plan(words, workspace) != needed)
      return llvm::createStringError("another size is asked for than before");
  }
  if (!workspace.isGuardIntact())
    return llvm::createStringError("memory behind the workspace is written");
  return readRunTables(workspace.get(), 0, tables);
}

std::vector<int> getVisits(const RunTable &table, int64_t batch,
                           int64_t heads) {
  std::vector<int> visits(batch * heads * table.blocks * table.tiles, kSkipped);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t block = 0; block < table.blocks; ++block) {
        int64_t group = (table.batchGroups > 1 ? b : 0) * table.headGroups +
                        (table.headGroups > 1 ? h : 0);
        int64_t place = ((b * heads + h) * table.blocks + block) * table.tiles;
        for (const KeyRun &run : getRuns(table, group * table.blocks + block))
          for (int64_t n = 0; n < run.tiles; ++n)
            visits[place + run.firstTile + n] = run.isFull ? kFull : kPartial;
      }
  return visits;
}

} // namespace rapt::testing
