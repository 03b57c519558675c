// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/PeakMeter.h"
#include "lib/Codegen/Codegen.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicsAArch64.h"
#include "llvm/IR/IntrinsicsX86.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include <chrono>

using llvm::Value;

namespace rapt::tool {

namespace {

/// Enough to hide the latency of two multiply-adds a cycle, with registers left
/// for the two factors.
int64_t getChains(const target::CpuTarget &target) {
  return target.vectorRegisters >= 32 ? 24 : 12;
}

/// Items of about a tenth of a millisecond, and rounds of a chain in each.
constexpr int64_t itemsPerThread = 32, flopsWanted = 20000000;

/// The entries of a kernel without workspace, whose words are the rounds and
/// two floats, and whose items each leave one vector behind.
class PeakEmitter {
public:
  PeakEmitter(llvm::Module &module, const target::CpuTarget &target,
              target::DotProducts::Instruction dots)
      : module(module), builder(module.getContext()), chains(getChains(target)),
        dots(dots) {
    vector =
        llvm::FixedVectorType::get(builder.getFloatTy(), target.getLanes32());
  }

  void emit() {
    llvm::Type *pointer = builder.getPtrTy(), *word = builder.getInt64Ty();
    createFunction("peak_workspace", word, {pointer});
    builder.CreateRet(builder.getInt64(0));
    createFunction("peak_plan", word, {pointer, pointer, word});
    builder.CreateRet(builder.getInt64(0));
    llvm::Function *run = createFunction("peak_run", builder.getVoidTy(),
                                         {pointer, pointer, word, word, word});
    llvm::BasicBlock *entry = builder.GetInsertBlock();
    Value *args = run->getArg(0);
    Value *rounds = builder.CreateLoad(word, args);
    Value *factor = loadSplat(args, 1), *addend = loadSplat(args, 2);
    auto *item = llvm::BasicBlock::Create(module.getContext(), "item", run);
    auto *round = llvm::BasicBlock::Create(module.getContext(), "round", run);
    auto *done = llvm::BasicBlock::Create(module.getContext(), "done", run);
    auto *end = llvm::BasicBlock::Create(module.getContext(), "end", run);
    Value *first = run->getArg(3), *last = run->getArg(4);
    builder.CreateCondBr(builder.CreateICmpSLT(first, last), item, end);

    builder.SetInsertPoint(item);
    llvm::PHINode *index = builder.CreatePHI(word, 2);
    index->addIncoming(first, entry);
    builder.CreateBr(round);

    builder.SetInsertPoint(round);
    llvm::PHINode *count = builder.CreatePHI(word, 2);
    count->addIncoming(builder.getInt64(0), item);
    llvm::SmallVector<llvm::PHINode *> sums;
    for (int64_t chain = 0; chain < chains; ++chain) {
      sums.push_back(builder.CreatePHI(vector, 2));
      sums.back()->addIncoming(llvm::ConstantFP::get(vector, 1.0 + chain),
                               item);
    }
    for (llvm::PHINode *sum : sums)
      sum->addIncoming(emitTerm(sum, factor, addend), round);
    Value *next = builder.CreateAdd(count, builder.getInt64(1));
    count->addIncoming(next, round);
    builder.CreateCondBr(builder.CreateICmpSLT(next, rounds), round, done);

    builder.SetInsertPoint(done);
    Value *total = sums.front()->getIncomingValueForBlock(round);
    for (llvm::PHINode *sum : llvm::drop_begin(sums))
      total = builder.CreateFAdd(total, sum->getIncomingValueForBlock(round));
    builder.CreateAlignedStore(total,
                               builder.CreateGEP(vector, run->getArg(1), index),
                               llvm::Align(sizeof(float)));
    Value *nextItem = builder.CreateAdd(index, builder.getInt64(1));
    index->addIncoming(nextItem, done);
    builder.CreateCondBr(builder.CreateICmpSLT(nextItem, last), item, end);
    builder.SetInsertPoint(end);
    builder.CreateRetVoid();
  }

private:
  /// What one step does to one sum.
  Value *emitTerm(Value *sum, Value *factor, Value *addend) {
    using Instruction = target::DotProducts::Instruction;
    // Multiplies and adds where there is no instruction for both.
    if (dots == Instruction::None)
      return builder.CreateIntrinsic(llvm::Intrinsic::fmuladd, {vector},
                                     {sum, factor, addend});
    auto *pairs = llvm::FixedVectorType::get(builder.getBFloatTy(),
                                             2 * vector->getNumElements());
    Value *left = builder.CreateBitCast(factor, pairs);
    Value *right = builder.CreateBitCast(addend, pairs);
    if (dots == Instruction::Bfdot)
      return builder.CreateIntrinsic(llvm::Intrinsic::aarch64_neon_bfdot,
                                     {vector, pairs}, {sum, left, right});
    return builder.CreateIntrinsic(llvm::Intrinsic::x86_avx512bf16_dpbf16ps_512,
                                   {}, {sum, left, right});
  }
  llvm::Function *createFunction(llvm::StringRef name, llvm::Type *result,
                                 llvm::ArrayRef<llvm::Type *> arguments) {
    auto *function = llvm::Function::Create(
        llvm::FunctionType::get(result, arguments, false),
        llvm::Function::ExternalLinkage, name, module);
    builder.SetInsertPoint(
        llvm::BasicBlock::Create(module.getContext(), "entry", function));
    return function;
  }
  Value *loadSplat(Value *args, int64_t number) {
    Value *address =
        builder.CreateConstGEP1_64(builder.getInt64Ty(), args, number);
    return builder.CreateVectorSplat(
        vector->getElementCount(),
        builder.CreateLoad(builder.getFloatTy(), address));
  }

