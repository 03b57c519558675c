// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/Codegen/TinyKernel.h"
#include "lib/Codegen/Codegen.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"

namespace rapt::testing {

namespace {
/// Builds the functions of one kernel.
struct Builder {
  Builder(llvm::LLVMContext &context, llvm::StringRef name)
      : module(std::make_unique<llvm::Module>(name, context)), ir(context),
        name(name) {}

  llvm::Function *begin(llvm::StringRef suffix, llvm::Type *result,
                        llvm::ArrayRef<llvm::Type *> arguments) {
    auto *function = llvm::Function::Create(
        llvm::FunctionType::get(result, arguments, false),
        llvm::Function::ExternalLinkage, name + suffix, *module);
    ir.SetInsertPoint(
        llvm::BasicBlock::Create(module->getContext(), "entry", function));
    return function;
  }

  llvm::Value *loadWord(llvm::Value *args, int index, llvm::Type *type) {
    return ir.CreateLoad(type,
                         ir.CreateConstGEP1_64(ir.getInt64Ty(), args, index));
  }

  void addWorkspace() {
    auto *function = begin("_workspace", ir.getInt64Ty(), {ir.getPtrTy()});
    llvm::Value *count = loadWord(function->getArg(0), 1, ir.getInt64Ty());
    ir.CreateRet(
        ir.CreateAdd(ir.CreateMul(count, ir.getInt64(8)), ir.getInt64(64)));
  }

  void addPlan() {
    auto *function = begin("_plan", ir.getInt64Ty(),
                           {ir.getPtrTy(), ir.getPtrTy(), ir.getInt64Ty()});
    llvm::Value *workspace = function->getArg(1);
    llvm::Value *count = loadWord(function->getArg(0), 1, ir.getInt64Ty());
    ir.CreateStore(count, workspace);
    ir.CreateMemSet(ir.CreateConstGEP1_64(ir.getInt64Ty(), workspace, 1),
                    ir.getInt8(0), ir.CreateMul(count, ir.getInt64(8)),
                    llvm::Align(8));
    ir.CreateRet(function->getArg(2));
  }

  llvm::Value *compute(llvm::Value *value, const TinyKernelOptions &options) {
    llvm::Type *f32 = ir.getFloatTy();
    if (options.roundTo) {
      bool isHalf = *options.roundTo == support::ElementType::F16;
      return ir.CreateFPExt(
          ir.CreateFPTrunc(value, isHalf ? ir.getHalfTy() : ir.getBFloatTy()),
          f32);
    }
    return ir.CreateCall(module->getOrInsertFunction(options.callee, f32, f32),
                         value);
  }

  void addRun(const TinyKernelOptions &options) {
    llvm::Type *i64 = ir.getInt64Ty(), *f32 = ir.getFloatTy();
    auto *function = begin("_run", ir.getVoidTy(),
                           {ir.getPtrTy(), ir.getPtrTy(), i64, i64, i64});
    llvm::BasicBlock *entry = ir.GetInsertBlock();
    llvm::LLVMContext &context = module->getContext();
    auto *head = llvm::BasicBlock::Create(context, "head", function);
    auto *body = llvm::BasicBlock::Create(context, "body", function);
    auto *exit = llvm::BasicBlock::Create(context, "exit", function);
    llvm::Value *in = loadWord(function->getArg(0), 0, ir.getPtrTy());
    llvm::Value *out = loadWord(function->getArg(0), 2, ir.getPtrTy());
    ir.CreateBr(head);
    ir.SetInsertPoint(head);
    llvm::PHINode *index = ir.CreatePHI(i64, 2);
    index->addIncoming(function->getArg(3), entry);
    ir.CreateCondBr(ir.CreateICmpSLT(index, function->getArg(4)), body, exit);
    ir.SetInsertPoint(body);
    llvm::Value *value = ir.CreateLoad(f32, ir.CreateGEP(f32, in, index));
    ir.CreateStore(compute(value, options), ir.CreateGEP(f32, out, index));
    index->addIncoming(ir.CreateAdd(index, ir.getInt64(1)), body);
    ir.CreateBr(head);
    ir.SetInsertPoint(exit);
    ir.CreateRetVoid();
  }

  std::unique_ptr<llvm::Module> module;
  llvm::IRBuilder<> ir;
  llvm::StringRef name;
};
} // namespace

std::unique_ptr<llvm::Module> buildTinyKernel(llvm::LLVMContext &context,
                                              llvm::StringRef name,
                                              TinyKernelOptions options) {
  Builder builder(context, name);
  builder.addWorkspace();
  if (!options.withoutPlan)
    builder.addPlan();
  builder.addRun(options);
  return std::move(builder.module);
}

std::unique_ptr<llvm::MemoryBuffer>
compileTinyKernel(llvm::StringRef name, const target::CpuTarget &target,
                  TinyKernelOptions options) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module =
      buildTinyKernel(context, name, options);
  if (llvm::Error error = codegen::optimize(*module, target)) {
    ADD_FAILURE() << toString(std::move(error));
    return nullptr;
  }
  auto object = codegen::emitObject(*module, target);
  if (!object) {
    ADD_FAILURE() << toString(object.takeError());
    return nullptr;
  }
  return std::move(*object);
}

} // namespace rapt::testing
