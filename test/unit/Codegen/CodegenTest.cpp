// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Codegen/Codegen.h"
#include "lib/Runtime/KernelEntries.h"
#include "test/unit/Codegen/TinyKernel.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstdlib>
#include <dlfcn.h>
#include <thread>

using namespace rapt::codegen;
using rapt::target::CpuTarget;
using rapt::target::findTarget;
using rapt::target::getHostTarget;
using rapt::target::getKnownTargets;
using rapt::testing::buildTinyKernel;
using rapt::testing::compileTinyKernel;

namespace {

CpuTarget getTarget(llvm::StringRef name) {
  return llvm::cantFail(findTarget(name));
}

std::string getText(llvm::Error error) {
  return error ? toString(std::move(error)) : "no error";
}

//===----------------------------------------------------------------------===//
// Objects and assembly
//===----------------------------------------------------------------------===//

TEST(CodegenTest, EveryTargetHasObjectAndAssembly) {
  for (const CpuTarget &target : getKnownTargets()) {
    SCOPED_TRACE(target.name);
    std::unique_ptr<llvm::MemoryBuffer> object =
        compileTinyKernel("tiny", target);
    ASSERT_TRUE(object);
    auto parsed =
        llvm::object::ObjectFile::createObjectFile(object->getMemBufferRef());
    ASSERT_TRUE(static_cast<bool>(parsed)) << toString(parsed.takeError());
    auto *elf = llvm::dyn_cast<llvm::object::ELFObjectFileBase>(parsed->get());
    ASSERT_TRUE(elf);
    bool isX86 = llvm::StringRef(target.triple).starts_with("x86_64");
    EXPECT_EQ(elf->getEMachine(),
              isX86 ? llvm::ELF::EM_X86_64 : llvm::ELF::EM_AARCH64);
    EXPECT_EQ(elf->getEType(), llvm::ELF::ET_REL);
    for (const llvm::object::SectionRef &section : elf->sections())
      EXPECT_NE(llvm::cantFail(section.getName()), ".ltext")
          << "code of the large model";

    llvm::LLVMContext context;
    auto module = buildTinyKernel(context, "tiny");
    auto assembly = emitAssembly(*module, target);
    ASSERT_TRUE(static_cast<bool>(assembly)) << toString(assembly.takeError());
    for (const char *label : {"tiny_workspace:", "tiny_plan:", "tiny_run:"})
      EXPECT_NE(assembly->find(label), std::string::npos) << *assembly;
  }
}

TEST(CodegenTest, AssemblyAfterObjectIsTheSame) {
  llvm::LLVMContext context;
  auto module = buildTinyKernel(context, "tiny");
  CpuTarget target = getTarget("x86-64-v4");
  ASSERT_EQ(getText(optimize(*module, target)), "no error");
  std::string before = llvm::cantFail(emitAssembly(*module, target));
  auto object = emitObject(*module, target);
  ASSERT_TRUE(static_cast<bool>(object)) << toString(object.takeError());
  EXPECT_EQ(llvm::cantFail(emitAssembly(*module, target)), before);
}

/// out[0:16] = in[0:16] * 2 as one vector of 512 bits.
std::unique_ptr<llvm::Module> buildWide(llvm::LLVMContext &context) {
  auto module = std::make_unique<llvm::Module>("wide", context);
  llvm::IRBuilder<> ir(context);
  auto *pointer = ir.getPtrTy();
  auto *function = llvm::Function::Create(
      llvm::FunctionType::get(ir.getVoidTy(), {pointer, pointer}, false),
      llvm::Function::ExternalLinkage, "wide", *module);
  ir.SetInsertPoint(llvm::BasicBlock::Create(context, "entry", function));
  auto *type = llvm::FixedVectorType::get(ir.getFloatTy(), 16);
  llvm::Value *value =
      ir.CreateAlignedLoad(type, function->getArg(0), llvm::Align(4));
  ir.CreateAlignedStore(ir.CreateFAdd(value, value), function->getArg(1),
                        llvm::Align(4));
  ir.CreateRetVoid();
  return module;
}

TEST(CodegenTest, UsesTheTargetsVectors) {
  // x86-64-v4 prefers 256 bits in LLVM; the table says 512.
  for (auto [name, reg] :
       {std::pair("x86-64-v4", "%zmm"), std::pair("x86-64-v3", "%ymm"),
        std::pair("neoverse-n1", ".4s")}) {
    llvm::LLVMContext context;
    auto module = buildWide(context);
    CpuTarget target = getTarget(name);
    ASSERT_EQ(getText(optimize(*module, target)), "no error");
    const llvm::Function &function = *module->getFunction("wide");
    EXPECT_EQ(function.getFnAttribute("target-cpu").getValueAsString(),
              target.cpu);
    EXPECT_EQ(function.getFnAttribute("target-features").getValueAsString(),
              target.features);
    EXPECT_EQ(function.getFnAttribute("prefer-vector-width").getValueAsString(),
              std::to_string(target.vectorBits));
    EXPECT_FALSE(module->getDataLayout().isDefault());
    std::string assembly = llvm::cantFail(emitAssembly(*module, target));
    EXPECT_NE(assembly.find(reg), std::string::npos) << assembly;
  }
}

TEST(CodegenTest, OptimizesButDoesNotVectorize) {
  // A loop of square roots is what the vectorizers like.
  llvm::LLVMContext context;
  rapt::testing::TinyKernelOptions options;
  options.callee = "llvm.sqrt.f32";
  auto module = buildTinyKernel(context, "tiny", options);
  llvm::Function *run = module->getFunction("tiny_run");
  llvm::IRBuilder<> ir(run->getEntryBlock().getTerminator());
  ir.CreateAlloca(ir.getInt64Ty()); // has no use, so it goes
  ASSERT_EQ(getText(optimize(*module, getTarget("x86-64-v4"))), "no error");
  int roots = 0;
  for (const llvm::BasicBlock &block : *run)
    for (const llvm::Instruction &instruction : block) {
      EXPECT_FALSE(llvm::isa<llvm::AllocaInst>(instruction));
      EXPECT_FALSE(instruction.getType()->isVectorTy());
      roots += llvm::isa<llvm::CallInst>(instruction);
    }
  EXPECT_GT(roots, 0);
}

TEST(CodegenTest, ThreadsCompileAtOnce) {
  std::vector<std::string> objects(4);
  std::vector<std::thread> threads;
  for (std::string &result : objects)
    threads.emplace_back([&result] {
      result = compileTinyKernel("tiny", getHostTarget())->getBuffer().str();
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &object : objects)
    EXPECT_EQ(object, objects.front());
  EXPECT_FALSE(objects.front().empty());
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

TEST(CodegenTest, UnknownCpu) {
  llvm::LLVMContext context;
  auto module = buildTinyKernel(context, "tiny");
  CpuTarget target = getTarget("x86-64-v3");
  target.cpu = "x86-64-v9";
  std::string expected =
      "target 'x86-64-v3': unknown CPU 'x86-64-v9' for x86_64";
  EXPECT_EQ(getText(optimize(*module, target)), expected);
  EXPECT_EQ(getText(emitObject(*module, target).takeError()), expected);
  EXPECT_EQ(getText(emitAssembly(*module, target).takeError()), expected);
  // A CPU of another architecture is as unknown.
  target.cpu = "neoverse-n1";
  EXPECT_NE(getText(optimize(*module, target)).find("unknown CPU"),
            std::string::npos);
}

TEST(CodegenTest, UnknownArchitecture) {
  llvm::LLVMContext context;
  auto module = buildTinyKernel(context, "tiny");
  CpuTarget target = getTarget("x86-64-v3");
  target.triple = "quantum-unknown-linux-gnu";
  EXPECT_EQ(getText(optimize(*module, target)),
            "target 'x86-64-v3': no code generator for "
            "'quantum-unknown-linux-gnu'");
}

TEST(CodegenTest, InvalidIr) {
  llvm::LLVMContext context;
  auto module = buildTinyKernel(context, "tiny");
  module->getFunction("tiny_plan")
      ->getEntryBlock()
      .getTerminator()
      ->eraseFromParent();
  std::string message = getText(optimize(*module, getTarget("x86-64-v3")));
  EXPECT_EQ(message.find("invalid LLVM IR: "), 0u) << message;
  EXPECT_NE(message.find("does not have terminator"), std::string::npos)
      << message;
}

TEST(CodegenTest, ErrorOfTheBackEnd) {
  // LLVM's own handler would end the process.
  llvm::LLVMContext context;
  auto module = buildTinyKernel(context, "tiny");
  llvm::Function *plan = module->getFunction("tiny_plan");
  llvm::IRBuilder<> ir(plan->getEntryBlock().getTerminator());
  ir.CreateCall(
      llvm::InlineAsm::get(
          llvm::FunctionType::get(ir.getVoidTy(), {ir.getInt64Ty()}, false),
          "nop", "{nosuchregister}", true),
      {ir.getInt64(1)});
  std::string message =
      getText(emitObject(*module, getTarget("x86-64-v3")).takeError());
  EXPECT_EQ(message.find("code generation failed: "), 0u) << message;
  EXPECT_NE(message.find("nosuchregister"), std::string::npos) << message;
}

//===----------------------------------------------------------------------===//
// Shared objects
//===----------------------------------------------------------------------===//

struct LinkTest : testing::Test {
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("link-test", folder));
  }
  void TearDown() override {
    setenv("PATH", path.c_str(), 1);
    llvm::sys::fs::remove_directories(folder);
  }
  std::string getPath(llvm::StringRef name) {
    llvm::SmallString<128> result = folder;
    llvm::sys::path::append(result, name);
    return result.str().str();
  }
  std::vector<std::string> list() {
    std::vector<std::string> names;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator entry(folder, code), end;
         !code && entry != end; entry.increment(code))
      names.push_back(llvm::sys::path::filename(entry->path()).str());
    return names;
  }
  /// Loads the library and runs its kernel.
  void expectWorks(const std::string &library) {
    void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_TRUE(handle) << dlerror();
    auto run =
        reinterpret_cast<rapt::runtime::RunEntry>(dlsym(handle, "tiny_run"));
    ASSERT_TRUE(run);
    float in[3] = {0, 1, 2}, out[3] = {-1, -1, -1};
    int64_t args[3] = {reinterpret_cast<int64_t>(in), 3,
                       reinterpret_cast<int64_t>(out)};
    run(args, nullptr, 0, 1, 3);
    EXPECT_EQ(out[0], -1);
    EXPECT_NEAR(out[1], std::exp(1.0), 1e-6);
    EXPECT_NEAR(out[2], std::exp(2.0), 1e-5);
    dlclose(handle);
  }
  llvm::SmallString<128> folder;
  std::string path = getenv("PATH");
};