  llvm::Module &module;
  llvm::IRBuilder<> builder;
  int64_t chains;
  target::DotProducts::Instruction dots;
  llvm::FixedVectorType *vector;
};

} // namespace

llvm::Expected<PeakMeter> PeakMeter::create(unsigned threads, Kind kind) {
  const target::CpuTarget &host = target::getHostTarget();
  bool isOfDots = kind == Kind::Bf16Dots;
  if (isOfDots && !host.bf16Dots.exist())
    return llvm::createStringError("this machine has no dot products of bf16");
  llvm::LLVMContext context;
  llvm::Module module("peak", context);
  PeakEmitter(module, host,
              isOfDots ? host.bf16Dots.instruction
                       : target::DotProducts::Instruction::None)
      .emit();
  if (llvm::Error error = codegen::optimize(module, host))
    return std::move(error);
  auto object = codegen::emitObject(module, host);
  if (!object)
    return object.takeError();
  auto code = runtime::LoadedKernel::load(std::move(*object), "peak");
  if (!code)
    return code.takeError();
  PeakMeter meter;
  meter.code = std::move(*code);
  meter.items = itemsPerThread * threads;
  meter.flopsPerItem = 2.0 * getChains(host) * host.getLanes32() *
                       (isOfDots ? host.bf16Dots.perLane : 1);
  meter.sums.resize(meter.items * host.getLanes32());
  return meter;
}

void PeakMeter::measure(Executor &executor) {
  using Clock = std::chrono::steady_clock;
  struct {
    int64_t rounds;
    float factor, padding;
    float addend, rest;
  } words = {int64_t(flopsWanted / flopsPerItem), 0.5f, 0, 1.0f, 0};
  static_assert(sizeof(words) == 3 * sizeof(int64_t));
  auto run = code->getEntries().run;
  auto begin = Clock::now();
  executor.run(items, [&](int64_t first, int64_t last) {
    run(&words.rounds, sums.data(), 0, first, last);
  });
  double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  double flops = flopsPerItem * double(words.rounds) * double(items);
  if (seconds > 0)
    rates.push_back(flops / seconds);
}

double PeakMeter::getFlopsPerSecond() const {
  if (rates.empty())
    return 0;
  std::vector<double> sorted = rates;
  llvm::sort(sorted);
  size_t middle = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[middle]
                           : (sorted[middle - 1] + sorted[middle]) / 2;
}

} // namespace rapt::tool