TEST_F(LinkTest, LinksAndReplaces) {
  auto object = compileTinyKernel("tiny", getHostTarget());
  std::string library = getPath("tiny.so");
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(getText(linkSharedObject(*object, library)), "no error");
    EXPECT_EQ(list(), std::vector<std::string>{"tiny.so"});
  }
  expectWorks(library);
}

TEST_F(LinkTest, LinksWithABareLinker) {
  auto object = compileTinyKernel("tiny", getHostTarget());
  auto linker = llvm::sys::findProgramByName("ld");
  if (!linker)
    GTEST_SKIP() << "no ld on the path";
  ASSERT_FALSE(llvm::sys::fs::create_directory(getPath("bin")));
  ASSERT_FALSE(llvm::sys::fs::create_link(*linker, getPath("bin/ld")));
  setenv("PATH", getPath("bin").c_str(), 1);
  std::string library = getPath("tiny.so");
  ASSERT_EQ(getText(linkSharedObject(*object, library)), "no error");
  expectWorks(library);
}

TEST_F(LinkTest, NoLinker) {
  auto object = compileTinyKernel("tiny", getHostTarget());
  setenv("PATH", folder.c_str(), 1);
  std::string message = getText(linkSharedObject(*object, getPath("tiny.so")));
  EXPECT_NE(message.find("tiny.so': no linker for "), std::string::npos)
      << message;
  EXPECT_NE(message.find("looked for cc, gcc, clang, ld.lld"),
            std::string::npos)
      << message;
  EXPECT_TRUE(list().empty());
}

TEST_F(LinkTest, SaysWhatTheLinkerSays) {
  auto object = compileTinyKernel("tiny", getHostTarget());
  ASSERT_FALSE(llvm::sys::fs::create_directory(getPath("bin")));
  std::error_code code;
  {
    llvm::raw_fd_ostream script(getPath("bin/cc"), code);
    script << "#!/bin/sh\necho the disk is full >&2\nexit 3\n";
  }
  ASSERT_FALSE(code);
  ASSERT_FALSE(
      llvm::sys::fs::setPermissions(getPath("bin/cc"), llvm::sys::fs::all_all));
  setenv("PATH", getPath("bin").c_str(), 1);
  std::string message = getText(linkSharedObject(*object, getPath("tiny.so")));
  EXPECT_NE(message.find("bin/cc: the disk is full"), std::string::npos)
      << message;
  EXPECT_EQ(list(), std::vector<std::string>{"bin"});
}

TEST_F(LinkTest, NotAnObject) {
  auto garbage = llvm::MemoryBuffer::getMemBuffer("garbage");
  std::string message = getText(linkSharedObject(*garbage, getPath("tiny.so")));
  EXPECT_NE(message.find("not an object file"), std::string::npos) << message;
  EXPECT_TRUE(list().empty());
}

TEST_F(LinkTest, NoFolder) {
  auto object = compileTinyKernel("tiny", getHostTarget());
  std::string message =
      getText(linkSharedObject(*object, getPath("none/tiny.so")));
  EXPECT_NE(message.find("none/tiny.so"), std::string::npos) << message;
  EXPECT_NE(message.find("cannot write"), std::string::npos) << message;
}

} // namespace
